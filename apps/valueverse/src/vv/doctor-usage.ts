import { USAGE_PARTITIONS } from '@valueverse/contracts';
import { ApiError, type ApiClient } from '../http/api-client';
import type { Finding } from './operations';

const PATH = '/api/v1/usage/reconciliation';
const QUARTER_MS = 900_000;
const STATUSES = ['counted', 'duplicate', 'conflict', 'waiting', 'excluded'] as const;
type Status = (typeof STATUSES)[number];

interface Period { readonly from: string; readonly to: string }
type Place = 'fromEnvelopes' | 'inBuckets' | 'inAllSubjects';
interface MeterCheck {
  readonly meterKey: string;
  readonly fromEnvelopes: number;
  readonly inBuckets: number;
  /** Null where there are no rows of all subjects together. */
  readonly inAllSubjects: number | null;
  /** What the events come to; absent where the period was too long for one answer: a greatest value of each part is none of all. */
  readonly values?: Readonly<Record<Place, string | null>> | undefined;
  readonly leftOut: number;
  readonly differing: number;
  /** Null while it is back-filled. */
  readonly isEqual: boolean | null;
}
interface Sum { readonly events: number; readonly value: string | null }
/** A bucket that is not what its envelopes come to; of all subjects of a partition where `subject` is null. */
interface Difference { readonly meterKey: string; readonly partition: number; readonly subject: string | null; readonly groupBy: Readonly<Record<string, string>>; readonly from: string; readonly fromEnvelopes: Sum; readonly inBuckets: Sum }
/** Where the events of a tenant ended that were received in a period, and whether buckets hold what the envelopes say. */
export interface Reconciled extends Period {
  readonly events: Readonly<Record<Status | 'accepted', number>> & { readonly reasons: Readonly<Record<string, number>> };
  readonly meters: readonly MeterCheck[];
  readonly differences: readonly Difference[];
  readonly alteredEnvelopes: number;
  /** Events that stand and are not found by their subject and time. */
  readonly notIndexed: number;
  /** Quarters of an hour of subjects that have lost envelopes by retention, and those that are not what their seal says. */
  readonly sealed: number;
  readonly sealFaults: readonly { readonly subject: string; readonly from: string; readonly code: string; readonly meterKey: string | null }[];
}

