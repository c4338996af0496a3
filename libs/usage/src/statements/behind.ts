import { Decimal, instantFromMicros, partitionOf } from '@valueverse/kernel';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import type { Tx } from '@valueverse/event-log';
import { BUCKET_MICROS, bucketOf } from '../metering/domain/bucket';
import { tieOf } from '../metering/domain/deltas';
import type { MeterRule } from '../metering/domain/measure';
import { Tallies } from '../metering/domain/tallies';
import { valueOfBucket } from '../metering/domain/bucket-value';
import { countedBy, type CountedEvent, readEnvelopes, type UpTo, visitEvents } from '../query/copy-reader';
import { type SealedTally, tallyOf } from '../retention/domain/seal';
import { assertKept } from '../retention/missed';
import { sealsAround } from '../retention/seals';
import { stretchesOf } from './domain/evidence';
import type { StatementData } from './domain/statement';

/** A place in what is behind a statement: its spans in order, in each the buckets, in each the envelopes, in each the events. */
export interface BehindPlace { readonly span: number; readonly bucket: number; readonly position: number; readonly nth: number }
export const BEFORE_ALL: BehindPlace = { span: -1, bucket: 0, position: 0, nth: -1 };

export interface BehindBucket {
  readonly place: BehindPlace;
  readonly subject: string;
  readonly from: string;
  readonly to: string;
  /** It has lost envelopes by retention: what is not left of it is what its seal says, in whole quarters of an hour. */
  readonly sealed: boolean;
  readonly quantities: readonly { readonly groupBy: Readonly<Record<string, string>>; readonly value: string; readonly events: number }[];
}
export interface BehindEvent {
  readonly place: BehindPlace;
  readonly found: CountedEvent;
  readonly value: string | null;
  readonly groupBy: Readonly<Record<string, string>>;
}

interface Span { readonly subject: string; readonly partition: number; readonly from: number; readonly to: number; readonly upTo: number }

const spansOf = (tenant: string, statement: StatementData): Span[] => stretchesOf(statement).map((stretch) => {
  const partition = partitionOf(tenant, stretch.subject, USAGE_PARTITIONS);
  return { ...stretch, partition, upTo: Number(statement.asOf[String(partition)] ?? 0) };
});
const upToOf = ({ asOf }: StatementData): UpTo => new Map(Object.entries(asOf).map(([partition, position]) => [Number(partition), Number(position)]));
const columnsOf = (spans: readonly Span[]): unknown[] => [
  spans.map(({ subject }) => subject), spans.map(({ from }) => from - (from % BUCKET_MICROS)), spans.map(({ to }) => to), spans.map(({ upTo }) => upTo),
  spans.map(({ partition }) => partition)];
const clipped = (span: Span, bucket: number): { subject: string; from: number; to: number } =>
  ({ subject: span.subject, from: Math.max(span.from, bucket), to: Math.min(span.to, bucket + BUCKET_MICROS) });

const PLACES_PER_LOOK = 200;

/** Adds what is sealed to the tallies of whole quarters of an hour; answers which of the stretches are in sealed ones. */
const addSealed = async (tx: Tx, tenant: string, meterKey: string, stretches: readonly { subject: string; from: number; to: number }[], tallies: readonly Tallies[]): Promise<ReadonlySet<number>> => {
  const seals = new Map((await sealsAround(tx, tenant, stretches)).map((seal) => [`${seal.bucket} ${seal.subject}`, seal]));
  const found = new Set<number>();
  for (const [index, { subject, from, to }] of stretches.entries()) {
    const seal = seals.get(`${bucketOf(from)} ${subject}`);
    if (seal === undefined) continue;
    found.add(index);
    if (to - from !== BUCKET_MICROS) continue;
    for (const part of JSON.parse(seal.tallies) as SealedTally[]) if (part.meter === meterKey) tallies[index]!.at(part.groups).merge(tallyOf(part));
  }
  return found;
};

