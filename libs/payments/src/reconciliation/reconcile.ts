import { Money } from '@valueverse/kernel';
import type { Service } from '@valueverse/platform';
import type { DisputeRow, PaymentRow } from '../collection/payments';
import type { BalanceEntry, PaymentProvider } from '../providers/provider';
import type { PayoutRow } from '../payouts/payouts';
import { balanceSums, type BalanceSums, linesOf } from './balance-lines';
import { compareBooks, type Difference, type Movement, type OwnMovement } from './domain/compare';

export interface CurrencySums extends BalanceSums { readonly currency: string }
export interface Reconciliation { readonly provider: string; readonly from: string; readonly to: string; readonly agree: boolean; readonly lines: number; readonly sums: readonly CurrencySums[]; readonly differences: readonly Difference[] }
export interface Span { readonly tenant: string; readonly from: string; readonly to: string }

/** Our book against the provider's, for what moved on its balance from one instant to another, and what we say moved then. Refuses with `too_many_lines` and 503 `provider_unavailable`. */
export const reconcile = async (service: Service, provider: PaymentProvider, span: Span): Promise<Reconciliation> => {
  const entries = await linesOf(provider, { ...span, now: service.clock.now() });
  const theirs = entries.flatMap(movementOf);
  const known = await ownByReference(service, span.tenant, theirs.map(({ reference }) => reference));
  const inSpan = await ownInSpan(service, provider.name, span);
  const names = new Set(theirs.map(({ reference }) => reference));
  // What was taken at the edge of the span may stand on the balance beside it: the provider is asked by name.
  const absent = inSpan.filter(({ reference }) => !names.has(reference));
  const edge: OwnMovement[] = [];
  for (const one of absent) if (!(await isThere(provider, span.tenant, one, service.clock.now()))) edge.push(one);
  const differences = compareBooks([...known, ...edge], theirs);
  return { provider: provider.name, from: span.from, to: span.to, agree: differences.length === 0, lines: entries.length, sums: sumsOf(entries), differences };
};

/** What our book has too is what was paid, also where the balance is in another currency. */
const movementOf = ({ type, source, amountMinor, currency, paid }: BalanceEntry): Movement[] => (type === 'charge' || type === 'refund' || type === 'dispute' || type === 'payout' ? [{ kind: type, reference: source, amountMinor, currency, ...paid }] : []);

/** What a payment says was moved: what its attempts took, less what was given back. */
const movementsOf = (row: PaymentRow): OwnMovement[] => {
  const minor = (amount: string): bigint => Money.parse(amount, row.currency).minor;
  const of = { paymentId: row.id, currency: row.currency };
  return [
    ...row.attempts.filter(({ status, amount }) => status === 'succeeded' && amount !== undefined).map((one): OwnMovement => ({ ...of, kind: 'charge', subject: one.providerKey, reference: one.providerReference!, amountMinor: minor(one.amount!) })),
    ...row.refunds.filter(({ status, providerReference }) => status === 'succeeded' && providerReference !== undefined).map((one): OwnMovement => ({ ...of, kind: 'refund', subject: one.id, reference: one.providerReference!, amountMinor: -minor(one.amount) })),
  ];
};
const ofDispute = ({ id, paymentId, currency, amount, status, providerReference }: DisputeRow): OwnMovement =>
  ({ kind: 'dispute', paymentId, currency, subject: id, reference: providerReference, amountMinor: status === 'won' ? 0n : -Money.parse(amount, currency).minor });

/** A payout that failed came back. */
const ofPayout = ({ id, reference, currency, amount, status }: PayoutRow): OwnMovement =>
  ({ kind: 'payout', paymentId: null, currency, subject: id, reference, amountMinor: status === 'failed' || status === 'cancelled' ? 0n : -Money.parse(amount, currency).minor });

const ownByReference = (service: Service, tenant: string, references: readonly string[]): Promise<OwnMovement[]> => service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
  const wanted = new Set(references);
  const { rows } = await tx.query<{ row: PaymentRow }>(
    `SELECT row FROM payments p WHERE tenant = $1 AND (provider_reference = ANY($2) OR EXISTS (SELECT FROM json_array_elements(row->'refunds') r WHERE r->>'providerReference' = ANY($2))
       OR (json_array_length(row->'attempts') > 1 AND EXISTS (SELECT FROM json_array_elements(row->'attempts') a WHERE a->>'providerReference' = ANY($2))))`, [tenant, references]);
  const disputes = await tx.query<{ row: DisputeRow }>(`SELECT row FROM payment_disputes WHERE tenant = $1 AND row->>'providerReference' = ANY($2)`, [tenant, references]);
  const payouts = await tx.query<{ row: PayoutRow }>('SELECT row FROM payouts WHERE tenant = $1 AND reference = ANY($2)', [tenant, references]);
  return [...payouts.rows.map(({ row }) => ofPayout(row)), ...rows.flatMap(({ row }) => movementsOf(row)), ...disputes.rows.map(({ row }) => ofDispute(row))].filter(({ reference }) => wanted.has(reference));
});

const ownInSpan = (service: Service, provider: string, { tenant, from, to }: Span): Promise<OwnMovement[]> => service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
  const { rows } = await tx.query<{ row: PaymentRow }>(
    `SELECT row FROM payments WHERE tenant = $1 AND EXISTS (SELECT FROM json_array_elements(row->'attempts') a WHERE a->>'status' = 'succeeded' AND a->>'provider' = $2 AND (a->>'endedAt')::timestamptz >= $3 AND (a->>'endedAt')::timestamptz < $4)`,
    [tenant, provider, from, to]);
  return rows.flatMap(({ row }) => movementsOf(row)).filter(({ kind }) => kind === 'charge');
});

const isThere = async (provider: PaymentProvider, tenant: string, { reference, amountMinor, currency }: OwnMovement, now: string): Promise<boolean> => {
  const found = await provider.read({ tenant, now, reference }, new AbortController().signal);
  return found.status === 'succeeded' && found.amountMinor === amountMinor && found.currency === currency;
};

const sumsOf = (entries: readonly BalanceEntry[]): CurrencySums[] => [...Map.groupBy(entries, ({ currency }) => currency)].map(([currency, all]) => ({ currency, ...balanceSums(all, currency) }));
