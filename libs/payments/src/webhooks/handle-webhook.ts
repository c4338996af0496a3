import { derivedId } from '@valueverse/kernel';
import type { NewJob, Reaction, Tx } from '@valueverse/event-log';
import type { Job, JobHandler, Service } from '@valueverse/platform';
import { FOLLOW_ATTEMPT, type FollowPayload } from '../collection/attempt-jobs';
import { type Owners, ownersOf } from '../collection/owners';
import { LOOK_AT_DISPUTE, type DisputePayload } from '../disputes/dispute-jobs';
import { LOOK_AT_PAYOUT, type PayoutPayload } from '../payouts/payout-jobs';
import { methodLooks } from '../methods/method-looks';
import { LOOK_AT_SETUP, type SetupPayload } from '../methods/setup-jobs';
import { STRIPE_VERSION } from '../providers/stripe/stripe-version';
import { LOOK_AT_REFUNDS, type RefundsLook } from '../refunds/refund-looks';
import { meaningOf, type Meaning } from './domain/meaning';
import { HANDLE_WEBHOOK, MALFORMED, type WebhookPayload, type WebhookStatus } from './inbox';

interface Kept { readonly id: string; readonly provider: string; readonly type: string; readonly body: string; readonly account: string | null }
interface Come { readonly status: WebhookStatus; readonly reason?: string; readonly jobs?: readonly NewJob[] }
/** Looks at whatever an event is about are due at once. */
const AT_ONCE = '1970-01-01T00:00:00Z';
const ALARMING: readonly WebhookStatus[] = ['unknown_type', 'unknown_version', 'refused', 'failed'];

/** Turns what is in the inbox into looks at the provider. What can never be handled is kept with its reason, and an alarm says so. */
export const handleWebhook = (service: Service): JobHandler => {
  const handled = service.metrics.counter({ subsystem: 'payments', what: 'webhooks_handled', help: 'Webhooks by what has come of them', labels: ['provider', 'status'] });
  const handleAll = async (tx: Tx, jobs: readonly Job<WebhookPayload>[]): Promise<ReadonlyMap<string, Reaction>> => {
    const { tenant } = jobs[0]!;
    const { rows } = await tx.query<Kept>(
      `SELECT w.id, w.provider, w.type, w.body, s.account FROM webhook_inbox w LEFT JOIN provider_settings s ON s.tenant = w.tenant AND s.endpoint_id = w.endpoint_id WHERE w.tenant = $1 AND w.id = ANY($2)`, [tenant, jobs.map(({ payload }) => payload.webhookId)]);
    const kept = new Map(rows.map((row) => [row.id, { ...row, meaning: readEvent(row) }]));
    const meanings = [...kept.values()].flatMap(({ meaning }) => ('look' in meaning ? [meaning] : []));
    const owners = await ownersOf(tx, tenant, {
      keys: meanings.flatMap((meaning) => (meaning.look === 'attempt' ? [meaning.paymentId] : [])), references: meanings.flatMap((meaning) => (meaning.look === 'refunds' || meaning.look === 'dispute' ? [meaning.chargeReference] : [])),
    });
    const come: (Come & Pick<Kept, 'id' | 'provider'>)[] = [];
    const reactions = new Map<string, Reaction>();
    for (const { id: jobId, payload: { webhookId } } of jobs) {
      const one = kept.get(webhookId);
      const what = one === undefined ? undefined : await comeOf(tx, { tenant, provider: one.provider, meaning: one.meaning, jobId, owners });
      if (what !== undefined) come.push({ ...what, id: webhookId, provider: one!.provider });
      reactions.set(jobId, { jobs: what?.jobs ?? [] });
    }
    await tx.query('UPDATE webhook_inbox w SET status = g.status, reason = g.reason FROM unnest($2::text[], $3::text[], $4::text[]) g(id, status, reason) WHERE w.tenant = $1 AND w.id = g.id',
      [tenant, come.map(({ id }) => id), come.map(({ status }) => status), come.map(({ reason }) => reason ?? null)]);
    tx.afterCommit(() => {
      for (const { id: webhookId, provider, status, reason } of come) {
        handled.inc({ provider, status });
        if (ALARMING.includes(status)) service.logger.error({ alarm: true, webhookId, status, reason }, 'a webhook was kept that could not be handled');
      }
    });
    return reactions;
  };
  return { kind: HANDLE_WEBHOOK, run: (job: Job<WebhookPayload>) => Promise.resolve({ outcome: 'done', write: async (tx) => (await handleAll(tx, [job])).get(job.id)! }), together: handleAll };
};

