import type { Tx } from '@valueverse/event-log';
import { BUCKET_MICROS, bucketOf, type Stretch, united } from '../metering/domain/bucket';
import { tieOf } from '../metering/domain/deltas';
import type { MeterRule } from '../metering/domain/measure';
import { Tally } from '../metering/domain/tally';
import { cellIn, type CellRow, differingCells, freshTally, type NamedCells, storedTally } from '../metering/compared-cells';
import { countedBy, visitEvents } from '../query/copy-reader';
import { type SealedTally, tallyOf } from './domain/seal';
import { hashesNow, type Seal, sealsAround } from './seals';

/** `seal_altered`: the seal is not what its hash says, or envelopes are gone that it does not know. `bucket_altered`: a bucket is not what its seals and the envelopes that are left come to. */
export const SEAL_FAULTS = ['seal_altered', 'bucket_altered'] as const;
export interface SealFault { readonly subject: string; readonly bucket: number; readonly code: (typeof SEAL_FAULTS)[number]; readonly meterKey: string | null }

const SEALS_AT_ONCE = 200;

/** The buckets of a rule that a quarter of an hour is in. */
const around = ({ settings: { bucketMicros: length } }: MeterRule, quarter: number): Stretch => ({ from: bucketOf(quarter, length), to: bucketOf(quarter + BUCKET_MICROS - 1, length) + length });

/** All that has to be read to know the buckets that seals are about: stretches of each subject that do not overlap. */
const stretchesOf = (rules: readonly MeterRule[], seals: readonly Seal[]): { subject: string; from: number; to: number }[] => {
  const bySubject = new Map<string, Stretch[]>();
  for (const { subject, bucket } of seals) bySubject.set(subject, [...(bySubject.get(subject) ?? []), { from: bucket, to: bucket + BUCKET_MICROS }, ...rules.map((rule) => around(rule, bucket))]);
  return [...bySubject].flatMap(([subject, own]) => united(own).map((stretch) => ({ subject, ...stretch })));
};

/** What the buckets have to be: what is sealed, and what the envelopes hold that are left. */
const expectedCells = async (tx: Tx, tenant: string, rules: readonly MeterRule[], stretches: readonly { subject: string; from: number; to: number }[]): Promise<NamedCells> => {
  const cells: NamedCells = new Map();
  const meters = new Set(rules.map(({ key }) => key));
  for (const { subject, tallies } of await sealsAround(tx, tenant, stretches)) {
    for (const sealed of JSON.parse(tallies) as SealedTally[]) if (meters.has(sealed.meter)) cellIn(cells, { subject, ...sealed }, () => new Tally(sealed.fold, sealed.moment !== null)).merge(tallyOf(sealed));
  }
  await visitEvents(tx, tenant, stretches, (_, counted) => {
    const { event, micros } = counted;
    for (const rule of rules) {
      const found = countedBy([rule], counted);
      if (found === undefined) continue;
      const named = { subject: event.subject, meter: rule.key, version: rule.version, groups: found.groups, bucket: bucketOf(micros, rule.settings.bucketMicros) };
      cellIn(cells, named, () => freshTally(rule)).add(found.measured.value, micros, tieOf(event), found.measured.different);
    }
  }, { isProof: true });
  return cells;
};

interface StoredRow extends CellRow { subject: string; meter: string; version: number; groups: string; bucket: bigint }

/** What the buckets are. */
const storedCells = async (tx: Tx, tenant: string, rules: readonly MeterRule[], stretches: readonly { subject: string; from: number; to: number }[]): Promise<NamedCells> => {
  const { rows } = await tx.query<StoredRow & Record<string, unknown>>(
    `SELECT s.subject, s.meter, s.version, s.groups, b.bucket, b.events, b.total::text, b.moment::text, b.at, b.tie,
       (SELECT json_agg(json_build_array(encode(v.value, 'hex'), v.events)) FROM usage_bucket_values v WHERE v.series = b.series AND v.bucket = b.bucket) AS values
     FROM unnest($2::text[], $3::bigint[], $4::bigint[]) g(subject, first, until) JOIN usage_series s ON s.tenant = $1 AND s.meter = ANY($5) AND s.subject = g.subject
     JOIN usage_buckets b ON b.series = s.series AND b.bucket >= g.first AND b.bucket < g.until`,
    [tenant, stretches.map(({ subject }) => subject), stretches.map(({ from }) => from), stretches.map(({ to }) => to), [...new Set(rules.map(({ key }) => key))]]);
  const ruleOf = new Map(rules.map((rule) => [`${rule.version} ${rule.key}`, rule]));
  const cells: NamedCells = new Map();
  for (const row of rows) {
    const rule = ruleOf.get(`${row.version} ${row.meter}`);
    if (rule !== undefined) cellIn(cells, { ...row, bucket: Number(row.bucket) }, () => storedTally(rule, row));
  }
  return cells;
};

const faultsIn = async (tx: Tx, tenant: string, rules: readonly MeterRule[], seals: readonly Seal[]): Promise<SealFault[]> => {
  const hashes = await hashesNow(tx, tenant, seals);
  const altered = seals.filter(({ hash }, nth) => hash !== hashes[nth]).map(({ subject, bucket }): SealFault => ({ subject, bucket, code: 'seal_altered', meterKey: null }));
  const stretches = stretchesOf(rules, seals);
  const [expected, stored] = [await expectedCells(tx, tenant, rules, stretches), await storedCells(tx, tenant, rules, stretches)];
  const wrong = differingCells(expected, stored);
  const lengths = new Map(rules.map((rule) => [rule.key, rule.settings.bucketMicros]));
  return [...altered, ...seals.flatMap(({ subject, bucket }) => wrong
    .filter((named) => named.subject === subject && named.bucket < bucket + BUCKET_MICROS && named.bucket + (lengths.get(named.meter) ?? BUCKET_MICROS) > bucket)
    .map(({ meter }): SealFault => ({ subject, bucket, code: 'bucket_altered', meterKey: meter })))];
};

/** Compares seals with their hashes, and the buckets that they are about with what is sealed and what is left, for these rules: all versions of their meters. */
export const faultsOfSeals = async (tx: Tx, tenant: string, rules: readonly MeterRule[], seals: readonly Seal[]): Promise<SealFault[]> => {
  const faults: SealFault[] = [];
  for (let start = 0; start < seals.length; start += SEALS_AT_ONCE) faults.push(...await faultsIn(tx, tenant, rules, seals.slice(start, start + SEALS_AT_ONCE)));
  return faults;
};
