import { microsNumberOfText } from '@valueverse/kernel';
import { consumerName, type FeedRecord, type RecordProjector, type Tx } from '@valueverse/event-log';
import { decideCorrections, type Corrected } from '../corrections/correct';
import { indexEnvelopes } from './buckets';
import { lockHead, moveHead, placed, readEnvelope, unknownEnvelopes, writeEnvelopes, type CopyHead, type FreshEnvelope } from './copy';
import { countInto, type Rules } from './count';
import { findClashes, type Occurrence } from './dedupe';
import { rulesOf, type Meter, type MeterRule } from './domain/measure';
import { exceptionOf, listExceptions, refusedCorrection } from './exceptions';
import { KeyDays, type KeysOfPartition } from './key-days';
import { SeriesIndex } from './series';
import { takeBack } from './take-back';
import { LATE_MICROS, type UsageMeter } from '../usage-meter';

/** What is parsed and counted at a time, so that a long run of records needs no more memory than a short one. */
const SLICE_CHARACTERS_MAX = 2_000_000;

/** The events of envelopes one by one, in the order of the log. */
export const occurrencesIn = (partition: number, envelopes: readonly FreshEnvelope[]): Occurrence[] => envelopes.flatMap(({ envelope, position, logTime }) =>
  envelope.events.map((event, nth) => ({ tenant: envelope.tenant, event, micros: microsNumberOfText(event.time), partition, position, nth, logTime })));

/** The meters that follow the head of a partition, by tenant. One that is still being back-filled counts there by its job alone. */
const followingRules = async (tx: Tx, partition: number, tenants: readonly string[]): Promise<Rules> => {
  const { rows } = await tx.query<{ tenant: string; version: number; row: Meter }>(
    `SELECT p.tenant, p.version, m.row FROM usage_meter_progress p JOIN meters m ON m.tenant = p.tenant AND m.key = p.meter
     WHERE p.partition = $1 AND p.position IS NULL AND p.tenant = ANY($2)`, [partition, tenants]);
  const rules = new Map<string, MeterRule[]>();
  for (const { tenant, version, row } of rows) {
    const rule = rulesOf(row).find((one) => one.version === version);
    if (rule !== undefined) rules.set(tenant, [...(rules.get(tenant) ?? []), rule]);
  }
  return rules;
};

/** What a process remembers between batches. */
interface Memory { readonly series: SeriesIndex; readonly days: KeyDays }

/** The first instant that each envelope is about: of its events, and of those that it takes back or replaces. */
const earliestIn = (fresh: readonly FreshEnvelope[], all: readonly Occurrence[], corrected: readonly Corrected[]): number[] => {
  const first = fresh[0]!.position;
  const earliest = fresh.map(() => Number.MAX_SAFE_INTEGER);
  const see = (position: number, micros: number): void => { if (micros < earliest[position - first]!) earliest[position - first] = micros; };
  for (const { position, micros } of all) see(position, micros);
  for (const { occurrence, replaced } of corrected) if (replaced !== undefined) see(occurrence.position, replaced.micros);
  return earliest;
};

const takeIn = async (tx: Tx, head: CopyHead, records: readonly FeedRecord[], rules: Rules, memory: Memory, keys: KeysOfPartition, meter: UsageMeter | undefined): Promise<CopyHead> => {
  const read = records.map((record) => ({ envelope: readEnvelope(record), body: record.value }));
  const fresh = placed(head, await unknownEnvelopes(tx, read));
  if (fresh.length === 0) return head;
  const all = occurrencesIn(head.partition, fresh);
  const occurrences = all.filter(({ event }) => event.correction === undefined);
  const clashes = await findClashes(tx, keys, occurrences);
  const corrected = await decideCorrections(tx, keys, all.filter(({ event }) => event.correction !== undefined), fresh);
  const dropped = new Set(clashes.filter(({ code }) => code !== 'id_reused').map(({ occurrence }) => occurrence));
  const idle = corrected.filter(({ occurrence, refused }) => refused !== undefined || occurrence.event.correction!.kind === 'void').map(({ occurrence }) => occurrence);
  for (const { position, nth } of [...dropped, ...idle]) fresh[position - fresh[0]!.position]!.notCounted.push(nth);
  for (const { notCounted } of fresh) notCounted.sort((a, b) => a - b);
  const replacements = corrected.filter(({ occurrence }) => !idle.includes(occurrence)).map(({ occurrence }) => occurrence);
  const counted = dropped.size === 0 && replacements.length === 0 ? occurrences : [...occurrences.filter((occurrence) => !dropped.has(occurrence)), ...replacements];
  const next = await writeEnvelopes(tx, head, fresh, earliestIn(fresh, all, corrected));
  await indexEnvelopes(tx, counted);
  const exceptions = await countInto(tx, memory.series, head.partition, counted, rules);
  await takeBack(tx, memory.series, head.partition, corrected.flatMap(({ replaced }) => replaced ?? []));
  await listExceptions(tx, [...corrected.flatMap(refusedCorrection), ...clashes.map(exceptionOf), ...exceptions]);
  tx.afterCommit(() => meter?.metered({
    counted: counted.length, duplicate: clashes.filter(({ code }) => code === 'duplicate').length, conflict: clashes.filter(({ code }) => code === 'conflict').length,
    late: counted.filter(({ micros, logTime }) => logTime - micros > LATE_MICROS).length, received: fresh.map(({ envelope }) => envelope.recordedAt),
  }));
  return next;
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
 * Everything here is found by its key, a few rows among very many. Without statistics, as in a table that has just begun to fill, the planner would rather read all of it.
 */
const BY_INDEX_SQL = 'SET LOCAL enable_seqscan TO off; SET LOCAL enable_hashjoin TO off; SET LOCAL enable_mergejoin TO off';

const project = async (tx: Tx, records: readonly FeedRecord[], memory: Memory, meter: UsageMeter | undefined): Promise<void> => {
  await tx.query(BY_INDEX_SQL);
  const partitions = [...new Set(records.map(({ partition }) => partition))].sort((a, b) => a - b);
  for (const partition of partitions) {
    const own = records.filter((record) => record.partition === partition);
    let head = await lockHead(tx, partition);
    // After the lock: a meter that begins to follow does so while it holds the partition.
    const rules = await followingRules(tx, partition, [...new Set(own.map(({ headers }) => headers['ce_tenant'] ?? ''))]);
    const before = head.position;
    const keys = memory.days.of(partition, before);
    for (const slice of slices(own)) head = await takeIn(tx, head, slice, rules, memory, keys, meter);
    if (head.position === before) continue;
    await moveHead(tx, head);
    const { position } = head;
    tx.afterCommit(() => { keys.committed(position); });
  }
};

/** A key was there that no filter knew of, or a number that was remembered is gone: what is remembered is read anew, and the batch is tried again. */
const UNIQUE_VIOLATION = '23505';

/** Takes usage events into metering's copy and counts them, in the transaction of its checkpoint. */
export const meteringProjector = (meter?: UsageMeter): RecordProjector => {
  const memory: Memory = { series: new SeriesIndex(), days: new KeyDays() };
  return {
    kind: 'records', name: 'metering', version: 1, topics: ['usage.events'],
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