/** What the event means, or why it means nothing to us. */
const readEvent = ({ type, body, account }: Kept): Meaning | Come => {
  if (type === MALFORMED) return { status: 'failed', reason: 'its body is signed, and is no event with an id and a type' };
  const event = JSON.parse(body) as { type: string; account?: unknown; api_version?: unknown; data?: { object?: Record<string, unknown> } };
  if (account !== null && event.account !== undefined && event.account !== account) return { status: 'refused', reason: 'it is about another account' };
  const meaning = meaningOf(event);
  if (meaning === undefined) return { status: 'unknown_type', reason: `nothing here knows what ${event.type} means` };
  if (event.api_version !== STRIPE_VERSION && event.api_version !== null) return { status: 'unknown_version', reason: `it speaks ${String(event.api_version)}, here ${STRIPE_VERSION} is spoken` };
  return meaning;
};

interface OneOfMany { readonly tenant: string; readonly provider: string; readonly meaning: Meaning | Come; readonly jobId: string; readonly owners: Owners }
const comeOf = async (tx: Tx, { tenant, provider, meaning, jobId, owners }: OneOfMany): Promise<Come> => {
  if ('status' in meaning) return meaning;
  if (meaning.look === 'nothing') return { status: 'noted', reason: meaning.reason };
  if (meaning.look === 'failed') return { status: 'failed', reason: meaning.reason };
  if (meaning.look === 'method') return methodsCome(tx, tenant, provider, meaning, jobId);
  if (meaning.look === 'payout') return { status: 'handled', jobs: [{ id: derivedId('job', LOOK_AT_PAYOUT, jobId), kind: LOOK_AT_PAYOUT, tenant, dueAt: AT_ONCE, payload: { provider, reference: meaning.reference } satisfies PayoutPayload }] };
  if (meaning.look === 'setup') return setupCome(tx, tenant, provider, meaning, jobId);
  const owner = meaning.look === 'attempt' ? owners.byKey.get(meaning.paymentId) : owners.byReference.get(meaning.chargeReference);
  if (owner === undefined) return { status: 'failed', reason: 'there is no such payment here' };
  const clockId = owner.clock ?? undefined;
  const job = (kind: string, payload: object): NewJob => ({ id: derivedId('job', kind, jobId), kind, tenant, clockId, dueAt: AT_ONCE, payload });
  switch (meaning.look) {
    // Money that came is looked at no more; anything else may have changed.
    case 'attempt': return owner.row.attempts.some(({ number, status }) => number === meaning.attempt && status === 'succeeded') ? { status: 'handled' } : { status: 'handled', jobs: [job(FOLLOW_ATTEMPT, { paymentId: owner.key, attempt: meaning.attempt, look: null } satisfies FollowPayload)] };
    case 'refunds': return { status: 'handled', jobs: [job(LOOK_AT_REFUNDS, { paymentId: owner.key, provider, chargeReference: meaning.chargeReference } satisfies RefundsLook)] };
    case 'dispute': return { status: 'handled', jobs: [job(LOOK_AT_DISPUTE, { paymentId: owner.key, provider, reference: meaning.disputeReference } satisfies DisputePayload)] };
  }
};

const setupCome = async (tx: Tx, tenant: string, provider: string, { accountId, reference }: { readonly accountId: string; readonly reference: string }, jobId: string): Promise<Come> => {
  const { rows: [account] } = await tx.query<{ clock: string | null }>('SELECT clock FROM known_accounts WHERE tenant = $1 AND account_id = $2', [tenant, accountId]);
  if (account === undefined) return { status: 'failed', reason: 'there is no such account here' };
  return { status: 'handled', jobs: [{ id: derivedId('job', LOOK_AT_SETUP, jobId), kind: LOOK_AT_SETUP, tenant, clockId: account.clock ?? undefined, dueAt: AT_ONCE, payload: { provider, reference, look: null } satisfies SetupPayload }] };
};

const methodsCome = async (tx: Tx, tenant: string, provider: string, { token, customer }: Extract<Meaning, { look: 'method' }>, jobId: string): Promise<Come> => {
  const jobs = await methodLooks(tx, tenant, { provider, ...(token === undefined ? {} : { token }), ...(customer === undefined ? {} : { customer }) }, jobId);
  return jobs.length === 0 ? { status: 'noted', reason: token === undefined ? 'no account here is this customer' : 'no account here pays with this method' } : { status: 'handled', jobs };
};
