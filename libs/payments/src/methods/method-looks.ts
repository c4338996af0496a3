import { derivedId, parseInstant } from '@valueverse/kernel';
import type { NewJob, Reaction, Tx } from '@valueverse/event-log';
import type { Job, JobHandler, JobResult, Service } from '@valueverse/platform';
import type { MethodDetails, NoAnswer, PaymentProvider, Providers } from '../providers/provider';
import type { LoseMethod, TakeOverMethod } from './domain/payment-methods';
import { methodsDecider } from './methods';

export const LOOK_AT_METHOD = 'payments.look-at-method';
/** Without a token: at the method that the customer has chosen at the provider. */
export interface MethodLook { readonly accountId: string; readonly provider: string; readonly token?: string }
/** Looks at whatever the provider told of are due at once. */
const AT_ONCE = '1970-01-01T00:00:00Z';
interface Customer { readonly reference: string; readonly looks: bigint }
interface Seen { readonly token: string; readonly method: MethodDetails | { readonly status: 'absent' } }

/** Looks that an event asks for: at a method, of whoever has it here and of the customer that it names; without a token at what the customer has chosen. */
export const methodLooks = async (tx: Tx, tenant: string, { provider, token, customer }: { readonly provider: string; readonly token?: string; readonly customer?: string }, jobId: string): Promise<NewJob[]> => {
  const { rows } = await tx.query<{ account_id: string; clock: string | null }>(
    `SELECT o.account_id, a.clock FROM (SELECT account_id FROM payment_methods WHERE tenant = $1 AND token = $2 AND status = 'attached' AND row->>'provider' = $3
       UNION SELECT account_id FROM provider_customers WHERE tenant = $1 AND provider = $3 AND reference = $4) o
     LEFT JOIN known_accounts a ON a.tenant = $1 AND a.account_id = o.account_id ORDER BY o.account_id`, [tenant, token ?? null, provider, customer ?? null]);
  return rows.map(({ account_id: accountId, clock }) => ({
    id: derivedId('job', LOOK_AT_METHOD, jobId, accountId), kind: LOOK_AT_METHOD, tenant, clockId: clock ?? undefined, dueAt: AT_ONCE, payload: { accountId, provider, ...(token === undefined ? {} : { token }) } satisfies MethodLook,
  }));
};

/**
 * Asks the provider how a method of a customer stands, and takes that over: attached, changed, gone, chosen. What was seen counts only where nobody has written down another look since this one began: so what is
 * written last was seen last, in whatever order the provider told of it.
 */
export const methodLookJob = (service: Service, providers: Providers): JobHandler => ({
  kind: LOOK_AT_METHOD,
  run: async (job: Job<MethodLook>): Promise<JobResult> => {
    const { tenant, payload: { accountId, provider: name } } = job;
    const provider = providers.find(name);
    if (provider === undefined) throw new Error(`the provider ${name} is not set up here`);
    const customer = await service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) =>
      (await tx.query<Customer>('SELECT reference, looks FROM provider_customers WHERE tenant = $1 AND provider = $2 AND account_id = $3', [tenant, name, accountId])).rows[0]);
    if (customer === undefined) return { outcome: 'done' };
    const seen = await look(provider, job, customer.reference);
    return seen === undefined ? { outcome: 'done' } : { outcome: 'done', write: (tx) => writeDown(tx, job, customer, seen) };
  },
});

const answered = <A extends { readonly status: string }>(answer: A | NoAnswer, accountId: string): A => {
  if (answer.status === 'unknown' || answer.status === 'unavailable' || answer.status === 'refused') throw new Error(`the provider does not say which methods ${accountId} has: ${(answer as NoAnswer).status}`);
  return answer as A;
};
const look = async (provider: PaymentProvider, { tenant, now, payload: { accountId, token: told } }: Job<MethodLook>, customer: string): Promise<Seen | undefined> => {
  const { signal } = new AbortController();
  const chosen = told === undefined ? answered(await provider.chosenMethod({ tenant, now, reference: customer }, signal), accountId) : undefined;
  const token = told ?? (chosen?.status === 'found' ? chosen.token : undefined);
  return token === undefined ? undefined : { token, method: answered(await provider.method({ tenant, now, reference: token }, signal), accountId) };
};

const writeDown = async (tx: Tx, job: Job<MethodLook>, { reference, looks }: Customer, { token, method }: Seen): Promise<Reaction> => {
  const { tenant, clockId, now, payload: { accountId, provider, token: told } } = job;
  const { rowCount } = await tx.query('UPDATE provider_customers SET looks = looks + 1 WHERE tenant = $1 AND provider = $2 AND account_id = $3 AND looks = $4', [tenant, provider, accountId, looks]);
  // Somebody else wrote down what they saw meanwhile: what was seen here may be older.
  if (rowCount === 0) return { jobs: [{ id: derivedId('job', job.id, 'again'), kind: LOOK_AT_METHOD, tenant, clockId, dueAt: AT_ONCE, payload: job.payload }] };
  const of = { accountId, provider, token, at: parseInstant(now) };
  if (method.status === 'absent' || method.customer !== reference) return { commands: [{ decider: methodsDecider, command: { type: 'LoseMethod', ...of } satisfies LoseMethod }] };
  const { status: _status, customer: _customer, createdAt: enteredAt, ...card } = method;
  const command: TakeOverMethod = { type: 'TakeOverMethod', ...of, ...card, token, enteredAt, methodId: derivedId('pm', tenant, provider, accountId, token), isDefault: told === undefined };
  return { commands: [{ decider: methodsDecider, command }] };
};
