import { Decimal, instantFromMicros, partitionOf } from '@valueverse/kernel';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import type { Tx } from '@valueverse/event-log';
import { BUCKET_MICROS } from '../metering/domain/bucket';
import { groupsOf, measure, type MeterRule } from '../metering/domain/measure';
import { Tallies } from '../metering/domain/tallies';
import { type CountedEvent, readEnvelopes, visitEvents } from '../query/copy-reader';
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
  readonly quantities: readonly { readonly groupBy: Readonly<Record<string, string>>; readonly value: string; readonly events: number }[];
}
export interface BehindEvent {
  readonly place: BehindPlace;
  readonly found: CountedEvent;
  readonly value: string | null;
  readonly groupBy: Readonly<Record<string, string>>;
}

interface Span { readonly subject: string; readonly from: number; readonly to: number; readonly upTo: number }

const spansOf = (tenant: string, statement: StatementData): Span[] => stretchesOf(statement).map((stretch) => ({
  ...stretch, upTo: Number(statement.asOf[String(partitionOf(tenant, stretch.subject, USAGE_PARTITIONS))] ?? 0),
}));
const columnsOf = (spans: readonly Span[]): unknown[] => [
  spans.map(({ subject }) => subject), spans.map(({ from }) => from - (from % BUCKET_MICROS)), spans.map(({ to }) => to), spans.map(({ upTo }) => upTo)];
const clipped = (span: Span, bucket: number): { subject: string; from: number; to: number } =>
  ({ subject: span.subject, from: Math.max(span.from, bucket), to: Math.min(span.to, bucket + BUCKET_MICROS) });

const PLACES_PER_LOOK = 200;

/** The next buckets behind a statement with their quantities as of its positions, from the envelopes: what came later is not in them. */
export const bucketsBehind = async (tx: Tx, tenant: string, statement: StatementData, rule: MeterRule, after: BehindPlace, limit: number): Promise<BehindBucket[]> => {
  const spans = spansOf(tenant, statement);
  const upTo = new Map(Object.entries(statement.asOf).map(([partition, position]) => [Number(partition), Number(position)]));
  const found: BehindBucket[] = [];
  for (let at = after; ;) {
    const { rows } = await tx.query<{ span: bigint; bucket: bigint }>(
      `SELECT DISTINCT g.span, x.bucket FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) WITH ORDINALITY g(subject, first, until, up_to, span)
       JOIN usage_bucket_envelopes x ON x.tenant = $1 AND x.subject = g.subject AND x.bucket >= g.first AND x.bucket < g.until AND x.position <= g.up_to
       WHERE (g.span, x.bucket) > ($6, $7) ORDER BY 1, 2 LIMIT $8`, [tenant, ...columnsOf(spans), at.span + 1, at.bucket, PLACES_PER_LOOK]);
    const places = rows.map((row) => ({ span: Number(row.span) - 1, bucket: Number(row.bucket), position: 0, nth: 0 }));
    const stretches = places.map(({ span, bucket }) => clipped(spans[span]!, bucket));
    const tallies = places.map(() => new Tallies());
    await visitEvents(tx, tenant, stretches, (index, { event }) => {
      if (event.type !== rule.eventType) return;
      const value = measure(rule, event.data);
      if (value !== undefined) tallies[index]!.add(groupsOf(rule, event.data), value, 1);
    }, upTo);
    for (const [index, place] of places.entries()) {
      const quantities = tallies[index]!.entries().map(([groups, tally]) => ({ groupBy: JSON.parse(groups) as Record<string, string>, value: rule.aggregation.quantity(tally).toString(), events: tally.events }));
      const { subject, from, to } = stretches[index]!;
      if (quantities.length > 0) found.push({ place, subject, from: instantFromMicros(from), to: instantFromMicros(to), quantities });
      if (found.length === limit) return found;
    }
    if (places.length < PLACES_PER_LOOK) return found;
    at = places.at(-1)!;
  }
};

/** The next events behind a statement: exactly those that its quantities count. */
export const eventsBehind = async (tx: Tx, tenant: string, statement: StatementData, rule: MeterRule, after: BehindPlace, limit: number): Promise<BehindEvent[]> => {
  const spans = spansOf(tenant, statement);
  const found: BehindEvent[] = [];
  for (let at = after; ;) {
    const { rows } = await tx.query<{ span: bigint; bucket: bigint; partition: number; position: bigint }>(
      `SELECT g.span, x.bucket, x.partition, x.position FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) WITH ORDINALITY g(subject, first, until, up_to, span)
       JOIN usage_bucket_envelopes x ON x.tenant = $1 AND x.subject = g.subject AND x.bucket >= g.first AND x.bucket < g.until AND x.position <= g.up_to
       WHERE (g.span, x.bucket, x.position) >= ($6, $7, $8) ORDER BY 1, 2, 4 LIMIT $9`, [tenant, ...columnsOf(spans), at.span + 1, at.bucket, at.position, PLACES_PER_LOOK]);
    const places = rows.map((row) => ({ span: Number(row.span) - 1, bucket: Number(row.bucket), partition: row.partition, position: Number(row.position) }));
    const envelopes = new Map((await readEnvelopes(tx, tenant, uniquePlaces(places))).map((envelope) => [`${envelope.partition}/${envelope.position}`, envelope]));
    for (const { span, bucket, partition, position } of places) {
      const { subject, from, to } = clipped(spans[span]!, bucket);
      const isWhereWeAre = span === at.span && bucket === at.bucket && position === at.position;
      for (const counted of envelopes.get(`${partition}/${position}`)?.events ?? []) {
        const { event, micros, nth } = counted;
        if (event.subject !== subject || event.type !== rule.eventType || micros < from || micros >= to || (isWhereWeAre && nth <= at.nth)) continue;
        const value = measure(rule, event.data);
        if (value === undefined) continue;
        found.push({
          place: { span, bucket, position, nth }, found: counted, value: rule.value === undefined ? null : (typeof value === 'number' ? Decimal.of(value) : value).toString(),
          groupBy: JSON.parse(groupsOf(rule, event.data)) as Record<string, string>,
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
