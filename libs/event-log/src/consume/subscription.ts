import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { TOPICS, type Topic } from '@valueverse/contracts';
import { familyOf, PersonalKeyMissing, type Fact } from '../codec/codec';
import { isTransient, type Tx } from '../database/database';
import { executeIn, type Instruction, type WallClock } from '../execute/execute';
import { partitionName, type Delivery, type Feed, type FeedRecord, type GroupMembership, type TopicPartition } from '../feed/feed';
import type { Reports } from '../relay/relay';
import { AppendConflict, type EventStore } from '../store/event-store';
import { processing, withRecords } from '../tracing';
import { followChain, hasFollower, type Following } from './chain';
import { Checkpoints, Fenced, type Checkpoint } from './checkpoints';
import { consumerName, NotYetKnown, type Consumer, type JobSink } from './consumers';
import { jsonOf, RecordRejected, type Rejection, type RejectionCode } from './inspect';
import { Parking } from './parking';
import { reactTo } from './react';
import { findRejected, keepRejected, removeRejected, type RecordPlace } from './rejects';
import { SharedRuns } from './shared-runs';
import { Turns } from './together';

/** Attempts at one record before its stream is parked. */
const ATTEMPTS_MAX = 5;
const RETRY_PAUSE_MS = 50;
/** Processes that took a partition over without getting on with it; from then on each record is begun alone and counted before. */
const CAREFUL_FROM_TAKEOVERS = 2;
const BEGUN_MAX = 3;
/** Records that are looked at for the one that follows, where the next one does not. */
const LOOK_AHEAD_MAX = 1_000;
const LOOK_FOR_RELEASED_MS = 1_000;
/** Transactions that are under way side by side. */
const TRANSACTIONS_AT_ONCE = 3;
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
  /** Processes that may end over one record before its stream is parked. */
  readonly begunMax?: number;
  /** What this release publishes, as `familyOf` names it; all types are believed when it is not given. */
  readonly published?: ReadonlySet<string>;
  /** Whether there is such a tenant; throws `NotYetKnown` while that cannot be said. All are believed when it is not given. */
  readonly isTenant?: (tenant: string) => Promise<boolean>;
  readonly onRejected?: (code: RejectionCode) => void;
}

