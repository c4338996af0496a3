import { addDuration, derivedId, isBefore, Money, parseInstant } from '@valueverse/kernel';
import type { NewJob } from '@valueverse/event-log';
import type { Job, JobHandler, JobResult, Service } from '@valueverse/platform';
import { PREPAYMENT_SENT_WITHIN } from '../credits/prepay';
import { customerOf } from '../providers/customers';
import type { DeclineClass, Found, Settled } from '../providers/provider';
import type { PaymentCommand } from './domain/payment';
import { attemptOf, failoverOf, nextTryOf, openAttemptOf, type Means, type OpenAttempt } from './open-attempt';
import { paymentDecider } from './payments';

export const RUN_ATTEMPT = 'payments.run-attempt';
export const LOOK_UP_ATTEMPT = 'payments.look-up-attempt';
export const FOLLOW_ATTEMPT = 'payments.follow-attempt';
export interface AttemptPayload { readonly paymentId: string; readonly attempt: number }
/** `look` counts the looks at an attempt; `null` for one that a webhook asked for, which is followed by none. */
export interface FollowPayload extends AttemptPayload { readonly look: number | null }

const REASON_LENGTH_MAX = 500;
/** How long a provider that did nothing is left alone before it is asked again. */
const UNAVAILABLE_PAUSE_MS = 2_000;
/** Providers forget keys after a day: later the same order under the same key would be another one. */
const KEY_LIVES = 'PT24H';
/** When an attempt that takes days, or waits for its customer, is looked at: by the clock of the payment. The last pause is repeated. */
const LOOKS: readonly string[] = ['PT10M', 'PT1H', 'PT6H', 'PT24H'];
/** A customer who has not confirmed for so long will not. */
const CONFIRM_WITHIN = 'PT72H';

/** The look after another one; its id follows from the attempt, so that it is there once. */
export const followJob = ({ tenant, clockId, now }: { readonly tenant: string; readonly clockId?: string | undefined; readonly now: string }, { paymentId, attempt, look }: AttemptPayload & { readonly look: number }): NewJob => ({
  id: derivedId('job', FOLLOW_ATTEMPT, tenant, paymentId, String(attempt), String(look)), kind: FOLLOW_ATTEMPT, tenant, clockId, dueAt: addDuration(now, LOOKS[Math.min(look, LOOKS.length - 1)]!), payload: { paymentId, attempt, look } satisfies FollowPayload,
});

/** The money that a provider says it has taken. */
export const successOf = ({ paymentId, attempt }: AttemptPayload, { amountMinor, currency, feeMinor, reference }: Extract<Settled, { status: 'succeeded' }>, at: string): PaymentCommand => ({
  type: 'RecordSuccess', paymentId, attempt, amount: Money.of(amountMinor, currency).toString(), currency, providerReference: reference, at, ...(feeMinor === undefined ? {} : { fee: Money.of(feeMinor, currency).toString() }),
});
const done = (command: PaymentCommand, jobs: readonly NewJob[] = []): JobResult => ({ outcome: 'done', reaction: { commands: [{ decider: paymentDecider, command }], jobs } });
const laterOn = (reason: string): JobResult => ({ outcome: 'wait', afterMs: UNAVAILABLE_PAUSE_MS, reason });
/** A run that throws is tried again with growing pauses, and after some of them an alarm says so. */
const stillUnknown = (key: string, reason: string): never => { throw new Error(`the provider does not say what became of ${key}: ${reason}`); };
const said = (answer: { readonly status: string; readonly reason?: string; readonly detail?: string }): string => answer.reason ?? answer.detail ?? answer.status;
/**
 * The look after an attempt was ended because the provider did not find its order: one that was sent a moment ago may be at work there still. It comes before the next attempt, and money that it finds is this payment's.
 */
