import { Money } from '@valueverse/kernel';
import type { Tx } from '@valueverse/event-log';
import { attemptOfKey } from '../collection/domain/payment';
import type { AttemptRow, DisputeRow, PaymentRow, RefundRow } from '../collection/payments';
import { disputeIdOf } from '../disputes/dispute-jobs';
import type { BalanceEntry } from '../providers/provider';
import type { PayoutRow } from '../payouts/payouts';
import type { Movement } from './domain/compare';

/** Of one provider, from one instant to another. */
export interface OwnSpan { readonly tenant: string; readonly provider: string; readonly from: string; readonly to: string }
/** Our side of what was asked for. `paymentOf` says of which payment here a line of the provider is. */
export interface OwnBook { readonly movements: readonly Movement[]; readonly paymentOf: (entry: BalanceEntry) => string | null }

/** A movement with the instants of it here. */
interface Dated { readonly movement: Movement; readonly at: readonly (string | null)[] }

/** What our book says of the lines of a provider, whenever it was recorded, and what it says moved in a span, whatever the provider says of that. Each thing is said as it stands now. */
export const ownBook = async (tx: Tx, { tenant, provider, from, to }: OwnSpan, entries: readonly BalanceEntry[]): Promise<OwnBook> => {
  const named = new Set(entries.map(({ source }) => source));
  const payments = await paymentsOf(tx, { tenant, provider, from, to }, entries);
  const disputes = await tx.query<{ key: string; row: DisputeRow }>(
    `SELECT key, row FROM payment_disputes WHERE tenant = $1 AND (key = ANY($2) OR ((row->>'openedAt')::timestamptz >= $3 AND (row->>'openedAt')::timestamptz < $4) OR ((row->>'closedAt')::timestamptz >= $3 AND (row->>'closedAt')::timestamptz < $4))`,
    [tenant, entries.filter(({ type }) => type === 'dispute').map(({ source }) => disputeIdOf(tenant, provider, source)), from, to]);
  const payouts = await tx.query<{ row: PayoutRow }>(
    `SELECT row FROM payouts WHERE tenant = $1 AND provider = $2 AND (reference = ANY($3) OR ((row->>'createdAt')::timestamptz >= $4 AND (row->>'createdAt')::timestamptz < $5))`,
    [tenant, provider, entries.filter(({ type }) => type === 'payout').map(({ source }) => source), from, to]);
  const [first, last] = [Date.parse(from), Date.parse(to)];
  const isIn = (at: string | null): boolean => at !== null && Date.parse(at) >= first && Date.parse(at) < last;
  const onTheirWay = new Map(entries.flatMap(({ type, key, source }) => (type === 'refund' && key !== undefined ? [[key, source] as const] : [])));
  const dated = [
    ...payments.flatMap((row) => ofPayment(row, provider, onTheirWay)), ...disputes.rows.filter(({ key, row }) => key === disputeIdOf(tenant, provider, row.providerReference)).flatMap(({ row }) => ofDispute(row)), ...payouts.rows.map(({ row }) => ofPayout(row)),
  ];
  return { movements: dated.filter(({ movement, at }) => named.has(movement.reference) || at.some(isIn)).map(({ movement }) => movement), paymentOf: finderOf(payments, disputes.rows.map(({ row }) => row)) };
};

const paymentsOf = async (tx: Tx, { tenant, provider, from, to }: OwnSpan, entries: readonly BalanceEntry[]): Promise<PaymentRow[]> => {
  const charges = [...new Set(entries.flatMap(({ source, chargeReference }) => (chargeReference === undefined ? [source] : [source, chargeReference])))];
  const keys = [...new Set(entries.flatMap(({ key }) => attemptOfKey(key ?? '')?.paymentId ?? []))];
  const { rows } = await tx.query<{ row: PaymentRow }>(
    `SELECT row FROM payments p WHERE tenant = $1 AND (provider_reference = ANY($2) OR duplicate_reference = ANY($2) OR key = ANY($3)
       OR (json_array_length(row->'attempts') > 1 AND EXISTS (SELECT FROM json_array_elements(row->'attempts') a WHERE a->>'providerReference' = ANY($2)))
       OR EXISTS (SELECT FROM json_array_elements(row->'attempts') a WHERE a->>'provider' = $4 AND ((a->>'status' = 'succeeded' AND (a->>'endedAt')::timestamptz >= $5 AND (a->>'endedAt')::timestamptz < $6)
         OR EXISTS (SELECT FROM json_array_elements(p.row->'refunds') r WHERE r->>'attempt' = a->>'number' AND r->>'status' = 'succeeded' AND (r->>'endedAt')::timestamptz >= $5 AND (r->>'endedAt')::timestamptz < $6))))`,
    [tenant, charges, keys, provider, from, to]);
  return rows.map(({ row }) => row);
};

