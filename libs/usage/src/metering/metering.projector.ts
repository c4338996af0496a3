import { microsNumberOfText } from '@valueverse/kernel';
import { consumerName, type FeedRecord, type RecordProjector, type Tx } from '@valueverse/event-log';
import type { Envelope } from '../ingest/domain/usage-event';
import { type Corrected, decideCorrections } from '../corrections/correct';
import { LATE_MICROS, type UsageMeter } from '../usage-meter';
import { indexEnvelopes } from './buckets';
import { type CopyHead, type FreshEnvelope, type KnownLogTime, lockHeads, moveHeads, placed, type PlacedEnvelope, readEnvelope, unknownEnvelopes, writeEnvelopes } from './copy';
import { countInto, type Rules } from './count';
import { findClashes, type Occurrence } from './dedupe';
import { type Meter, type MeterRule, rulesOf } from './domain/measure';
import { exceptionOf, listExceptions, refusedCorrection } from './exceptions';
import { KeyDays, type KeysOfBatch } from './key-days';
import { Pace } from './pace';
import { rebuildMeteringBy } from '../rebuild/rebuild-metering';
import { REBUILT_TABLES } from '../rebuild/shadow-tables';
import { SeriesIndex } from './series';
import { takeBack } from './take-back';

/** What is parsed and counted at a time, so that a long run of records needs no more memory than a short one: some 8,000 events. Of more, the collector of garbage has more to carry about. */
const SLICE_CHARACTERS_MAX = 2_000_000;

const envelopesOf = async (records: readonly FeedRecord[]): Promise<{ envelope: Envelope; body: string; partition: number }[]> => {
  const given = [];
  const pace = new Pace();
  for (const record of records) {
    const envelope = readEnvelope(record);
    given.push({ envelope, body: record.value, partition: record.partition });
    if (pace.isOver(envelope.events.length)) await pace.giveWay();
  }
  return given;
};

/** The events of envelopes one by one, in the order of the log. */
export const occurrencesIn = (envelopes: readonly PlacedEnvelope[]): Occurrence[] => {
  const all: Occurrence[] = [];
  for (const { envelope: { tenant, events }, partition, position, logTime, keyDay, lastKeyDay } of envelopes) {
    for (let nth = 0; nth < events.length; nth++) all.push({ tenant, event: events[nth]!, micros: microsNumberOfText(events[nth]!.time), partition, position, nth, logTime, keyDay, lastKeyDay });
  }
  return all;
};

/** Notes the first instant that each envelope is about. */
const noteEarliest = (envelopes: ReadonlyMap<string, FreshEnvelope>, all: readonly Occurrence[], corrected: readonly Corrected[]): void => {
  let envelope: FreshEnvelope | undefined;
  for (const { partition, position, micros } of all) {
    if (envelope?.position !== position || envelope.partition !== partition) envelope = envelopes.get(placeName(partition, position))!;
    if (micros < envelope.earliest) envelope.earliest = micros;
  }
  for (const { occurrence, replaced } of corrected) {
    const correcting = envelopes.get(placeName(occurrence.partition, occurrence.position))!;
    if (replaced !== undefined && replaced.micros < correcting.earliest) correcting.earliest = replaced.micros;
  }
};
const placeName = (partition: number, position: number): string => `${partition} ${position}`;

/** Partition -> the meters that follow its head, by tenant. One that is still being back-filled counts there by its job alone. */
const followingRules = async (tx: Tx, partitions: readonly number[], tenants: readonly string[]): Promise<ReadonlyMap<number, Rules>> => {
  const { rows } = await tx.query<{ tenant: string; version: number; partitions: number[]; row: Meter }>(
    `SELECT p.tenant, p.version, p.partitions, m.row FROM
       (SELECT tenant, meter, version, array_agg(partition) AS partitions FROM usage_meter_progress WHERE partition = ANY($1) AND position IS NULL AND tenant = ANY($2) GROUP BY 1, 2, 3) p
     JOIN meters m ON m.tenant = p.tenant AND m.key = p.meter`, [partitions, tenants]);
  const rules = new Map(partitions.map((partition) => [partition, new Map<string, MeterRule[]>()]));
  for (const { tenant, version, partitions: following, row } of rows) {
    const rule = rulesOf(row).find((one) => one.version === version);
    if (rule === undefined) continue;
    for (const partition of following) {
      const own = rules.get(partition)!.get(tenant);
      if (own === undefined) rules.get(partition)!.set(tenant, [rule]);
      else own.push(rule);
    }
  }
  return rules;
};