const lastLook = ({ tenant, clockId, now, payload: { paymentId, attempt } }: Job<AttemptPayload>): NewJob => followJob({ tenant, clockId, now }, { paymentId, attempt, look: 0 });
/** What is paid ahead is sent soon after it was asked for, or not at all. */
const isTooLate = ({ now }: Job, { payment: { creditId, createdAt } }: OpenAttempt): boolean => creditId !== undefined && isBefore(addDuration(createdAt, PREPAYMENT_SENT_WITHIN), now);
/**
 * The code of an order that the provider does not have, and that is not sent (any more): an attempt before it has taken the money after all, it is late, as `late` calls that, or its invoice was paid in another way, or voided, meanwhile.
 * `undefined` where it is to be sent.
 */
const notSentFor = (open: OpenAttempt, late: string | undefined): string | undefined => {
  if (open.payment.status === 'succeeded') return 'already_paid';
  return late ?? (open.isInvoiceOver ? 'nothing_due' : undefined);
};
type Run<P> = (job: Job<P>, open: OpenAttempt, signal: AbortSignal) => Promise<JobResult>;

/**
 * The jobs that speak to a provider about an attempt, outside any transaction. What they learn is recorded together with the end of the job; a job whose end was not
 * recorded runs again, and then it looks before it sends.
 */
export class Attempts {
  constructor(private readonly service: Service, private readonly means: Means) {}

  get jobs(): readonly JobHandler[] {
    return [
      { kind: RUN_ATTEMPT, run: this.ofOpen<AttemptPayload>((job, open, signal) => this.send(job, open, signal)) },
      // Runs until it knows.
      { kind: LOOK_UP_ATTEMPT, run: this.ofOpen<AttemptPayload>((job, open, signal) => this.lookUp(job, open, signal)) },
      { kind: FOLLOW_ATTEMPT, run: async (job: Job<FollowPayload>) => this.follow(job, await attemptOf(this.service, this.means, job), new AbortController().signal) },
    ];
  }

  private ofOpen<P extends AttemptPayload>(run: Run<P>): (job: Job<P>) => Promise<JobResult> {
    return async (job) => {
      const open = await openAttemptOf(this.service, this.means, job);
      return open === undefined ? { outcome: 'done' } : run(job, open, new AbortController().signal);
    };
  }

  private async send(job: Job<AttemptPayload>, open: OpenAttempt, signal: AbortSignal): Promise<JobResult> {
    // Nothing was sent yet: it goes to what is left.
    if (open.isMethodRemoved && job.attempt === 1) return this.declined(job, open, 'payment_method_removed', 'hard');
    const who = await this.customer(job, open, signal);
    // Nothing was charged yet, whatever became of the customer.
    if (who.status === 'refused') return this.declined(job, open, who.code, 'hard');
    if (who.status !== 'made') return this.away(job, open, who.reason);
    // An earlier run may have sent the order and died with the answer.
    const earlier: Settled = job.attempt === 1 && !isTooLate(job, open) ? { status: 'absent' } : await this.find(open, who.reference, signal);
    if (earlier.status === 'unknown' || earlier.status === 'unavailable' || earlier.status === 'refused') return laterOn(said(earlier));
    const notSent = earlier.status === 'absent' ? notSentFor(open, isTooLate(job, open) ? 'not_sent_in_time' : undefined) : undefined;
    if (notSent !== undefined) return this.givenUp(job, open, notSent);
    const answer = earlier.status === 'absent' ? await this.charge(open, who.reference, signal) : earlier;
    if (answer.status === 'unavailable') return this.away(job, open, answer.reason);
    return answer.status === 'declined' ? this.declined(job, open, answer.code, answer.class, job.attempt === 1) : this.record(job, open, answer);
  }