/** What attempts took, with what the provider kept of it, less what was given back. */
const ofPayment = (row: PaymentRow, provider: string, onTheirWay: ReadonlyMap<string, string>): Dated[] => {
  const attempts = row.attempts.filter((one) => one.provider === provider);
  const of = { paymentId: row.id, currency: row.currency };
  const minor = (amount: string): bigint => Money.parse(amount, row.currency).minor;
  const first = primaryOf(row.attempts);
  const charges = attempts.filter(({ status, amount, providerReference }) => status === 'succeeded' && amount !== undefined && providerReference !== undefined).flatMap((one): Dated[] => {
    const fee = one.fee ?? (one === first ? row.fee : undefined);
    const thing = { ...of, thing: 'charge', reference: one.providerReference! } as const;
    return [{ ...thing, kind: 'charge' as const, amountMinor: minor(one.amount!) }, ...(fee === undefined ? [] : [{ ...thing, kind: 'fee' as const, amountMinor: minor(fee) }])].map((movement) => ({ movement, at: [one.endedAt] }));
  });
  const refunds = row.refunds.filter(({ attempt }) => attempts.some(({ number }) => number === attempt)).flatMap((one): Dated[] => {
    const reference = referenceOf(one, onTheirWay);
    return reference === undefined ? [] : [{ movement: { ...of, thing: 'refund', kind: 'refund', reference, amountMinor: -minor(one.amount) }, at: [one.endedAt] }];
  });
  return [...charges, ...refunds];
};
/** The attempt that is the payment: the first one that took money; what others took too has its fee beside it. */
const primaryOf = (attempts: readonly AttemptRow[]): AttemptRow | undefined =>
  attempts.filter(({ status, fee }) => status === 'succeeded' && fee === undefined).sort((a, b) => Date.parse(a.endedAt ?? '') - Date.parse(b.endedAt ?? ''))[0];
/** One that is on its way here may be on the balance there: it is known by its key. What failed is nothing. */
const referenceOf = ({ status, providerReference, providerKey }: RefundRow, onTheirWay: ReadonlyMap<string, string>): string | undefined =>
  (status === 'succeeded' ? providerReference : status === 'pending' ? onTheirWay.get(providerKey) : undefined);

const ofDispute = ({ paymentId, currency, amount, status, providerReference: reference, fee, openedAt, closedAt }: DisputeRow): Dated[] => {
  const of = { paymentId, currency, thing: 'dispute', reference } as const;
  const isTaken = status === 'open' || status === 'lost';
  const fees = fee === null ? [] : [{ ...of, kind: 'fee' as const, amountMinor: Money.parse(fee, currency).minor }];
  return [{ ...of, kind: 'dispute' as const, amountMinor: isTaken ? -Money.parse(amount, currency).minor : 0n }, ...fees].map((movement) => ({ movement, at: [openedAt, closedAt] }));
};
/** A payout that failed came back. */
const ofPayout = ({ reference, currency, amount, status, createdAt }: PayoutRow): Dated =>
  ({ movement: { paymentId: null, currency, thing: 'payout', kind: 'payout', reference, amountMinor: status === 'failed' || status === 'cancelled' ? 0n : -Money.parse(amount, currency).minor }, at: [createdAt] });

const finderOf = (payments: readonly PaymentRow[], disputes: readonly DisputeRow[]): OwnBook['paymentOf'] => {
  const byKey = new Set(payments.map(({ id }) => id));
  const byReference = new Map([...payments.flatMap(({ id, attempts }) => attempts.flatMap(({ providerReference }) => (providerReference === undefined ? [] : [[providerReference, id] as const]))), ...disputes.map((one) => [one.providerReference, one.paymentId] as const)]);
  return ({ source, chargeReference, key }) => {
    const named = attemptOfKey(key ?? '')?.paymentId;
    return byReference.get(source) ?? byReference.get(chargeReference ?? '') ?? (named !== undefined && byKey.has(named) ? named : null);
  };
};