/** The next buckets behind a statement with their quantities as of its positions, from the envelopes: what came later is not in them. */
export const bucketsBehind = async (tx: Tx, tenant: string, statement: StatementData, rules: readonly MeterRule[], after: BehindPlace, limit: number): Promise<BehindBucket[]> => {
  const spans = spansOf(tenant, statement);
  const rule = rules.at(-1)!;
  const upTo = upToOf(statement);
  const found: BehindBucket[] = [];
  for (let at = after; ;) {
    const { rows } = await tx.query<{ span: bigint; bucket: bigint }>(
      `SELECT DISTINCT g.span, x.bucket FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::int[]) WITH ORDINALITY g(subject, first, until, up_to, partition, span)
       JOIN usage_bucket_envelopes x ON x.partition = g.partition AND x.tenant = $1 AND x.subject = g.subject AND x.bucket >= g.first AND x.bucket < g.until AND x.position <= g.up_to
       WHERE (g.span, x.bucket) > ($7, $8) ORDER BY 1, 2 LIMIT $9`, [tenant, ...columnsOf(spans), at.span + 1, at.bucket, PLACES_PER_LOOK]);
    const places = rows.map((row) => ({ span: Number(row.span) - 1, bucket: Number(row.bucket), position: 0, nth: 0 }));
    const stretches = places.map(({ span, bucket }) => clipped(spans[span]!, bucket));
    const tallies = places.map(() => new Tallies(rule));
    const sealed = await addSealed(tx, tenant, rule.key, stretches, tallies);
    await visitEvents(tx, tenant, stretches, (index, counted) => {
      const found = countedBy(rules, counted);
      if (found !== undefined) tallies[index]!.at(found.groups).add(found.measured.value, counted.micros, tieOf(counted.event), found.measured.different);
    }, { upTo });
    for (const [index, place] of places.entries()) {
      const { subject, from, to } = stretches[index]!;
      // Of one bucket the sum, count, least, greatest or latest; where a quantity is a mean or a rank, its parts are said.
      const quantities = tallies[index]!.entries().map(([groups, tally]) => ({ groupBy: JSON.parse(groups) as Record<string, string>, value: valueOfBucket(rule, tally), events: tally.events }));
      if (quantities.length > 0) found.push({ place, subject, from: instantFromMicros(from), to: instantFromMicros(to), sealed: sealed.has(index), quantities });
      if (found.length === limit) return found;
    }
    if (places.length < PLACES_PER_LOOK) return found;
    at = places.at(-1)!;
  }
};

/** The next events behind a statement: exactly those that its quantities count. Refuses with `usage_dropped` where retention has dropped some. */
export const eventsBehind = async (tx: Tx, tenant: string, statement: StatementData, rules: readonly MeterRule[], after: BehindPlace, limit: number): Promise<BehindEvent[]> => {
  const spans = spansOf(tenant, statement);
  await assertKept(tx, tenant, spans);
  const valuesAreNumbers = rules.at(-1)!.aggregation.value === 'number';
  const found: BehindEvent[] = [];
  for (let at = after; ;) {
    const { rows } = await tx.query<{ span: bigint; bucket: bigint; partition: number; position: bigint }>(
      `SELECT g.span, x.bucket, x.partition, x.position FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::int[]) WITH ORDINALITY g(subject, first, until, up_to, partition, span)
       JOIN usage_bucket_envelopes x ON x.partition = g.partition AND x.tenant = $1 AND x.subject = g.subject AND x.bucket >= g.first AND x.bucket < g.until AND x.position <= g.up_to
       WHERE (g.span, x.bucket, x.position) >= ($7, $8, $9) ORDER BY 1, 2, 4 LIMIT $10`, [tenant, ...columnsOf(spans), at.span + 1, at.bucket, at.position, PLACES_PER_LOOK]);
    const places = rows.map((row) => ({ span: Number(row.span) - 1, bucket: Number(row.bucket), partition: row.partition, position: Number(row.position) }));
    const envelopes = new Map((await readEnvelopes(tx, tenant, uniquePlaces(places), { upTo: upToOf(statement) })).map((envelope) => [`${envelope.partition}/${envelope.position}`, envelope]));
    for (const { span, bucket, partition, position } of places) {
      const { subject, from, to } = clipped(spans[span]!, bucket);
      const isWhereWeAre = span === at.span && bucket === at.bucket && position === at.position;
      for (const counted of envelopes.get(`${partition}/${position}`)?.events ?? []) {
        const { event, micros, nth } = counted;
        if (event.subject !== subject || micros < from || micros >= to || (isWhereWeAre && nth <= at.nth)) continue;
        const own = countedBy(rules, counted);
        if (own === undefined) continue;
        const { value, different } = own.measured;
        found.push({
          place: { span, bucket, position, nth }, found: counted, value: valuesAreNumbers ? (typeof value === 'number' ? Decimal.of(value) : value).toString() : different === '' ? null : different,
          groupBy: JSON.parse(own.groups) as Record<string, string>,
        });
        if (found.length === limit) return found;
      }
    }
    if (places.length < PLACES_PER_LOOK) return found;
    at = { ...places.at(-1)!, nth: Number.MAX_SAFE_INTEGER };
  }
};

const uniquePlaces = (places: readonly { partition: number; position: number }[]): { partition: number; position: number }[] =>
  [...new Map(places.map(({ partition, position }) => [`${partition}/${position}`, { partition, position }])).values()];