const summed = (a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries([...new Set([...Object.keys(a), ...Object.keys(b)])].map((name) => [name, (a[name] ?? 0) + (b[name] ?? 0)]));

const together = (a: Reconciled, b: Reconciled): Reconciled => {
  const keys = [...new Set([...a.meters, ...b.meters].map(({ meterKey }) => meterKey))];
  // A meter is compared over all of the period, or not at all.
  const meters = keys.flatMap((meterKey): MeterCheck[] => {
    const [first, second] = [a, b].map(({ meters: own }) => own.find((one) => one.meterKey === meterKey));
    if (first === undefined || second === undefined) return [];
    const sumOf = (count: (check: MeterCheck) => number): number => count(first) + count(second);
    return [{
      meterKey, fromEnvelopes: sumOf((one) => one.fromEnvelopes), inBuckets: sumOf((one) => one.inBuckets), inAllSubjects: first.inAllSubjects === null || second.inAllSubjects === null ? null : first.inAllSubjects + second.inAllSubjects,
      leftOut: sumOf((one) => one.leftOut), differing: sumOf((one) => one.differing), isEqual: first.isEqual === null || second.isEqual === null ? null : first.isEqual && second.isEqual,
    }];
  });
  const { reasons: ofA, ...eventsOfA } = a.events;
  const { reasons: ofB, ...eventsOfB } = b.events;
  return {
    from: a.from, to: b.to, events: { ...summed(eventsOfA, eventsOfB), reasons: summed(ofA, ofB) } as Reconciled['events'], meters, differences: [...a.differences, ...b.differences], alteredEnvelopes: a.alteredEnvelopes + b.alteredEnvelopes, notIndexed: a.notIndexed + b.notIndexed,
    sealed: a.sealed + b.sealed, sealFaults: [...a.sealFaults, ...b.sealFaults],
  };
};

/** Whether an answer was refused because it would be too long. */
const isTooLong = (error: unknown): boolean => error instanceof ApiError && error.code === 'period_too_long';

/** Reconciles a period however long it is: one that is too long for an answer is asked for in halves, which meet at a quarter of an hour; a quarter of an hour that is too long, partition by partition. */
export const reconciled = async (api: ApiClient, { from, to }: Period): Promise<Reconciled> => {
  const ask = (more: Readonly<Record<string, string>> = {}): Promise<Reconciled> => api.get<Reconciled>(`${PATH}?${new URLSearchParams({ from, to, ...more }).toString()}`);
  try {
    return await ask();
  } catch (error) {
    if (!isTooLong(error)) throw error;
  }
  const [first, last] = [Date.parse(from), Date.parse(to)];
  const middle = Math.ceil((first + last) / 2 / QUARTER_MS) * QUARTER_MS;
  if (middle > first && middle < last) {
    const half = new Date(middle).toISOString();
    return together(await reconciled(api, { from, to: half }), await reconciled(api, { from: half, to }));
  }
  let sum = await ask({ partition: '0' });
  for (let partition = 1; partition < USAGE_PARTITIONS; partition++) sum = together(sum, await ask({ partition: String(partition) }));
  return sum;
};

const sealFindings = (sealed: number, [fault, ...more]: Reconciled['sealFaults']): Finding[] => {
  if (fault !== undefined) {
    const { subject, from, code, meterKey } = fault;
    return [{ check: 'usage seals', ok: false, detail: `${code} of ${subject} at ${from}${meterKey === null ? '' : ` for meter ${meterKey}`}${more.length === 0 ? '' : `, and ${more.length} more`}: buckets or seals were changed`, next: 'verify the invoices of that subject; the rows of before are in a backup of the database' }];
  }
  return sealed === 0 ? [] : [{ check: 'usage seals', ok: true, detail: `${sealed} quarters of an hour have lost envelopes by retention, and their buckets are what their seals say` }];
};

const VERIFY = 'npx vv projections rebuild usage metering@1 --compare, with --cutover to put it right; invoices of the period: POST /api/v1/billing/invoices/<id>/lines/<line>/verify counts their envelopes anew';
const said = ({ events, value }: Sum): string => (value === null ? 'nothing' : `${value} (${events} events)`);
const bucketText = ({ subject, partition, groupBy, from }: Difference): string =>
  `${subject ?? `all subjects of partition ${partition}`} at ${from}${Object.keys(groupBy).length === 0 ? '' : ` ${JSON.stringify(groupBy)}`}`;

/** Whether a meter's buckets hold what the envelopes say. Its own verdict is not believed where the numbers say otherwise. */
const meterFinding = ({ meterKey, fromEnvelopes, inBuckets, inAllSubjects, values, differing, isEqual }: MeterCheck, first: Difference | undefined): Finding => {
  const check = `usage meter ${meterKey}`;
  if (isEqual === null) return { check, ok: true, detail: `is back-filled: ${inBuckets} of ${fromEnvelopes} events are in its buckets by now` };
  if (first !== undefined) {
    const more = differing > 1 ? `, and ${differing - 1} more buckets differ` : '';
    return { check, ok: false, detail: `${bucketText(first)}: the envelopes come to ${said(first.fromEnvelopes)}, the bucket to ${said(first.inBuckets)}${more}: buckets or envelopes were changed`, next: VERIFY };
  }
  const isSame = fromEnvelopes === inBuckets && (inAllSubjects ?? inBuckets) === inBuckets && differing === 0 && (values === undefined || (values.fromEnvelopes === values.inBuckets && (values.inAllSubjects ?? values.inBuckets) === values.inBuckets));
  if (!isSame) return { check, ok: false, detail: `the envelopes hold ${fromEnvelopes} events, the buckets ${inBuckets}: buckets or envelopes were changed`, next: VERIFY };
  return { check, ok: true, detail: `${inBuckets} events in buckets and in envelopes${values?.inBuckets == null ? '' : `, which come to ${values.inBuckets}`}` };
};

/** Events that a meter leaves out are kept, and billed to nobody. */
const leftOutFinding = ({ meterKey, leftOut }: MeterCheck): Finding[] => (leftOut === 0 ? [] : [{
  check: `usage meter ${meterKey} dimensions`, ok: false, detail: `${leftOut} events are left out (too_many_groups): their subjects have more combinations of dimensions than a meter may have`,
  next: `GET /api/v1/usage/exceptions?code=too_many_groups&meterKey=${meterKey} names them; make a version of the meter without the dimension that has too many values`,
}]);

/** What a reconciliation says, one finding for the events and one for each meter. Nothing of its own verdict is believed: the sums are made here. */
export const findingsIn = ({ from, to, events, meters, differences, alteredEnvelopes, notIndexed, sealed, sealFaults }: Reconciled): Finding[] => {
  const placed = STATUSES.reduce((sum, status) => sum + events[status], 0);
  const sums = `${events.accepted} accepted = ${STATUSES.map((status) => `${events[status]} ${status}`).join(' + ')}`;
  const reasons = Object.entries(events.reasons).filter(([, count]) => count > 0).map(([reason, count]) => `${reason} ${count}`).join(', ');
  const all = `${sums}${reasons === '' ? '' : ` (${reasons})`}`;
  return [
    placed === events.accepted ? { check: 'usage events', ok: true, detail: all }
      : { check: 'usage events', ok: false, detail: `${all}: the sum is ${placed}`, next: `${Math.abs(events.accepted - placed)} events are ${placed < events.accepted ? 'in no place' : 'in two places'}: npx vv events list --received-from ${from} --received-to ${to}` },
    ...(alteredEnvelopes === 0 ? [] : [{ check: 'usage envelopes', ok: false, detail: `${alteredEnvelopes} envelopes are not what their hash or their header says: they were changed in the database`, next: 'restore these rows of usage_envelopes from a backup of the database; until then nothing is counted by them anew' }]),
    ...(notIndexed === 0 ? [] : [{ check: 'usage index', ok: false, detail: `${notIndexed} events that stand are not found by their subject and time: rows of usage_bucket_envelopes are gone`, next: VERIFY }]),
    ...meters.flatMap((meter) => [meterFinding(meter, differences.find(({ meterKey }) => meterKey === meter.meterKey)), ...leftOutFinding(meter)]),
    ...sealFindings(sealed, sealFaults),
  ];
};
