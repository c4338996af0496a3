import { canonicalJson, microsNumberOfText, sha256Hex } from '@valueverse/kernel';
import type { GroupQuantity, StatementRequest } from '@valueverse/contracts';
import type { Part } from '../../metering/domain/aggregations';
import type { Stretch } from '../../metering/domain/bucket';
import type { MeterRule } from '../../metering/domain/measure';
import { narrowed } from '../../metering/domain/measure';
import type { Tallies } from '../../metering/domain/tallies';
import { Tally } from '../../metering/domain/tally';

/** A span of a request, in microseconds. `reach` is where what is carried into it begins; it ends where the span begins. */
export interface Span extends Stretch {
  readonly subject: string;
  readonly reach: number | undefined;
}

/** What was counted in one piece of a request: a whole bucket, or the part of one at a ragged edge. */
export interface Cell {
  /** Which of the request's spans it is in. */
  readonly span: number;
  /** Start of the bucket, microseconds; `CARRIED` for all that is carried into the span. */
  readonly bucket: number;
  readonly groups: string;
}
/** Instead of a bucket: everything before the span, as far as it is carried into it. */
export const CARRIED = -1;

const SEPARATOR = '\n';
/** Cells as keys of tallies. Spans and buckets are padded, so that keys sort as cells do; what is carried comes first. */
export const cellKey = ({ span, bucket, groups }: Cell): string => `${String(span).padStart(6, '0')}${SEPARATOR}${bucket === CARRIED ? '' : String(bucket).padStart(16, '0')}${SEPARATOR}${groups}`;
export const cellOf = (key: string): Cell => {
  const [span, bucket, groups] = key.split(SEPARATOR);
  return { span: Number(span), bucket: bucket === '' ? CARRIED : Number(bucket), groups: groups! };
};

/**
 * The spans of a request. Where a meter carries over, all that came before counts too, once per subject; a level over time is carried into every span, from the
 * start of the aligned period where it begins anew in each.
 */
export const spansOf = ({ usage, period }: Pick<StatementRequest, 'usage' | 'period'>, rule: MeterRule, beginning: number): Span[] => {
  const spans = usage.map(({ subject, from, to }) => ({ subject, from: microsNumberOfText(from), to: microsNumberOfText(to) }));
  const starts = new Map<string, number>();
  for (const { subject, from } of spans) starts.set(subject, Math.min(from, starts.get(subject) ?? from));
  const reachOf = ({ subject, from }: { subject: string; from: number }): number | undefined => {
    if (rule.aggregation.weighsTime) return rule.carryOver ? beginning : period === undefined ? starts.get(subject)! : microsNumberOfText(period.from);
    return rule.carryOver && starts.get(subject) === from ? beginning : undefined;
  };
  const carried = new Set<string>();
  return spans.map((span) => {
    const reach = reachOf(span);
    // Two spans of a subject that begin together would carry the same twice.
    const isFirst = rule.aggregation.weighsTime || !carried.has(span.subject);
    if (reach !== undefined) carried.add(span.subject);
    return { ...span, reach: reach !== undefined && reach < span.from && isFirst ? reach : undefined };
  });
};

/** The aligned period of a request, or the stretch from its first instant to its last. */
const periodOf = ({ period }: Pick<StatementRequest, 'period'>, spans: readonly Span[]): Stretch => (period === undefined
  ? { from: Math.min(...spans.map(({ from }) => from)), to: Math.max(...spans.map(({ to }) => to)) }
  : { from: microsNumberOfText(period.from), to: microsNumberOfText(period.to) });

interface Gathered { readonly tally: Tally; before: Tally | undefined; readonly samples: Map<number, Tally> }

/** The quantities of a request's cells by the wanted dimensions, in the order of their groups. Where nothing is no quantity, there is none. */
export const quantitiesOf = (request: Pick<StatementRequest, 'period' | 'groupBy'>, rule: MeterRule, spans: readonly Span[], cells: Tallies): GroupQuantity[] => {
  const { aggregation: { fold, weighsTime, samples, quantity }, settings, convertTotal } = rule;
  const fresh = (): Tally => new Tally(fold, weighsTime);
  const byGroup = new Map<string, Gathered[]>();
  const groups = new Map<string, string>();
  for (const [key, tally] of cells.entries()) {
    const { span, bucket, groups: full } = cellOf(key);
    let group = groups.get(full);
    if (group === undefined) groups.set(full, group = canonicalJson(narrowed(JSON.parse(full) as Record<string, string>, request.groupBy)));
    if (!byGroup.has(group)) byGroup.set(group, spans.map(() => ({ tally: fresh(), before: undefined, samples: new Map() })));
    const gathered = byGroup.get(group)![span]!;
    if (bucket === CARRIED) { (gathered.before ??= fresh()).merge(tally); continue; }
    gathered.tally.merge(tally);
    if (!samples) continue;
    if (!gathered.samples.has(bucket)) gathered.samples.set(bucket, fresh());
    gathered.samples.get(bucket)!.merge(tally);
  }
  return [...byGroup].sort(([left], [right]) => (left < right ? -1 : 1)).flatMap(([group, gathered]) => {
    const parts = gathered.map((one, nth): Part => ({ stretch: spans[nth]!, ...one }));
    const value = quantity(parts, periodOf(request, spans), settings);
    if (value === undefined) return [];
    const events = gathered.reduce((sum, { tally }) => sum + tally.events, 0);
    return [{ group: JSON.parse(group) as Record<string, string>, value: value.toString(), events, ...(convertTotal === undefined ? {} : { converted: convertTotal(value).toString() }) }];
  });
};

/** What a cell holds beside sum and count, where its aggregation needs more. */
const moreOf = (tally: Tally): unknown[] => {
  const { moment, at, tie } = tally.columns;
  if (tally.fold === 'distinct') return [sha256Hex([...tally.values.keys()].sort().join('\n'))];
  return moment === null && at === null ? [] : [moment, at, tie];
};

/**
 * What the hash of a statement is made over, as canonical JSON: the request, the quantities, each bucket with its sum and count, and the link of the
 * chain at each position that it is as of. `broken` names envelopes that are no longer what they were; a sound answer has none.
 */
export const evidenceText = (
  { requestId, subscriptionId, chargeKey, meterKey, meterVersion, usage, groupBy, period, terms }: StatementRequest,
  quantities: readonly GroupQuantity[], cells: Tallies, chain: Readonly<Record<string, string>>, broken: readonly string[] = [],
): string => canonicalJson({
  request: { requestId, subscriptionId, chargeKey, meterKey, meterVersion, usage, groupBy, ...(period === undefined ? {} : { period }), ...(terms === undefined ? {} : { terms }) }, quantities,
  buckets: cells.entries().map(([key, tally]) => [...Object.values(cellOf(key)), tally.total.toString(), tally.events, ...moreOf(tally)]), chain,
  ...(broken.length === 0 ? {} : { broken }),
});

/** The spans of a request in microseconds. */
export const stretchesOf = ({ usage }: Pick<StatementRequest, 'usage'>): { subject: string; from: number; to: number }[] =>
  usage.map(({ subject, from, to }) => ({ subject, from: microsNumberOfText(from), to: microsNumberOfText(to) }));