/** What a process remembers between batches, and the log times that are known where they were given before. */
interface Memory { readonly series: SeriesIndex; readonly days: KeyDays; readonly knownLogTime: KnownLogTime | undefined }
/** What a batch stands on: the ends of its partitions, which it holds, the rules that count there, and the keys that are known. */
interface Ground { readonly heads: ReadonlyMap<number, CopyHead>; readonly rules: ReadonlyMap<number, Rules>; readonly keys: KeysOfBatch; readonly memory: Memory; readonly meter: UsageMeter | undefined }

/** Items by their partition, in the order in which they came. */
const byPartition = <T extends { readonly partition: number }>(items: readonly T[]): Map<number, T[]> => Map.groupBy(items, ({ partition }) => partition);

/** Decides the corrections of each partition, after the keys of its plain events are known. */
const decideAll = async (tx: Tx, keys: KeysOfBatch, corrections: readonly Occurrence[], fresh: readonly FreshEnvelope[]): Promise<Corrected[]> => {
  const decided: Corrected[] = [];
  for (const [partition, own] of byPartition(corrections)) decided.push(...await decideCorrections(tx, keys, own, fresh.filter((envelope) => envelope.partition === partition)));
  return decided;
};

/** Writes whose end is waited for later: while the database is at one of them the next one is made ready. */
class Writes {
  private readonly all: Promise<void>[] = [];
  begun(write: Promise<void>): void {
    // Whoever waits for the end of all of them is told.
    write.catch(() => undefined);
    this.all.push(write);
  }
  async ended(): Promise<void> { await Promise.all(this.all); }
}

const takeIn = async (tx: Tx, records: readonly FeedRecord[], { heads, rules, keys, memory, meter }: Ground): Promise<void> => {
  const unknown = await unknownEnvelopes(tx, await envelopesOf(records));
  const fresh = [...byPartition(unknown)].flatMap(([partition, own]) => placed(heads.get(partition)!, own, memory.knownLogTime));
  if (fresh.length === 0) return;
  const all = occurrencesIn(fresh);
  const occurrences = all.filter(({ event }) => event.correction === undefined);
  const writes = new Writes();
  const { clashes, written } = await findClashes(tx, keys, occurrences);
  writes.begun(written);
  const corrections = all.filter(({ event }) => event.correction !== undefined);
  // They may be of events of this list, which are found by their keys.
  if (corrections.length > 0) await written;
  const corrected = await decideAll(tx, keys, corrections, fresh);
  const dropped = new Set(clashes.filter(({ code }) => code !== 'id_reused').map(({ occurrence }) => occurrence));
  const idle = corrected.filter(({ occurrence, refused }) => refused !== undefined || occurrence.event.correction!.kind === 'void').map(({ occurrence }) => occurrence);
  const envelopes = new Map(fresh.map((envelope) => [placeName(envelope.partition, envelope.position), envelope]));
  for (const { partition, position, nth } of [...dropped, ...idle]) envelopes.get(placeName(partition, position))!.notCounted.push(nth);
  for (const { notCounted } of fresh) notCounted.sort((a, b) => a - b);
  const replacements = corrected.filter(({ occurrence }) => !idle.includes(occurrence)).map(({ occurrence }) => occurrence);
  const replacing = new Set(replacements);
  // In the order of the log: which combinations of dimensions a subject has too many of goes by it.
  const counted = dropped.size === 0 && replacing.size === 0 ? occurrences : all.filter((occurrence) => (occurrence.event.correction === undefined ? !dropped.has(occurrence) : replacing.has(occurrence)));
  noteEarliest(envelopes, all, corrected);
  writes.begun(writeEnvelopes(tx, heads, fresh));
  writes.begun(indexEnvelopes(tx, counted));
  const exceptions = await countInto(tx, memory.series, [...byPartition(counted)].map(([partition, own]) => ({ partition, occurrences: own, rules: rules.get(partition)! })));
  await listExceptions(tx, [...corrected.flatMap(refusedCorrection), ...clashes.map(exceptionOf), ...exceptions]);
  await writes.ended();
  for (const [partition, replaced] of byPartition(corrected.flatMap((one) => one.replaced ?? []))) await takeBack(tx, memory.series, partition, replaced);
  tx.afterCommit(() => meter?.metered({
    counted: counted.length, duplicate: clashes.filter(({ code }) => code === 'duplicate').length, conflict: clashes.filter(({ code }) => code === 'conflict').length,
    too_many_groups: exceptions.filter(({ code }) => code === 'too_many_groups').length,
    late: counted.filter(({ micros, logTime }) => logTime - micros > LATE_MICROS).length, received: fresh.map(({ envelope }) => envelope.recordedAt),
    ahead: fresh.filter(({ clockFault }) => clockFault === 'ahead').length, behind: fresh.filter(({ clockFault }) => clockFault === 'behind').length,
  }));
};

