import { canonicalJson, microsNumberOfText } from '@valueverse/kernel';
import type { GroupQuantity, StatementRequest } from '@valueverse/contracts';
import type { MeterRule } from '../../metering/domain/measure';
import { narrowed } from '../../metering/domain/measure';
import { Tallies } from '../../metering/domain/tallies';

/** What was counted in one piece of a request: a whole bucket, or the part of one at a ragged edge. */
export interface Cell {
  /** Which of the request's spans it is in. */
  readonly span: number;
  /** Start of the bucket, microseconds. */
  readonly bucket: number;
  readonly groups: string;
}

const SEPARATOR = '\n';
/** Cells as keys of tallies. Spans and buckets are padded, so that keys sort as cells do. */
export const cellKey = ({ span, bucket, groups }: Cell): string => `${String(span).padStart(6, '0')}${SEPARATOR}${String(bucket).padStart(16, '0')}${SEPARATOR}${groups}`;
export const cellOf = (key: string): Cell => {
  const [span, bucket, groups] = key.split(SEPARATOR);
  return { span: Number(span), bucket: Number(bucket), groups: groups! };
};

/** The quantities of a request's cells by the wanted dimensions, in the order of their groups. */
export const quantitiesOf = (rule: MeterRule, cells: Tallies, groupBy: readonly string[]): GroupQuantity[] => {
  const byGroup = new Tallies();
  const groups = new Map<string, string>();
  for (const [key, { total, events }] of cells.entries()) {
    const full = cellOf(key).groups;
    let group = groups.get(full);
    if (group === undefined) groups.set(full, group = canonicalJson(narrowed(JSON.parse(full) as Record<string, string>, groupBy)));
    byGroup.add(group, total, events);
  }
  return byGroup.entries().map(([group, tally]) => ({
    group: JSON.parse(group) as Record<string, string>, value: rule.aggregation.quantity(tally).toString(), events: tally.events,
  }));
};

/**
 * What the hash of a statement is made over, as canonical JSON: the request, the quantities, each bucket with its sum and count, and the link of the
 * chain at each position that it is as of. `broken` names envelopes that are no longer what they were; a sound answer has none.
 */
export const evidenceText = (
  { requestId, subscriptionId, chargeKey, meterKey, meterVersion, usage, groupBy }: StatementRequest,
  quantities: readonly GroupQuantity[], cells: Tallies, chain: Readonly<Record<string, string>>, broken: readonly string[] = [],
): string => canonicalJson({
  request: { requestId, subscriptionId, chargeKey, meterKey, meterVersion, usage, groupBy }, quantities,
  buckets: cells.entries().map(([key, { total, events }]) => [...Object.values(cellOf(key)), total.toString(), events]), chain,
  ...(broken.length === 0 ? {} : { broken }),
});

/** The spans of a request in microseconds. */
export const stretchesOf = ({ usage }: Pick<StatementRequest, 'usage'>): { subject: string; from: number; to: number }[] =>
  usage.map(({ subject, from, to }) => ({ subject, from: microsNumberOfText(from), to: microsNumberOfText(to) }));