/** Everything a service reads from the feed: each record is fetched once and given to each consumer of its topic, which has a checkpoint of its own. */
export class Subscription {
  /** Says where to look: the machine and the process that has a partition. */
  private readonly owner = `${hostname()}/${process.pid}/${randomUUID()}`;
  private readonly checkpoints: Checkpoints;
  private readonly parking: Parking;
  private readonly turns = new Turns(TRANSACTIONS_AT_ONCE);
  /** By consumer and topic. */
  private readonly shared = new Map<string, SharedRuns>();
  /** Whose next run is handled alone: one of those that it came with failed, or waits, and would hold up the others. */
  private readonly alone = new WeakSet<Checkpoint>();
  private readonly held = new Map<string, Checkpoint>();
  /** Since when a reader waits at which offset, and whether that was reported. */
  private readonly waiting = new Map<string, { offset: bigint; sinceMs: number; reported: boolean }>();
  private membership: GroupMembership | undefined;
  private looking: NodeJS.Timeout | undefined;

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
      onPassed: (partition, from, next) => this.pass(partition, from, next),
      onMissing: (partition, wanted, first) => this.haltAll(partition, `the feed begins at offset ${first}, the next one to read is ${wanted}`),
      onError: (error) => { if (!isTransient(error)) this.options.reports.error('reading the feed failed; it is tried again', error); },
    });
    this.looking = setInterval(() => { void this.takeUpReleased().catch(() => undefined); }, LOOK_FOR_RELEASED_MS).unref();
  }
  wake(): void { this.membership?.wake(); }
  async stop(): Promise<void> {
    if (this.membership === undefined) return;
    clearInterval(this.looking);
    await this.membership.stop();
    await this.checkpoints.release().catch((error: unknown) => { if (!isTransient(error)) this.options.reports.error('the checkpoints could not be released', error); });
  }

  /** Tries a parked stream again, in order; answers how many of its records went through. Throws what still fails. */
  retryParked(consumer: string, tenant: string, stream: string): Promise<number> {
    return this.retry(consumer, (tx) => this.parking.takeBack(tx, consumer, tenant, stream));
  }

  /** Tries a record again that was rejected, because its type or its tenant is known now. Throws `RecordRejected` where it still is none of ours. */
  async retryRejected(consumer: string, place: RecordPlace): Promise<number> {
    const found = await this.options.store.database.transaction({ role: 'worker', readOnly: true }, (tx) => findRejected(tx, consumer, place));
    if (found === undefined) return 0;
    const { record, code, detail } = found;
    if (code !== 'unknown_type' && code !== 'unknown_tenant') throw new RecordRejected(code, detail);
    const reader = this.consumersOf().find((candidate) => consumerName(candidate) === consumer);
    // What came after it in its stream is folded already: it would be applied on top of what is newer.
    if (code === 'unknown_type' && reader?.kind !== 'reactor') throw new RecordRejected(code, `discard it and rebuild ${consumer} with --cutover, which folds it in its place`);
    const type = record.headers['ce_type'] ?? '';
    if (TOPICS[record.topic].kind === 'facts' && !this.isPublished(type)) throw new RecordRejected('unknown_type', `this release knows no ${type}`);
    await this.refuseStrangers([record]);
    return this.retry(consumer, async (tx) => {
      if (!(await removeRejected(tx, consumer, place))) return [];
      // A record of nobody is no link of the chain. What turns out to be somebody's has to be the next one, or another fact stands in its place.
      if (code === 'unknown_tenant' && TOPICS[record.topic].kind === 'facts' && !(await this.checkpoints.follow(tx, consumer, record))) throw new RecordRejected('broken_chain', 'it does not follow the last fact that was handled');
      return this.parking.setAside(tx, consumer, [record]);
    });
  }

  private async retry(consumer: string, take: (tx: Tx) => Promise<readonly FeedRecord[]>): Promise<number> {
    const found = this.consumersOf().find((candidate) => consumerName(candidate) === consumer);
    if (found === undefined) throw new Error(`no consumer named ${consumer}`);
    return this.options.store.database.transaction({ role: 'worker' }, async (tx) => {
      const records = await take(tx);
      const instructions = await this.apply(found, tx, records);
      if (instructions.length > 0) await executeIn(this.options.store, tx, instructions, this.options.wallClock);
      return records.length;
    });
  }

  /** Takes up again what an operator has released in the database, if it is still this process's. */
  private async takeUpReleased(): Promise<void> {
    const stopped = [...this.held.values()].filter(({ halted }) => halted !== null);
    if (stopped.length === 0) return;
    for (const checkpoint of await this.checkpoints.released(stopped)) {
      this.held.delete(heldName(checkpoint.consumer, checkpoint));
      this.membership?.retake(checkpoint);
    }
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
        if (!(await this.share(consumer, checkpoint, next))) await this.turns.take(() => processing(reader, partition, next, () => this.deliverTo(consumer, checkpoint, next)));
        this.alone.delete(checkpoint);
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

  /** Handles a run with those of other partitions, where nothing about it is unusual. Answers whether it was. */
  private async share(consumer: Consumer, checkpoint: Checkpoint, records: readonly FeedRecord[]): Promise<boolean> {
    if (records.length === 0 || this.alone.has(checkpoint)) return false;
    const following = followChain(checkpoint, records, this.isPublished);
    if (following.missing !== undefined || following.rejected.length > 0 || this.isCareful(checkpoint, records)) return false;
    const name = `${checkpoint.consumer} ${checkpoint.topic}`;
    let shared = this.shared.get(name);
    if (shared === undefined) {
      const { feed, group, store, wallClock } = this.options;
      this.shared.set(name, shared = new SharedRuns(consumer, { system: feed.kind, group, consumer: checkpoint.consumer }, {
        store, wallClock, checkpoints: this.checkpoints, parking: this.parking, turns: this.turns, refuseStrangers: (fresh) => this.refuseStrangers(fresh), apply: (...given) => this.apply(...given),
      }));
    }
    if (await shared.take({ checkpoint, following })) return true;
    this.alone.add(checkpoint);
    return false;
  }

  private async deliverTo(consumer: Consumer, checkpoint: Checkpoint, records: readonly FeedRecord[], careful = this.isCareful(checkpoint, records)): Promise<void> {
    if (records.length === 0) return;
    const following = followChain(checkpoint, records, this.isPublished);
    if (following.missing !== undefined) await this.passGap(consumer, checkpoint, records, following.missing);
    else if (!careful) await this.handle(consumer, checkpoint, records, following);
    else if (records.length > 1) await this.oneByOne(consumer, checkpoint, records, careful);
    else await this.handleCarefully(consumer, checkpoint, records[0]!, following);
  }

  private async handle(consumer: Consumer, checkpoint: Checkpoint, records: readonly FeedRecord[], { fresh, rejected, after }: Following): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.refuseStrangers([...fresh, ...rejected.filter(({ code }) => code === 'unknown_type').map(({ record }) => record)]);
        if (consumer.kind === 'records') await consumer.prepare?.(fresh);
        await this.options.store.database.transaction({ role: 'worker' }, async (tx) => {
          await keepRejected(tx, checkpoint.consumer, rejected);
          const live = await this.parking.setAside(tx, checkpoint.consumer, fresh);
          const instructions = await this.apply(consumer, tx, live);
          // The checkpoint moves late: a reader that falls asleep in its handler must not hold up the one that takes over.
          await this.checkpoints.advance(tx, checkpoint, after);
          if (instructions.length > 0) await executeIn(this.options.store, tx, instructions, this.options.wallClock);
        });
        Object.assign(checkpoint, after, { takeovers: 0 });
        this.tellRejected(checkpoint, rejected);
        return;
      } catch (error) {
        if (error instanceof Fenced) throw error;
        if ((error instanceof AppendConflict || isTransient(error)) && attempt < TRANSIENT_ATTEMPTS_MAX) { await pause(Math.min(attempt, 10) * 5); continue; }
        if (isTransient(error) || error instanceof AppendConflict) throw error;
        if (isWaiting(error) && records.length === 1) throw error;
        // Those before the one that fails, or waits, are not held up by it.
        if (records.length > 1) { await this.oneByOne(consumer, checkpoint, records, false); return; }
        if (error instanceof RecordRejected) { await this.reject(checkpoint, { record: records[0]!, code: error.code, detail: error.message }); return; }
        if (await this.setBack(consumer, checkpoint, records[0]!, error)) return;
        await pause(RETRY_PAUSE_MS * attempt);
      }
    }
  }

  /** Moves checkpoints over what is nothing, so that they come to the end of the partition. */
  private async pass(partition: TopicPartition, from: bigint, next: bigint): Promise<void> {
    for (const consumer of this.consumersOf(partition.topic)) {
      const checkpoint = this.held.get(heldName(consumerName(consumer), partition));
      if (checkpoint === undefined || checkpoint.halted !== null || checkpoint.nextOffset < from || checkpoint.nextOffset >= next) continue;
      const after = { nextOffset: next, position: checkpoint.position };
      try {
        await this.options.store.database.transaction({ role: 'worker' }, (tx) => this.checkpoints.advance(tx, checkpoint, after));
      } catch (error) {
        if (error instanceof Fenced) continue;
        throw error;
      }
      Object.assign(checkpoint, after);
    }
  }

  private async oneByOne(consumer: Consumer, checkpoint: Checkpoint, records: readonly FeedRecord[], careful: boolean): Promise<void> {
    for (const record of records) {
      if (checkpoint.halted !== null) return;
      await withRecords([record], () => this.deliverTo(consumer, checkpoint, [record], careful));
    }
  }

  /** What came before a gap is in order and counts. Then either the record is nobody's, because the one that follows comes later, or the feed has lost something. */
  private async passGap(consumer: Consumer, checkpoint: Checkpoint, records: readonly FeedRecord[], missing: FeedRecord): Promise<void> {
    const at = records.findIndex(({ offset }) => offset === missing.offset);
    if (at > 0) {
      await this.deliverTo(consumer, checkpoint, records.slice(0, at));
      if (checkpoint.halted === null) await this.deliverTo(consumer, checkpoint, records.slice(at));
      return;
    }
    const detail = `it follows position ${missing.previous ?? 'unknown'}, the last one seen is ${checkpoint.position}`;
    const isIntruder = TOPICS[checkpoint.topic].kind === 'facts'
      && (hasFollower(checkpoint, records.slice(1)) || hasFollower(checkpoint, await this.options.feed.read(checkpoint, records.at(-1)!.offset + 1n, LOOK_AHEAD_MAX)));
    if (!isIntruder) { await this.halt(checkpoint, `a record is missing before offset ${missing.offset}: ${detail}`); return; }
    await this.reject(checkpoint, { record: missing, code: 'broken_chain', detail });
    await this.deliverTo(consumer, checkpoint, records.slice(1));
  }

  /** After processes have ended over a partition without getting on, its records are begun one by one, each counted before it begins. */
  private isCareful({ takeovers, suspect }: Checkpoint, records: readonly FeedRecord[]): boolean {
    return takeovers >= CAREFUL_FROM_TAKEOVERS || (suspect !== null && records.some(({ offset }) => offset === suspect));
  }

  /** Counts the attempt before it is made: a record that was begun often enough and never ended is parked without another look. */
  private async handleCarefully(consumer: Consumer, checkpoint: Checkpoint, record: FeedRecord, following: Following): Promise<void> {
    const { begun } = await this.parking.begin(checkpoint.consumer, record);
    const most = this.options.begunMax ?? BEGUN_MAX;
    if (begun > most) { await this.park(consumer, checkpoint, record, `the process ended ${most} times while it was handled`); return; }
    try {
      await this.handle(consumer, checkpoint, [record], following);
    } finally {
      await this.parking.end(checkpoint.consumer, record);
    }
  }

  private readonly isPublished = (type: string): boolean => this.options.published?.has(familyOf(type)) ?? true;

  /** A tenant that nobody has heard of has no facts. Throws `NotYetKnown` while word of it may still be on its way. */
  private async refuseStrangers(records: readonly FeedRecord[]): Promise<void> {
    if (this.options.isTenant === undefined) return;
    for (const tenant of new Set(records.map(({ headers }) => headers['ce_tenant'] ?? ''))) {
      if (tenant !== '' && !(await this.options.isTenant(tenant))) throw new RecordRejected('unknown_tenant', `there is no tenant ${tenant}`);
    }
  }

  private async reject(checkpoint: Checkpoint, rejection: Rejection): Promise<void> {
    const after = { nextOffset: rejection.record.offset + 1n, position: checkpoint.position };
    await this.options.store.database.transaction({ role: 'worker' }, async (tx) => {
      await keepRejected(tx, checkpoint.consumer, [rejection]);
      await this.checkpoints.advance(tx, checkpoint, after);
    });
    Object.assign(checkpoint, after, { takeovers: 0 });
    this.tellRejected(checkpoint, [rejection]);
  }

  private tellRejected({ consumer }: Checkpoint, rejected: readonly Rejection[]): void {
    for (const { record, code, detail } of rejected) {
      this.options.onRejected?.(code);
      this.options.reports.alarm(`${consumer} rejected ${partitionName(record)} offset ${record.offset}: ${code}: ${detail}`);
    }
  }

  /** Writes the effects of the records and answers the commands that follow from them, which are executed last. */
  private async apply(consumer: Consumer, tx: Tx, records: readonly FeedRecord[]): Promise<Instruction[]> {
    if (records.length === 0) return [];
    if (consumer.kind === 'records') { await consumer.project(tx, records); return []; }
    const facts = await this.decode(consumer, tx, records);
    if (facts.length === 0) return [];
    if (consumer.kind === 'projector') { await consumer.project(tx, facts); return []; }
    return reactTo(consumer, tx, facts, this.options);
  }

  private async decode(consumer: Exclude<Consumer, { kind: 'records' }>, tx: Tx, records: readonly FeedRecord[]): Promise<Fact[]> {
    const { codec } = this.options.store;
    // A type that only a newer release knows is passed over; a type that is known and cannot be read is an error.
    const known = records.filter(({ headers }) => codec.knows(headers['ce_type'] ?? ''));
    const names = consumer.kind === 'projector' ? new Set(consumer.events) : new Set(Object.keys(consumer.on));
    const wanted = known.filter(({ headers }) => names.has(codec.nameOf(headers['ce_type']!)));
    return codec.decodeAll(tx, wanted.map((record) => jsonOf(record) as object));
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
    return this.park(consumer, checkpoint, record, reason);
  }

  private async park(consumer: Consumer, checkpoint: Checkpoint, record: FeedRecord, reason: string): Promise<true> {
    const name = consumerName(consumer);
    const { after } = followChain(checkpoint, [record], this.isPublished);
    await this.options.store.database.transaction({ role: 'worker' }, async (tx) => {
      await this.parking.park(tx, name, record, reason);
      await this.checkpoints.advance(tx, checkpoint, after);
    });
    Object.assign(checkpoint, after, { takeovers: 0 });
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
const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, milliseconds); });