const slices = (records: readonly FeedRecord[]): FeedRecord[][] => {
  const all: FeedRecord[][] = [];
  let characters = SLICE_CHARACTERS_MAX;
  for (const record of records) {
    if (characters >= SLICE_CHARACTERS_MAX) { all.push([]); characters = 0; }
    all.at(-1)!.push(record);
    characters += record.value.length;
  }
  return all;
};

/**
 * Everything here is found by its key, a few rows among very many. Without statistics, as in a table that has just begun to fill, the planner would rather read all of it. The commit is
 * waited for like any other: numbers of series and days of keys are remembered in this process after it, and must not outlive the rows that they are of when PostgreSQL dies alone.
 */
const BY_INDEX_SQL = 'SET LOCAL enable_hashjoin TO off; SET LOCAL enable_mergejoin TO off';

const project = async (tx: Tx, records: readonly FeedRecord[], memory: Memory, meter: UsageMeter | undefined): Promise<void> => {
  await tx.query(BY_INDEX_SQL);
  const partitions = [...new Set(records.map(({ partition }) => partition))].sort((a, b) => a - b);
  const locked = await lockHeads(tx, partitions);
  // After the lock: a meter that begins to follow does so while it holds the partition.
  const rules = await followingRules(tx, partitions, [...new Set(records.map(({ headers }) => headers['ce_tenant'] ?? ''))]);
  const before = new Map(locked.map(({ partition, position }) => [partition, position]));
  const ground: Ground = { heads: new Map(locked.map((head) => [head.partition, head])), rules, keys: memory.days.of(before), memory, meter };
  for (const slice of slices(records)) await takeIn(tx, slice, ground);
  const moved = locked.filter(({ partition, position }) => position !== before.get(partition));
  if (moved.length === 0) return;
  await moveHeads(tx, moved);
  tx.afterCommit(() => { ground.keys.committed(new Map(moved.map(({ partition, position }) => [partition, position]))); });
};

/** A key was there that no filter knew of, or a number that was remembered is gone: what is remembered is read anew, and the batch is tried again. */
const UNIQUE_VIOLATION = '23505';

/** Takes usage events into metering's copy and counts them, in the transaction of its checkpoint. `knownLogTime` is of a copy that is made again. */
export const meteringProjector = (meter?: UsageMeter, knownLogTime?: KnownLogTime): RecordProjector => {
  const memory: Memory = { series: new SeriesIndex(), days: new KeyDays(), knownLogTime };
  return {
    kind: 'records', name: 'metering', version: 1, topics: ['usage.events'], together: true,
    tables: REBUILT_TABLES, rebuild: rebuildMeteringBy((known) => meteringProjector(undefined, known)),
    project: async (tx, records) => {
      try {
        await project(tx, records, memory, meter);
      } catch (error) {
        if ((error as { code?: unknown }).code === UNIQUE_VIOLATION) memory.days.distrust();
        throw error;
      }
    },
  };
};
/** The name of its checkpoints. */
export const METERING_CONSUMER = consumerName(meteringProjector());
