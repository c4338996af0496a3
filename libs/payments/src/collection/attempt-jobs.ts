import { Money, parseInstant } from '@valueverse/kernel';
import { inSpan, SpanKind } from '@valueverse/event-log';
import { type Job, type JobHandler, type JobResult, rowOf, type Service } from '@valueverse/platform';
import { methodView, type MethodRow } from '../methods/methods';
import type { ChargeOrder, PaymentProvider, ProviderAnswer, Providers } from '../providers/provider';
import type { ProviderMeter } from '../providers/provider-meter';
import type { PaymentCommand } from './domain/payment';
import { paymentDecider, paymentView, type PaymentRow } from './payments';

export const RUN_ATTEMPT = 'payments.run-attempt';
export const LOOK_UP_ATTEMPT = 'payments.look-up-attempt';
export interface AttemptPayload { readonly paymentId: string; readonly attempt: number }

/** How long a provider may take. Far below the lease of a job, so that a slow answer is our own and not a second runner's. */
export const PROVIDER_DEADLINE_MS = 10_000;
const REASON_LENGTH_MAX = 500;

export interface AttemptJobsOptions { readonly service: Service; readonly providers: Providers; readonly deadlineMs?: number; readonly meter?: ProviderMeter }
interface OpenAttempt { readonly provider: PaymentProvider; readonly order: ChargeOrder }

/**
 * The two jobs that speak to a provider, outside any transaction. What they learn is recorded together with the end of the job; a job whose end was not
 * recorded runs again, and then it looks before it sends.
 */
export const attemptJobs = ({ service, providers, deadlineMs = PROVIDER_DEADLINE_MS, meter }: AttemptJobsOptions): readonly JobHandler[] => {
  const withOpen = (work: (job: Job<AttemptPayload>, open: OpenAttempt) => Promise<PaymentCommand>) => async (job: Job<AttemptPayload>): Promise<JobResult> => {
    const open = await openAttemptOf(service, providers, job);
    if (open === undefined) return { outcome: 'done' };
    return { outcome: 'done', reaction: { commands: [{ decider: paymentDecider, command: await work(job, open) }] } };
  };
  const asking = <A extends ProviderAnswer | undefined>(what: 'charge' | 'find', { provider: { name } }: OpenAttempt, ask: (signal: AbortSignal) => Promise<A>): Promise<A> =>
    inSpan(`provider ${what}`, { kind: SpanKind.CLIENT, attributes: { 'valueverse.provider': name } }, async () => {
      const began = performance.now();
      const told = (answer: A | 'lost'): void => meter?.(name, what, answer, (performance.now() - began) / 1_000);
      try {
        const answer = await within(deadlineMs, ask);
        told(answer);
        return answer;
      } catch (error) {
        told('lost');
        throw error;
      }
    });
  const find = (open: OpenAttempt) => asking('find', open, (signal) => open.provider.find(open.order, signal));
  const charge = (open: OpenAttempt) => asking('charge', open, (signal) => open.provider.charge(open.order, signal));
  return [
    {
      kind: RUN_ATTEMPT,
      run: withOpen(async (job, open) => {
        // An earlier run may have sent the order and died with the answer.
        const earlier = job.attempt === 1 ? undefined : await find(open);
        if (earlier !== undefined) return commandOf(job, earlier);
        try {
          return commandOf(job, await charge(open));
        } catch (error) {
          return lossOf(job, error);
        }
      }),
    },
    {
      // Runs until it knows: a provider that does not answer is asked again, with growing pauses.
      kind: LOOK_UP_ATTEMPT,
      run: withOpen(async (job, open) => commandOf(job, (await find(open)) ?? await charge(open))),
    },
  ];
};

/** What to send for an attempt; `undefined` when the attempt is over. */
const openAttemptOf = async (service: Service, providers: Providers, { tenant, payload }: Job<AttemptPayload>): Promise<OpenAttempt | undefined> => {
  const { payment, method } = await service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
    const found = await rowOf<PaymentRow>(tx, paymentView, payload.paymentId);
    return { payment: found, method: found === undefined ? undefined : await rowOf<MethodRow>(tx, methodView, found.methodId) };
  });
  if (payment === undefined || method === undefined) throw new Error(`the payment ${payload.paymentId} or its method is not there`);
  const attempt = payment.attempts.find(({ number }) => number === payload.attempt);
  if (attempt === undefined || attempt.endedAt !== null) return undefined;
  const provider = providers.find(payment.provider);
  if (provider === undefined) throw new Error(`the provider ${payment.provider} is not set up here`);
  const { currency, invoiceId } = payment;
  return { provider, order: { tenant, key: attempt.providerKey, amountMinor: Money.parse(payment.amount, currency).minor, currency, token: method.token, reference: invoiceId } };
};

const commandOf = ({ payload, now }: Job<AttemptPayload>, answer: ProviderAnswer): PaymentCommand => {
  const at = parseInstant(now);
  if (answer.status === 'declined') return { type: 'RecordDecline', ...payload, declineCode: answer.code, declineClass: answer.class, at };
  return { type: 'RecordSuccess', ...payload, amount: Money.of(answer.amountMinor, answer.currency).toString(), currency: answer.currency, providerReference: answer.reference, at };
};

const lossOf = ({ payload, now }: Job<AttemptPayload>, error: unknown): PaymentCommand =>
  ({ type: 'RecordLoss', ...payload, reason: (error instanceof Error ? error.message : String(error)).slice(0, REASON_LENGTH_MAX), at: parseInstant(now) });

/** Waits for an answer until the deadline, also where the other side does not heed the signal. */
const within = async <T>(deadlineMs: number, ask: (signal: AbortSignal) => Promise<T>): Promise<T> => {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new Error(`the provider did not answer within ${deadlineMs} ms`);
      controller.abort(error);
      reject(error);
    }, deadlineMs);
  });
  try {
    return await Promise.race([ask(controller.signal), late]);
  } finally {
    clearTimeout(timer);
  }
};
