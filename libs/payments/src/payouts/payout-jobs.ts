import { derivedId, Money, parseInstant } from '@valueverse/kernel';
import type { Job, JobHandler, JobResult } from '@valueverse/platform';
import type { Providers } from '../providers/provider';
import { balanceSums, linesOf } from '../reconciliation/balance-lines';
import type { RecordPayout } from './domain/payout';
import { payoutDecider } from './payouts';

export const LOOK_AT_PAYOUT = 'payments.look-at-payout';
export interface PayoutPayload { readonly provider: string; readonly reference: string }

/** The payout of a provider under our own id, which follows from the provider's. */
export const payoutIdOf = (tenant: string, provider: string, reference: string): string => derivedId('po', tenant, provider, reference);

/** Asks the provider how a payout stands and what it is made of. */
export const payoutJob = (providers: Providers): JobHandler => ({
  kind: LOOK_AT_PAYOUT,
  run: async ({ tenant, now, payload: { provider: name, reference } }: Job<PayoutPayload>): Promise<JobResult> => {
    const provider = providers.find(name);
    if (provider === undefined) throw new Error(`the provider ${name} is not set up here`);
    const found = await provider.payout({ tenant, now, reference }, new AbortController().signal);
    if (found.status === 'absent') return { outcome: 'done' };
    if (found.status !== 'found') throw new Error(`the provider does not say how the payout ${reference} stands`);
    const { currency } = found;
    const lines = (await linesOf(provider, { tenant, now, payout: reference })).filter(({ type }) => type !== 'payout');
    const { charged, refunded, disputed, fees, other } = balanceSums(lines, currency);
    const command: RecordPayout = {
      type: 'RecordPayout', payoutId: payoutIdOf(tenant, name, reference), provider: name, reference, amount: Money.of(found.amountMinor, currency).toString(), currency, status: found.state, arrivesAt: found.arrivesAt, createdAt: found.createdAt,
      charged, refunded, disputed, fees, other, lines: lines.length, at: parseInstant(now),
    };
    return { outcome: 'done', reaction: { commands: [{ decider: payoutDecider, command }] } };
  },
});
