import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { derivedId } from '@valueverse/kernel';
import { TOPICS, type Topic } from '@valueverse/contracts';
import { PersonalKeyMissing, type Fact } from '../codec/codec';
import { isTransient, type Tx } from '../database/database';
import { executeIn, type Instruction, type WallClock } from '../execute/execute';
import { partitionName, type Delivery, type Feed, type FeedRecord, type GroupMembership, type TopicPartition } from '../feed/feed';
import type { Reports } from '../relay/relay';
import { AppendConflict, type EventStore } from '../store/event-store';
import { contextOfFact, processing, traceOfJob, withRecords } from '../tracing';
import { runInContext } from '../work-context';
import { Checkpoints, Fenced, type Checkpoint } from './checkpoints';
import { consumerName, NotYetKnown, type Consumer, type JobSink, type NewJob, type Reactor } from './consumers';
import { Parking } from './parking';

/** Attempts at one record before its stream is parked. */
const ATTEMPTS_MAX = 5;
const RETRY_PAUSE_MS = 50;
/** Attempts at a conflict or a failure of the moment, which say nothing about the record. */
const TRANSIENT_ATTEMPTS_MAX = 40;
/** A cause that has not come for this long is an alarm, though it is waited for on. */
const WAIT_ALARM_MS = 60_000;

export interface SubscriptionOptions {
  /** The name of the service: its readers share one group. */
  readonly group: string;
  readonly store: EventStore;
  readonly feed: Feed;
  readonly consumers: readonly Consumer[];
  readonly jobs: JobSink;
  readonly wallClock: WallClock;
  readonly reports: Reports;
  readonly waitAlarmMs?: number;
}

/** Everything a service reads from the feed: each record is fetched once and given to each consumer of its topic, which has a checkpoint of its own. */
export class Subscription {
  /** Says where to look: the machine and the process that has a partition. */
  private readonly owner = `${hostname()}/${process.pid}/${randomUUID()}`;
  private readonly checkpoints: Checkpoints;
  private readonly parking: Parking;
  private readonly held = new Map<string, Checkpoint>();
  /** Since when a reader waits at which offset, and whether that was reported. */
  private readonly waiting = new Map<string, { offset: bigint; sinceMs: number; reported: boolean }>();
  private membership: GroupMembership | undefined;

  constructor(private readonly options: SubscriptionOptions) {
    const names = options.consumers.map(consumerName);
    if (new Set(names).size !== names.length) throw new Error(`two consumers of one name: ${names.join(', ')}`);
    this.checkpoints = new Checkpoints(options.store.database, this.owner);
    this.parking = new Parking(options.store.database);
  }

  get topics(): readonly Topic[] { return [...new Set(this.options.consumers.flatMap(({ topics }) => topics))]; }

  /** Whether this process was ever given its partitions; readiness waits for it. */
  get isAssigned(): boolean { return this.held.size > 0 || this.topics.length === 0; }

  start(): void {
    if (this.topics.length === 0) return;
    this.membership = this.options.feed.join(this.options.group, this.topics, {
      onAssigned: (partitions) => this.take(partitions),
      onRecords: (partition, records) => this.deliver(partition, records),
      onMissing: (partition, wanted, first) => this.haltAll(partition, `the feed begins at offset ${first}, the next one to read is ${wanted}`),
      onError: (error) => { if (!isTransient(error)) this.options.reports.error('reading the feed failed; it is tried again', error); },
    });
  }
  wake(): void { this.membership?.wake(); }
  async stop(): Promise<void> { await this.membership?.stop(); }

  /** Tries a parked stream again, in order; answers how many of its records went through. Throws what still fails. */
  async retryParked(consumer: string, tenant: string, stream: string): Promise<number> {
    const found = this.consumersOf().find((candidate) => consumerName(candidate) === consumer);
    if (found === undefined) throw new Error(`no consumer named ${consumer}`);
    return this.options.store.database.transaction({ role: 'worker' }, async (tx) => {
      const records = await this.parking.takeBack(tx, consumer, tenant, stream);
      const instructions = await this.apply(found, tx, records);
      if (instructions.length > 0) await executeIn(this.options.store, tx, instructions, this.options.wallClock);
      return records.length;
    });
  }

  private consumersOf(topic?: Topic): readonly Consumer[] {
    return this.options.consumers.filter(({ topics }) => topic === undefined || topics.includes(topic));
  }

  private async take(partitions: readonly TopicPartition[]): Promise<Map<string, bigint>> {
    const wanted = partitions.flatMap((partition) => this.consumersOf(partition.topic).map((consumer) => ({ ...partition, consumer: consumerName(consumer) })));
    const starts = new Map<string, bigint>();
    for (const checkpoint of await this.checkpoints.acquire(wanted)) {
      this.held.set(heldName(checkpoint.consumer, checkpoint), checkpoint);
      if (checkpoint.halted !== null) continue;
      const name = partitionName(checkpoint);
      const start = starts.get(name);
      if (start === undefined || checkpoint.nextOffset < start) starts.set(name, checkpoint.nextOffset);
    }
    return starts;
  }

