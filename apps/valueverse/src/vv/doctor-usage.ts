import { ApiError, type ApiClient } from '../http/api-client';
import type { Finding } from './operations';

const PATH = '/api/v1/usage/reconciliation';
const QUARTER_MS = 900_000;
const STATUSES = ['counted', 'duplicate', 'conflict', 'waiting', 'excluded'] as const;
type Status = (typeof STATUSES)[number];

interface Period { readonly from: string; readonly to: string }
interface MeterCheck { readonly meterKey: string; readonly fromEnvelopes: number; readonly inBuckets: number; /** Null while it is back-filled. */ readonly isEqual: boolean | null }
/** Where the events of a tenant ended that were received in a period, and whether buckets hold what the envelopes say. */
export interface Reconciled extends Period {
  readonly events: Readonly<Record<Status | 'accepted', number>> & { readonly reasons: Readonly<Record<string, number>> };
  readonly meters: readonly MeterCheck[];
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
    return first === undefined || second === undefined ? [] : [{ meterKey, fromEnvelopes: first.fromEnvelopes + second.fromEnvelopes, inBuckets: first.inBuckets + second.inBuckets, isEqual: first.isEqual === null || second.isEqual === null ? null : first.isEqual && second.isEqual }];
  });
  const { reasons: ofA, ...eventsOfA } = a.events;
  const { reasons: ofB, ...eventsOfB } = b.events;
  return { from: a.from, to: b.to, events: { ...summed(eventsOfA, eventsOfB), reasons: summed(ofA, ofB) } as Reconciled['events'], meters, sealed: a.sealed + b.sealed, sealFaults: [...a.sealFaults, ...b.sealFaults] };
};

/** Reconciles a period however long it is: one that is too long for an answer is asked for in halves, which meet at a quarter of an hour. */
export const reconciled = async (api: ApiClient, { from, to }: Period): Promise<Reconciled> => {
  try {
    return await api.get<Reconciled>(`${PATH}?${new URLSearchParams({ from, to }).toString()}`);
  } catch (error) {
    const [first, last] = [Date.parse(from), Date.parse(to)];
    const middle = Math.ceil((first + last) / 2 / QUARTER_MS) * QUARTER_MS;
    if (!(error instanceof ApiError) || error.code !== 'period_too_long' || middle <= first || middle >= last) throw error;
    const half = new Date(middle).toISOString();
    return together(await reconciled(api, { from, to: half }), await reconciled(api, { from: half, to }));
  }
};

const sealFindings = (sealed: number, [fault, ...more]: Reconciled['sealFaults']): Finding[] => {
  if (fault !== undefined) {
    const { subject, from, code, meterKey } = fault;
    return [{ check: 'usage seals', ok: false, detail: `${code} of ${subject} at ${from}${meterKey === null ? '' : ` for meter ${meterKey}`}${more.length === 0 ? '' : `, and ${more.length} more`}: buckets or seals were changed`, next: 'verify the invoices of that subject; the rows of before are in a backup of the database' }];
  }
  return sealed === 0 ? [] : [{ check: 'usage seals', ok: true, detail: `${sealed} quarters of an hour have lost envelopes by retention, and their buckets are what their seals say` }];
};

/** What a reconciliation says, one finding for the events and one for each meter. Nothing of its own verdict is believed: the sums are made here. */
export const findingsIn = ({ from, to, events, meters, sealed, sealFaults }: Reconciled): Finding[] => {
  const placed = STATUSES.reduce((sum, status) => sum + events[status], 0);
  const sums = `${events.accepted} accepted = ${STATUSES.map((status) => `${events[status]} ${status}`).join(' + ')}`;
  const reasons = Object.entries(events.reasons).filter(([, count]) => count > 0).map(([reason, count]) => `${reason} ${count}`).join(', ');
  const said = `${sums}${reasons === '' ? '' : ` (${reasons})`}`;
  return [
    placed === events.accepted ? { check: 'usage events', ok: true, detail: said }
      : { check: 'usage events', ok: false, detail: `${said}: the sum is ${placed}`, next: `${Math.abs(events.accepted - placed)} events are ${placed < events.accepted ? 'in no place' : 'in two places'}: npx vv events list --received-from ${from} --received-to ${to}` },
    ...meters.map(({ meterKey, fromEnvelopes, inBuckets, isEqual }): Finding => (fromEnvelopes === inBuckets ? { check: `usage meter ${meterKey}`, ok: true, detail: `${inBuckets} events in buckets and in envelopes` }
      : isEqual === null ? { check: `usage meter ${meterKey}`, ok: true, detail: `is back-filled: ${inBuckets} of ${fromEnvelopes} events are in its buckets by now` }
      : { check: `usage meter ${meterKey}`, ok: false, detail: `the envelopes hold ${fromEnvelopes} events, the buckets ${inBuckets}: buckets or envelopes were changed`,
        next: 'npx vv doctor; if that finds nothing, verify the lines of the period (POST /api/v1/billing/invoices/<id>/lines/<line>/verify), which counts their envelopes anew' })),
    ...sealFindings(sealed, sealFaults),
  ];
};
