import { addDuration, derivedId, Money, parseInstant } from '@valueverse/kernel';
import type { NewJob } from '@valueverse/event-log';
import type { Job, JobHandler, JobResult, Service } from '@valueverse/platform';
import { paymentDecider } from '../collection/payments';
import type { RecordProviderRefund } from '../collection/domain/payment-command';
import { takenBefore } from '../collection/taken-before';
import type { PaymentProvider, ProviderRefund, Providers } from '../providers/provider';
import { LOOKS } from './refund-jobs';

export const LOOK_AT_REFUNDS = 'payments.look-at-refunds';
/** At all refunds of a charge of a provider. `look` counts the looks at one of them that was made there and takes its time. */
export interface RefundsLook { readonly paymentId: string; readonly provider: string; readonly chargeReference: string; readonly look?: number }
const MADE_THERE = 'made at the provider';

/** The refund of a provider under our own id, which follows from the provider's. */
export const refundIdOf = (tenant: string, provider: string, reference: string): string => derivedId('ref', tenant, provider, reference);

/**
 * Asks the provider which refunds there are of a charge and how each of them stands, and records it: ours, and those that somebody made at the provider's own pages. However often, late and in whatever order it is asked for, each is recorded once.
 */
export const refundsLookJob = (service: Service, providers: Providers): JobHandler => ({
  kind: LOOK_AT_REFUNDS,
  run: async (job: Job<RefundsLook>): Promise<JobResult> => {
    const { tenant, now, payload: { paymentId, provider: name, chargeReference } } = job;
    const provider = providers.find(name);
    if (provider === undefined) throw new Error(`the provider ${name} is not set up here`);
    const all = await refundsOf(provider, job);
    if (all.length === 0) return { outcome: 'done' };
    const attemptKey = all.find((one) => one.attemptKey !== undefined)?.attemptKey;
    const taken = await takenBefore(service, provider, { tenant, now, paymentId }, { chargeReference, ...(attemptKey === undefined ? {} : { attemptKey }) });
    const commands = [...taken, ...all.map((one) => commandOf(job, one))];
    // One of ours is followed by the job that made it.
    const open = all.filter(({ key, state }) => key === undefined && state === 'pending');
    return { outcome: 'done', reaction: { commands: commands.map((command) => ({ decider: paymentDecider, command })), jobs: open.map((one) => lookAgain(job, one)) } };
  },
});

const refundsOf = async (provider: PaymentProvider, { tenant, now, payload: { chargeReference } }: Job<RefundsLook>): Promise<ProviderRefund[]> => {
  const refunds: ProviderRefund[] = [];
  for (let after: string | undefined; ;) {
    const page = await provider.refunds({ tenant, now, chargeReference, ...(after === undefined ? {} : { after }) }, new AbortController().signal);
    if (page.status !== 'page') throw new Error(`the provider does not say what was given back of ${chargeReference}: ${page.status}`);
    refunds.push(...page.refunds);
    if (page.next === undefined) return refunds;
    after = page.next;
  }
};

const commandOf = ({ tenant, now, payload: { paymentId, provider, chargeReference } }: Job<RefundsLook>, { reference, key, amountMinor, currency, state, code }: ProviderRefund): RecordProviderRefund => ({
  type: 'RecordProviderRefund', paymentId, refundId: refundIdOf(tenant, provider, reference), ...(key === undefined ? {} : { key }), providerReference: reference, chargeReference,
  amount: Money.of(amountMinor, currency).toString(), currency, status: state, ...(code === undefined ? {} : { code }), reason: MADE_THERE, at: parseInstant(now),
});
/** By the name of the refund: whoever asks for looks, there is one row of them. */
const lookAgain = ({ tenant, clockId, now, payload }: Job<RefundsLook>, { reference }: ProviderRefund): NewJob => {
  const { look = 0 } = payload;
  return {
    id: derivedId('job', LOOK_AT_REFUNDS, tenant, payload.provider, reference, String(look)), kind: LOOK_AT_REFUNDS, tenant, clockId, dueAt: addDuration(now, LOOKS[Math.min(look, LOOKS.length - 1)]!),
    payload: { ...payload, look: look + 1 } satisfies RefundsLook,
  };
};