  private async deliver(partition: TopicPartition, records: readonly FeedRecord[]): Promise<Delivery> {
    const nexts: bigint[] = [];
    let waits = false;
    for (const consumer of this.consumersOf(partition.topic)) {
      const checkpoint = this.held.get(heldName(consumerName(consumer), partition));
      if (checkpoint === undefined) return 'reassign';
      if (checkpoint.halted !== null) continue;
      try {
        const next = records.filter(({ offset }) => offset >= checkpoint.nextOffset);
        const reader = { system: this.options.feed.kind, group: this.options.group, consumer: checkpoint.consumer };
        await processing(reader, partition, next, () => this.deliverTo(consumer, checkpoint, next));
      } catch (error) {
        // What it waits for may be what the readers after it do with the same records.
        if (isWaiting(error)) { waits = true; this.noteWaiting(checkpoint, error as Error); continue; }
        if (!(error instanceof Fenced)) throw error;
        this.held.delete(heldName(consumerName(consumer), partition));
        return 'reassign';
      }
      if (checkpoint.halted === null) nexts.push(checkpoint.nextOffset);
    }
    if (waits) return 'later';
    if (nexts.length === 0) return 'halt';
    return { next: nexts.reduce((least, next) => (next < least ? next : least)) };
  }

  private async deliverTo(consumer: Consumer, checkpoint: Checkpoint, records: readonly FeedRecord[]): Promise<void> {
    if (records.length === 0) return;
    const { fresh, missing } = this.following(checkpoint, records);
    if (missing !== undefined) {
      // What came before the gap is in order and counts; then this consumer stops and says so.
      const before = records.slice(0, records.findIndex(({ offset }) => offset === missing.offset));
      if (before.length > 0) await this.deliverTo(consumer, checkpoint, before);
      await this.halt(checkpoint, `a record is missing before offset ${missing.offset}: it follows position ${missing.previous ?? 'unknown'}, the last one seen is ${checkpoint.position}`);
      return;
    }
    const after = afterRecords(checkpoint, records);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.options.store.database.transaction({ role: 'worker' }, async (tx) => {
          const live = await this.parking.setAside(tx, consumerName(consumer), fresh);
          const instructions = await this.apply(consumer, tx, live);
          // The checkpoint moves late: a reader that falls asleep in its handler must not hold up the one that takes over.
          await this.checkpoints.advance(tx, checkpoint, after);
          if (instructions.length > 0) await executeIn(this.options.store, tx, instructions, this.options.wallClock);
        });
        Object.assign(checkpoint, after);
        return;
      } catch (error) {
        if (error instanceof Fenced) throw error;
        if ((error instanceof AppendConflict || isTransient(error)) && attempt < TRANSIENT_ATTEMPTS_MAX) { await pause(Math.min(attempt, 10) * 5); continue; }
        if (isTransient(error) || error instanceof AppendConflict) throw error;
        if (isWaiting(error) && records.length === 1) throw error;
        // One by one: those before the one that fails, or waits, are not held up by it.
        if (records.length > 1) {
          for (const record of records) await withRecords([record], () => this.deliverTo(consumer, checkpoint, [record]));
          return;
        }
        if (await this.setBack(consumer, checkpoint, records[0]!, error)) return;
        await pause(RETRY_PAUSE_MS * attempt);
      }
    }
  }

  /** What has not been handled yet, and the first record that does not follow its predecessor. */
  private following(checkpoint: Checkpoint, records: readonly FeedRecord[]): { fresh: FeedRecord[]; missing?: FeedRecord } {
    const { kind } = TOPICS[checkpoint.topic];
    const fresh: FeedRecord[] = [];
    let { position, nextOffset } = checkpoint;
    for (const record of records) {
      if (kind === 'facts') {
        // A relay that was not sure sends again; what was handled is known by its position.
        if (record.position === undefined || record.position <= position) { nextOffset = record.offset + 1n; continue; }
        if (record.previous !== position) return { fresh, missing: record };
        position = record.position;
      } else if (kind === 'transport' && record.offset !== nextOffset) return { fresh, missing: record };
      nextOffset = record.offset + 1n;
      fresh.push(record);
    }
    return { fresh };
  }

  /** Writes the effects of the records and answers the commands that follow from them, which are executed last. */
  private async apply(consumer: Consumer, tx: Tx, records: readonly FeedRecord[]): Promise<Instruction[]> {
    if (records.length === 0) return [];
    if (consumer.kind === 'records') { await consumer.project(tx, records); return []; }
    const facts = await this.decode(consumer, tx, records);
    if (facts.length === 0) return [];
    if (consumer.kind === 'projector') { await consumer.project(tx, facts); return []; }
    return this.react(consumer, tx, facts);
  }

  private async decode(consumer: Exclude<Consumer, { kind: 'records' }>, tx: Tx, records: readonly FeedRecord[]): Promise<Fact[]> {
    const { codec } = this.options.store;
    // A type that only a newer release knows is passed over; a type that is known and cannot be read is an error.
    const known = records.filter(({ headers }) => codec.knows(headers['ce_type'] ?? ''));
    const names = consumer.kind === 'projector' ? new Set(consumer.events) : new Set(Object.keys(consumer.on));
    const facts = await codec.decodeAll(tx, known.filter(({ headers }) => names.has(codec.nameOf(headers['ce_type']!))).map(({ value }) => value));
    return facts;
  }

  private async react(reactor: Reactor, tx: Tx, facts: readonly Fact[]): Promise<Instruction[]> {
    const instructions: Instruction[] = [];
    const jobs: NewJob[] = [];
    for (const fact of facts) {
      const reaction = await runInContext(contextOfFact(fact), async () => reactor.on[fact.event.type]!(fact.event, fact, tx));
      for (const [index, { decider, command, traceparent }] of (reaction.commands ?? []).entries()) {
        instructions.push({ decider, command, context: {
          tenant: fact.tenant, at: fact.clockId === undefined ? this.options.wallClock() : fact.at, actor: `process:${reactor.name}`, clockId: fact.clockId,
          causationId: fact.id, correlationId: fact.correlationId, traceparent: traceparent ?? fact.traceparent,
          commandId: derivedId('cmd', reactor.name, fact.id, String(index)),
        } });
      }
      jobs.push(...(reaction.jobs ?? []).map((job) => ({ causationId: fact.id, correlationId: fact.correlationId, traceparent: traceOfJob(fact.traceparent, fact.at, job.dueAt), clockId: fact.clockId, ...job })));
    }
    if (jobs.length > 0) await this.options.jobs.schedule(tx, jobs);
    return instructions;
  }

  private noteWaiting(checkpoint: Checkpoint, cause: Error): void {
    const name = heldName(checkpoint.consumer, checkpoint);
    const known = this.waiting.get(name);
    const waiting = known?.offset === checkpoint.nextOffset ? known : { offset: checkpoint.nextOffset, sinceMs: performance.now(), reported: false };
    this.waiting.set(name, waiting);
    if (waiting.reported || performance.now() - waiting.sinceMs < (this.options.waitAlarmMs ?? WAIT_ALARM_MS)) return;
    waiting.reported = true;
    this.options.reports.alarm(`${checkpoint.consumer} waits at ${partitionName(checkpoint)} offset ${checkpoint.nextOffset}: ${cause.message}`);
  }

  /** Counts a failure of one record; after the last attempt its stream is parked. Answers whether it was. */
  private async setBack(consumer: Consumer, checkpoint: Checkpoint, record: FeedRecord, cause: unknown): Promise<boolean> {
    const name = consumerName(consumer);
    const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    const attempts = await this.parking.countFailure(name, record, reason);
    if (attempts < ATTEMPTS_MAX) return false;
    const after = afterRecords(checkpoint, [record]);
    await this.options.store.database.transaction({ role: 'worker' }, async (tx) => {
      await this.parking.park(tx, name, record, reason);
      await this.checkpoints.advance(tx, checkpoint, after);
    });
    Object.assign(checkpoint, after);
    this.options.reports.alarm(`${name} parked the stream of ${partitionName(record)} offset ${record.offset}: ${reason}`);
    return true;
  }

  private async halt(checkpoint: Checkpoint, reason: string): Promise<void> {
    await this.checkpoints.halt(checkpoint, reason);
    checkpoint.halted = reason;
    this.options.reports.alarm(`${checkpoint.consumer} stopped at ${partitionName(checkpoint)}: ${reason}`);
  }

  private async haltAll(partition: TopicPartition, reason: string): Promise<void> {
    for (const consumer of this.consumersOf(partition.topic)) {
      const checkpoint = this.held.get(heldName(consumerName(consumer), partition));
      if (checkpoint !== undefined && checkpoint.halted === null) await this.halt(checkpoint, reason);
    }
  }
}

/** Not a failure: what this depends on is still on its way. */
const isWaiting = (error: unknown): boolean => error instanceof PersonalKeyMissing || error instanceof NotYetKnown;
const heldName = (consumer: string, partition: TopicPartition): string => `${consumer} ${partitionName(partition)}`;
const afterRecords = (checkpoint: Checkpoint, records: readonly FeedRecord[]): { nextOffset: bigint; position: bigint } => ({
  nextOffset: records.at(-1)!.offset + 1n,
  position: records.reduce((greatest, { position }) => (position !== undefined && position > greatest ? position : greatest), checkpoint.position),
});
const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, milliseconds); });
