import { microsNumberOfText } from '@valueverse/kernel';
import { consumerName, type FeedRecord, type RecordProjector, type Tx } from '@valueverse/event-log';
import { growBuckets, indexEnvelopes } from './buckets';
import { lockHead, moveHead, placed, readEnvelope, unknownEnvelopes, writeEnvelopes, type CopyHead, type FreshEnvelope } from './copy';
import { findClashes, type Occurrence } from './dedupe';
import { Deltas } from './domain/deltas';
import { ruleOf, type MeterDefinition, type MeterRule } from './domain/measure';
import { exceptionOf, excluded, listExceptions, type UsageException } from './exceptions';
import { LATE_MICROS, type UsageMeter } from '../usage-meter';

/** What is parsed and counted at a time, so that a long run of records needs no more memory than a short one. */
const SLICE_CHARACTERS_MAX = 2_000_000;

type Rules = ReadonlyMap<string, readonly MeterRule[]>;

/** The events of envelopes one by one, in the order of the log. */
export const occurrencesIn = (partition: number, envelopes: readonly FreshEnvelope[]): Occurrence[] => envelopes.flatMap(({ envelope, position, logTime }) =>
  envelope.events.map((event, nth) => ({ tenant: envelope.tenant, event, micros: microsNumberOfText(event.time), partition, position, nth, logTime })));

/** Counts events for the meters of their tenants: what buckets grow by, and the events whose value is none for a meter. */
export const count = (occurrences: readonly Occurrence[], rules: Rules): { deltas: Deltas; exceptions: UsageException[] } => {
  const deltas = new Deltas();
  const exceptions: UsageException[] = [];
  for (const occurrence of occurrences) {
    const invalid = deltas.add(occurrence.tenant, occurrence.event, occurrence.micros, rules.get(occurrence.tenant) ?? []);
    if (invalid.length > 0) exceptions.push(...excluded(occurrence, invalid));
  }
  return { deltas, exceptions };
};

/** The meters that follow the head of a partition, by tenant. One that is still being back-filled counts there by its job alone. */
const followingRules = async (tx: Tx, partition: number, tenants: readonly string[]): Promise<Rules> => {
  const { rows } = await tx.query<{ tenant: string; row: MeterDefinition }>(
    `SELECT p.tenant, m.row FROM usage_meter_progress p JOIN meters m ON m.tenant = p.tenant AND m.key = p.meter
     WHERE p.partition = $1 AND p.position IS NULL AND p.tenant = ANY($2)`, [partition, tenants]);
  const rules = new Map<string, MeterRule[]>();
  for (const { tenant, row } of rows) rules.set(tenant, [...(rules.get(tenant) ?? []), ruleOf(row)]);
  return rules;
};

const takeIn = async (tx: Tx, head: CopyHead, records: readonly FeedRecord[], rules: Rules, meter: UsageMeter | undefined): Promise<CopyHead> => {
  const read = records.map((record) => ({ envelope: readEnvelope(record), body: record.value }));
  const fresh = placed(head, await unknownEnvelopes(tx, read));
  if (fresh.length === 0) return head;
  const occurrences = occurrencesIn(head.partition, fresh);
  const clashes = await findClashes(tx, occurrences);
  const dropped = new Set(clashes.filter(({ code }) => code !== 'id_reused').map(({ occurrence }) => occurrence));
  for (const { position, nth } of dropped) fresh[position - fresh[0]!.position]!.notCounted.push(nth);
  for (const { notCounted } of fresh) notCounted.sort((a, b) => a - b);
  const counted = dropped.size === 0 ? occurrences : occurrences.filter((occurrence) => !dropped.has(occurrence));
  const { deltas, exceptions } = count(counted, rules);
  const next = await writeEnvelopes(tx, head, fresh);
  await indexEnvelopes(tx, counted);
  await growBuckets(tx, deltas.all);
  await listExceptions(tx, [...clashes.map(exceptionOf), ...exceptions]);
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

const project = async (tx: Tx, records: readonly FeedRecord[], meter: UsageMeter | undefined): Promise<void> => {
  const partitions = [...new Set(records.map(({ partition }) => partition))].sort((a, b) => a - b);
  for (const partition of partitions) {
    const own = records.filter((record) => record.partition === partition);
    let head = await lockHead(tx, partition);
    // After the lock: a meter that begins to follow does so while it holds the partition.
    const rules = await followingRules(tx, partition, [...new Set(own.map(({ headers }) => headers['ce_tenant'] ?? ''))]);
    const before = head.position;
    for (const slice of slices(own)) head = await takeIn(tx, head, slice, rules, meter);
    if (head.position > before) await moveHead(tx, head);
  }
};

/** Takes usage events into metering's copy and counts them, in the transaction of its checkpoint. */
export const meteringProjector = (meter?: UsageMeter): RecordProjector =>
  ({ kind: 'records', name: 'metering', version: 1, topics: ['usage.events'], project: (tx, records) => project(tx, records, meter) });
/** The name of its checkpoints. */
export const METERING_CONSUMER = consumerName(meteringProjector());
