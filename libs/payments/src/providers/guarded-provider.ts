import { inSpan, SpanKind } from '@valueverse/event-log';
import { BrokenCircuitError, BulkheadRejectedError, bulkhead, circuitBreaker, CircuitState, ConsecutiveBreaker, ExponentialBackoff, handleWhenResult, type IPolicy, retry, wrap } from 'cockatiel';
import type { NoAnswer, PaymentProvider, Unknown } from './provider';
import type { ProviderMeter, ProviderOperation } from './provider-meter';

/** How long a provider may take. Far below the lease of a job, so that a slow answer is our own and not a second runner's. */
export const PROVIDER_DEADLINE_MS = 10_000;
/** Only where it is sure that nothing was done: with jitter, and few. Everything else is looked up first. */
const RETRIES_MAX = 2;
const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 1_000;
const AT_ONCE = 32;
const WAITING_MAX = 256;
/** So many questions without an answer one after the other, and the provider is left alone for a while. */
const FAILURES_MAX = 10;
const LEFT_ALONE_MS = 5_000;

export interface GuardOptions { readonly deadlineMs?: number; readonly leftAloneMs?: number; readonly meter?: ProviderMeter }
interface Answer extends Partial<Pick<Unknown, 'isReplay' | 'isAnswer'>> { readonly status: string; readonly class?: string }

/**
 * A provider behind a deadline, a bounded retry, a bulkhead and a breaker. What does not answer in time is `unknown`; what was turned away is `unavailable`, because
 * nothing was sent. A provider that is left alone burns no attempt.
 */
export const guarded = (provider: PaymentProvider, { deadlineMs = PROVIDER_DEADLINE_MS, leftAloneMs = LEFT_ALONE_MS, meter }: GuardOptions = {}): PaymentProvider => {
  const { name, can } = provider;
  // A question that it cannot settle, or a key of one tenant that it does not take, makes no provider one that is away: all other payments, and all other tenants, would wait for that.
  const isSilent = ({ status, isReplay, isAnswer }: Answer): boolean => (status === 'unknown' || status === 'unavailable') && isReplay !== true && isAnswer !== true;
  const breaker = circuitBreaker(handleWhenResult((answer) => isSilent(answer as Answer)), { halfOpenAfter: leftAloneMs, breaker: new ConsecutiveBreaker(FAILURES_MAX) });
  // One that was never away says so too: an alarm on nothing would be none.
  meter?.breaker(name, 'closed');
  breaker.onStateChange((state) => meter?.breaker(name, state === CircuitState.Open ? 'open' : state === CircuitState.HalfOpen ? 'half_open' : 'closed'));
  const room = bulkhead(AT_ONCE, WAITING_MAX);
  const guardOf = (operation: ProviderOperation): IPolicy => {
    const again = retry(handleWhenResult((answer) => (answer as Answer).status === 'unavailable'), { maxAttempts: RETRIES_MAX, backoff: new ExponentialBackoff({ initialDelay: RETRY_FIRST_MS, maxDelay: RETRY_MAX_MS }) });
    again.onRetry(() => meter?.retried(name, operation));
    return wrap(room, again, breaker);
  };
  const asking = <O, A extends Answer>(operation: ProviderOperation, ask: (order: O, signal: AbortSignal) => Promise<A>): ((order: O, signal: AbortSignal) => Promise<A | NoAnswer>) => {
    const policy = guardOf(operation);
    return (order, signal) => inSpan(`provider ${operation}`, { kind: SpanKind.CLIENT, attributes: { 'valueverse.provider': name } }, () => policy.execute(async () => {
      const began = performance.now();
      const answer = await within(deadlineMs, signal, (both) => ask(order, both));
      meter?.answered(name, operation, answer, (performance.now() - began) / 1_000);
      return answer;
    }).catch((error: unknown): NoAnswer => turnedAway(error, name, meter)) as Promise<A | NoAnswer>);
  };
  return {
    name, can, stepOf: provider.stepOf.bind(provider), customer: asking('customer', provider.customer.bind(provider)), attach: asking('attach', provider.attach.bind(provider)), setup: asking('setup', provider.setup.bind(provider)), readSetup: asking('read_setup', provider.readSetup.bind(provider)), portal: asking('portal', provider.portal.bind(provider)), method: asking('method', provider.method.bind(provider)),
    detach: asking('detach', provider.detach.bind(provider)), chosenMethod: asking('chosen_method', provider.chosenMethod.bind(provider)), charge: asking('charge', provider.charge.bind(provider)), find: asking('find', provider.find.bind(provider)),
    read: asking('read', provider.read.bind(provider)), confirm: asking('confirm', provider.confirm.bind(provider)), cancel: asking('cancel', provider.cancel.bind(provider)), refund: asking('refund', provider.refund.bind(provider)), findRefund: asking('find_refund', provider.findRefund.bind(provider)),
    refunds: asking('refunds', provider.refunds.bind(provider)), dispute: asking('dispute', provider.dispute.bind(provider)), disputes: asking('disputes', provider.disputes.bind(provider)), payout: asking('payout', provider.payout.bind(provider)), payouts: asking('payouts', provider.payouts.bind(provider)), linesOf: asking('lines_of', provider.linesOf.bind(provider)), balance: asking('balance', provider.balance.bind(provider)),
  };
};

/** Nothing was sent where the breaker was open or the room was full; anything else that is thrown says nothing of what was done. */
const turnedAway = (error: unknown, name: string, meter: ProviderMeter | undefined): NoAnswer => {
  if (error instanceof BrokenCircuitError) { meter?.turnedAway(name, 'breaker'); return { status: 'unavailable', reason: 'the provider does not answer and is left alone for a moment' }; }
  if (error instanceof BulkheadRejectedError) { meter?.turnedAway(name, 'bulkhead'); return { status: 'unavailable', reason: 'too many questions to this provider are under way' }; }
  return { status: 'unknown', reason: error instanceof Error ? error.message : String(error) };
};

/** Waits for an answer until the deadline, also where the other side does not heed the signal. */
const within = async <A extends Answer>(deadlineMs: number, signal: AbortSignal, ask: (signal: AbortSignal) => Promise<A>): Promise<A | NoAnswer> => {
  const deadline = AbortSignal.timeout(deadlineMs);
  const late = new Promise<NoAnswer>((resolve) => {
    deadline.addEventListener('abort', () => resolve({ status: 'unknown', reason: `the provider did not answer within ${deadlineMs} ms` }), { once: true });
  });
  try {
    return await Promise.race([ask(AbortSignal.any([signal, deadline])), late]);
  } catch (error) {
    return { status: 'unknown', reason: error instanceof Error ? error.message : String(error) };
  }
};
