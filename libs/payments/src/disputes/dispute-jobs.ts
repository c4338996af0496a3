import { derivedId, Money, parseInstant } from '@valueverse/kernel';
import type { Job, JobHandler, JobResult, Service } from '@valueverse/platform';
import type { PaymentCommand } from '../collection/domain/payment';
import { paymentDecider } from '../collection/payments';
import { takenBefore } from '../collection/taken-before';
import type { ProviderDispute, Providers } from '../providers/provider';

export const LOOK_AT_DISPUTE = 'payments.look-at-dispute';
export interface DisputePayload { readonly paymentId: string; readonly provider: string; readonly reference: string }

/** The dispute of a provider under our own id, which follows from the provider's. */
export const disputeIdOf = (tenant: string, provider: string, reference: string): string => derivedId('dsp', tenant, provider, reference);

/** Asks the provider how a dispute, or an inquiry, stands, and records it: however often and late it is told, it is opened once and closed once. */
export const disputeJob = (service: Service, providers: Providers): JobHandler => ({
  kind: LOOK_AT_DISPUTE,
  run: async (job: Job<DisputePayload>): Promise<JobResult> => {
    const { tenant, now, payload: { paymentId, provider: name, reference } } = job;
    const provider = providers.find(name);
    if (provider === undefined) throw new Error(`the provider ${name} is not set up here`);
    const found = await provider.dispute({ tenant, now, reference }, new AbortController().signal);
    if (found.status === 'absent') return { outcome: 'done' };
    if (found.status === 'unknown' || found.status === 'unavailable' || found.status === 'refused') throw new Error(`the provider does not say how the dispute ${reference} stands`);
    const at = parseInstant(now);
    const disputeId = disputeIdOf(tenant, name, reference);
    const head = {
      paymentId, disputeId, amount: Money.of(found.amountMinor, found.currency).toString(), currency: found.currency, reason: found.reason, providerReference: reference, chargeReference: found.chargeReference, at,
      ...(found.evidenceDueBy === undefined ? {} : { evidenceDueBy: found.evidenceDueBy }),
    };
    const fee = found.feeMinor === undefined ? {} : { fee: Money.of(found.feeMinor, found.currency).toString() };
    const open: PaymentCommand = isInquiry(found) ? { type: 'OpenInquiry', ...head } : { type: 'OpenDispute', ...head, ...fee };
    const taken = await takenBefore(service, provider, { tenant, now, paymentId }, found);
    return { outcome: 'done', reaction: { commands: [...taken, open, ...endOf(found, { paymentId, disputeId, at })].map((command) => ({ decider: paymentDecider, command })) } };
  },
});

const isInquiry = ({ status }: ProviderDispute): boolean => status === 'inquiry' || status === 'inquiry_closed';
const endOf = ({ status }: ProviderDispute, of: { readonly paymentId: string; readonly disputeId: string; readonly at: string }): PaymentCommand[] => {
  if (status === 'inquiry_closed') return [{ type: 'CloseInquiry', ...of }];
  return status === 'won' || status === 'lost' ? [{ type: 'CloseDispute', ...of, outcome: status }] : [];
};