  private async lookUp(job: Job<AttemptPayload>, open: OpenAttempt, signal: AbortSignal): Promise<JobResult> {
    const { key } = open.order;
    const who = await this.customer(job, open, signal);
    if (who.status !== 'made') return stillUnknown(key, said(who));
    const found = await this.find(open, who.reference, signal);
    if (found.status === 'unknown' || found.status === 'unavailable' || found.status === 'refused') return stillUnknown(key, said(found));
    if (found.status !== 'absent') return this.record(job, open, found);
    // The look may have taken its time: what was heard of meanwhile counts.
    const now = await openAttemptOf(this.service, this.means, job);
    if (now === undefined) return { outcome: 'done' };
    const isLate = isTooLate(job, open) || isBefore(addDuration(open.attempt.startedAt, KEY_LIVES), job.now);
    const notSent = notSentFor(now, isLate ? 'never_arrived' : undefined);
    if (notSent !== undefined) return this.givenUp(job, open, notSent);
    const sent = await this.charge(open, who.reference, signal);
    if (sent.status !== 'unknown' && sent.status !== 'unavailable' && sent.status !== 'absent') return this.record(job, open, sent);
    // A key that will never be given another answer, with nothing done under it: it is over, and the next attempt has a key of its own.
    const isOver = sent.status === 'unknown' && sent.isReplay === true && (await this.find(open, who.reference, signal)).status === 'absent';
    return isOver ? this.givenUp(job, open, 'provider_error') : stillUnknown(key, said(sent));
  }

  /** Looks at an attempt that takes days, waits for its customer, or of which a webhook told; also at one that is over: money may have come after all. */
  private async follow(job: Job<FollowPayload>, one: OpenAttempt, signal: AbortSignal): Promise<JobResult> {
    const { attempt, order } = one;
    if (attempt.status === 'succeeded') return { outcome: 'done' };
    const waitsForCustomer = attempt.status === 'requires_action';
    const isLate = waitsForCustomer && isBefore(addDuration(attempt.startedAt, CONFIRM_WITHIN), job.now);
    const found = await this.stands(job, one, isLate, signal);
    if (found.status === 'unknown' || found.status === 'unavailable' || found.status === 'refused') return stillUnknown(order.key, said(found));
    // Whether it was sent is for the job that sends it to find out.
    if (found.status === 'absent') return { outcome: 'done' };
    const { look, ...payload } = job.payload;
    if (attempt.endedAt !== null) {
      if (found.status === 'succeeded') return this.record(job, one, found);
      // Money that takes days is waited for, whatever was thought of it.
      return found.status === 'processing' && look !== null ? { outcome: 'done', reaction: { jobs: [followJob(job, { ...payload, look: look + 1 })] } } : { outcome: 'done' };
    }
    if (isLate && found.status === 'declined') return this.declined(job, one, 'not_confirmed', 'hard');
    if (found.status !== (waitsForCustomer ? 'requires_action' : 'processing') || (!waitsForCustomer && attempt.providerReference === undefined)) return this.record(job, one, found, look === null ? 0 : look + 1);
    return look === null ? { outcome: 'done' } : { outcome: 'done', reaction: { jobs: [followJob(job, { ...payload, look: look + 1 })] } };
  }

  /** How the provider says that an attempt stands; one that is late is ended there. */
  private async stands(job: Job, one: OpenAttempt, isLate: boolean, signal: AbortSignal): Promise<Settled> {
    const { attempt, order, provider } = one;
    if (attempt.providerReference !== undefined) {
      const asked = { tenant: order.tenant, now: order.now, reference: attempt.providerReference };
      return this.settled(one, await (isLate ? provider.cancel(asked, signal) : provider.read(asked, signal)), signal);
    }
    const who = await this.customer(job, one, signal);
    return who.status === 'made' ? this.find(one, who.reference, signal) : who;
  }

