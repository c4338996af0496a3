import { derivedId, laterOf, parseInstant } from '@valueverse/kernel';
import type { PaymentMethodAttached, PaymentMethodUpdated } from '@valueverse/contracts';
import type { DomainEvent, Fact, NewJob, Reacting, Reactor, Tx } from '@valueverse/event-log';
import type { Job, JobHandler, JobResult, Service } from '@valueverse/platform';
import type { Providers } from '../providers/provider';
import { toldAt } from './domain/expiry';
import type { MethodCommand } from './domain/payment-methods';
import { methodsDecider } from './methods';

export const TELL_EXPIRY = 'payments.tell-expiry';
interface ExpiryPayload { readonly methodId: string; readonly accountId: string; readonly expires: string }
export const LOOK_AT_METHOD = 'payments.look-at-method';
export interface MethodPayload { readonly methodId: string; readonly accountId: string; readonly provider: string; readonly token: string }

const done = (command: MethodCommand): JobResult => ({ outcome: 'done', reaction: { commands: [{ decider: methodsDecider, command }] } });

/** Says that a card is about to expire. One that has been replaced meanwhile has a job of its own. */
export const expiryJob: JobHandler = {
  kind: TELL_EXPIRY,
  run: async ({ payload, now }: Job<ExpiryPayload>) => done({ type: 'TellExpiry', ...payload, at: parseInstant(now) }),
};

/** Asks the provider what a card looks like now. One that is gone there is found out when it is charged. */
export const methodJob = (providers: Providers): JobHandler => ({
  kind: LOOK_AT_METHOD,
  run: async ({ tenant, now, payload: { methodId, accountId, provider: name, token } }: Job<MethodPayload>): Promise<JobResult> => {
    const provider = providers.find(name);
    if (provider === undefined) throw new Error(`the provider ${name} is not set up here`);
    const found = await provider.method({ tenant, now, reference: token }, new AbortController().signal);
    if (found.status === 'absent') return { outcome: 'done' };
    if (found.status !== 'attached') throw new Error(`the provider does not say what the method ${methodId} looks like`);
    const { brand, last4, expires } = found;
    const card = { ...(brand === undefined ? {} : { brand }), ...(last4 === undefined ? {} : { last4 }), ...(expires === undefined ? {} : { expires }) };
    return done({ type: 'UpdateMethod', methodId, accountId, ...card, at: parseInstant(now) });
  },
});

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
