import { derivedId, laterOf, parseInstant } from '@valueverse/kernel';
import type { PaymentMethodAttached, PaymentMethodUpdated } from '@valueverse/contracts';
import type { DomainEvent, Fact, NewJob, Reacting, Reactor, Tx } from '@valueverse/event-log';
import type { Job, JobHandler, JobResult, Service } from '@valueverse/platform';
import { toldAt } from './domain/expiry';
import type { TellExpiry } from './domain/payment-methods';
import { methodsDecider } from './methods';

export const TELL_EXPIRY = 'payments.tell-expiry';
interface ExpiryPayload { readonly methodId: string; readonly accountId: string; readonly expires: string }

/** Says that a card is about to expire. One that has been replaced meanwhile has a job of its own. */
export const expiryJob: JobHandler = {
  kind: TELL_EXPIRY,
  run: async ({ payload, now }: Job<ExpiryPayload>): Promise<JobResult> => {
    const command: TellExpiry = { type: 'TellExpiry', ...payload, at: parseInstant(now) };
    return { outcome: 'done', reaction: { commands: [{ decider: methodsDecider, command }] } };
  },
};

/** Schedules the word about a card's end when it comes, and when it is replaced. */
export const expiryReactor = (service: Pick<Service, 'clock'>): Reactor => {
  const on = <E extends DomainEvent>(type: E['type'], reacting: Reacting<E>) => ({ [type]: reacting });
  const jobsFor = async ({ methodId, accountId, expires }: PaymentMethodAttached | PaymentMethodUpdated, { tenant, at, clockId }: Fact, tx: Tx): Promise<{ jobs: NewJob[] }> => {
    const { rows: [account] } = await tx.query<{ timezone: string }>('SELECT timezone FROM known_accounts WHERE tenant = $1 AND account_id = $2', [tenant, accountId]);
    const told = expires === undefined ? undefined : toldAt(expires, account?.timezone ?? 'UTC');
    if (expires === undefined || told === undefined) return { jobs: [] };
    const dueAt = laterOf(told, clockId === undefined ? service.clock.now() : at);
    return { jobs: [{ id: derivedId('job', TELL_EXPIRY, tenant, methodId, expires), kind: TELL_EXPIRY, tenant, clockId, dueAt, payload: { methodId, accountId, expires } satisfies ExpiryPayload }] };
  };
  return {
    kind: 'reactor', name: 'payments-expiry', topics: ['payments.methods'],
    on: { ...on<PaymentMethodAttached>('PaymentMethodAttached', jobsFor), ...on<PaymentMethodUpdated>('PaymentMethodUpdated', jobsFor) },
  };
};