  /** What an answer comes to. */
  private async record(job: Job<AttemptPayload>, open: OpenAttempt, answer: Settled, look = 0): Promise<JobResult> {
    const { paymentId, attempt } = job.payload;
    const at = parseInstant(job.now);
    switch (answer.status) {
      case 'succeeded': return done(successOf({ paymentId, attempt }, answer, at));
      case 'declined': return this.declined(job, open, answer.code, answer.class);
      case 'processing': return done({ type: 'RecordPending', paymentId, attempt, providerReference: answer.reference, at }, [followJob(job, { paymentId, attempt, look })]);
      case 'requires_action': return done({ type: 'RecordAction', paymentId, attempt, providerReference: answer.reference, url: answer.url, at }, [followJob(job, { paymentId, attempt, look })]);
      case 'unavailable': return laterOn(answer.reason);
      case 'absent': return laterOn('the provider does not find what it has just been asked for');
      // Nobody else has this key: an order of ours is there, which said something else, as the page to which a bank leads back.
      case 'refused': return answer.code === 'key_reused' ? this.givenUp(job, open, answer.code) : this.declined(job, open, answer.code, 'hard');
      case 'unknown': return done({ type: 'RecordLoss', paymentId, attempt, reason: answer.reason.slice(0, REASON_LENGTH_MAX), at });
    }
  }

  /**
   * A provider that has done nothing is waited for, or replaced where the tenant wants that and the account has a method elsewhere. Only by the first run of this job: a run before this
   * one may have sent what is still on its way, and another provider would not know its key.
   */
  private async away(job: Job<AttemptPayload>, open: OpenAttempt, reason: string): Promise<JobResult> {
    const isFirst = job.attempt === 1;
    // What is paid ahead is charged now or not at all.
    if (isFirst && open.payment.creditId !== undefined) return this.declined(job, open, 'provider_unavailable', 'technical', true);
    const other = isFirst ? await failoverOf(this.service, open, job.tenant) : undefined;
    return other === undefined ? laterOn(reason) : this.declined(job, open, 'provider_unavailable', 'technical', true);
  }

  private async declined(job: Job<AttemptPayload>, open: OpenAttempt, declineCode: string, declineClass: DeclineClass, isSure = false, jobs: readonly NewJob[] = []): Promise<JobResult> {
    const at = parseInstant(job.now);
    const { paymentId, attempt } = job.payload;
    const next = await nextTryOf(this.service, open, { tenant: job.tenant, class: declineClass, at, isSure });
    return done({ type: 'RecordDecline', paymentId, attempt, declineCode, declineClass, ...(next === undefined ? {} : { next }), at }, jobs);
  }
  /** Ends an attempt whose order is not found at the provider, where it may have been sent. */
  private givenUp(job: Job<AttemptPayload>, open: OpenAttempt, declineCode: string): Promise<JobResult> { return this.declined(job, open, declineCode, 'technical', false, [lastLook(job)]); }

  private async customer({ tenant, now }: Job, { provider, payment, customer }: OpenAttempt, signal: AbortSignal): ReturnType<typeof customerOf> {
    return customer !== undefined ? { status: 'made', reference: customer } : customerOf(this.service, provider, { tenant, accountId: payment.accountId, now }, signal);
  }
  private async charge(open: OpenAttempt, customer: string, signal: AbortSignal): Promise<Settled> {
    return this.settled(open, await open.provider.charge({ ...open.order, customer }, signal), signal);
  }
  private async find(open: OpenAttempt, customer: string, signal: AbortSignal): Promise<Settled> {
    const { provider, order, attempt } = open;
    return this.settled(open, await provider.find({ tenant: order.tenant, now: order.now, key: order.key, customer, since: attempt.startedAt }, signal), signal);
  }
  /** A bank that wants its customer there is given the customer: whoever hears of it first asks, under one key. Nobody is asked for an attempt that is over. */
  private async settled({ provider, order, attempt }: OpenAttempt, answer: Found, signal: AbortSignal): Promise<Settled> {
    if (answer.status !== 'needs_customer') return answer;
    const { reference } = answer;
    if (attempt.endedAt !== null) return { status: 'declined', code: 'authentication_required', class: 'hard', reference };
    const { tenant, now, key, token, returnUrl } = order;
    return provider.confirm({ tenant, now, key, token, returnUrl, reference }, signal);
  }
}
