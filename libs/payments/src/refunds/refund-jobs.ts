import { addDuration, derivedId, Money, parseInstant } from '@valueverse/kernel';
import type { NewJob } from '@valueverse/event-log';
import { type Job, type JobHandler, type JobResult, rowOf, type Service } from '@valueverse/platform';
import type { PaymentCommand } from '../collection/domain/payment';
import { type AttemptRow, paymentDecider, type PaymentRow, paymentView } from '../collection/payments';
import { MANUAL } from '../providers/manual/manual';
import { chargeEntry, enter } from '../providers/manual/manual-book';
import type { FoundRefund, Providers } from '../providers/provider';

export const RUN_REFUND = 'payments.run-refund';
/** `look` counts the looks at a refund. */
export interface RefundPayload { readonly paymentId: string; readonly refundId: string; readonly look: number }
/** When a refund that takes its time is looked at: by the clock of the payment. The last pause is repeated. */
export const LOOKS: readonly string[] = ['PT10M', 'PT1H', 'PT6H', 'PT24H'];
const UNAVAILABLE_PAUSE_MS = 2_000;

/** Gives money back, and looks again at a refund that takes its time. It looks before it sends: a run before this one may have sent it. */
export const refundJob = (service: Service, providers: Providers): JobHandler => ({
  kind: RUN_REFUND,
  run: async (job: Job<RefundPayload>): Promise<JobResult> => {
    const { tenant, now, payload: { paymentId, refundId } } = job;
    const payment = await service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => rowOf<PaymentRow>(tx, paymentView, paymentId));
    const refund = payment?.refunds.find(({ id }) => id === refundId);
    if (payment === undefined || refund === undefined) throw new Error(`the refund ${refundId} is not there`);
    if (refund.status === 'failed' || (refund.status === 'succeeded' && job.payload.look === 0)) return { outcome: 'done' };
    const attempt = payment.attempts.find(({ number }) => number === refund.attempt);
    const name = attempt?.provider ?? payment.provider;
    const provider = providers.find(name);
    if (provider === undefined) throw new Error(`the provider ${name} is not set up here`);
    if (name === MANUAL && attempt !== undefined) await enterBefore(service, tenant, payment, attempt);
    const { signal } = new AbortController();
    const asked = { tenant, now, key: refund.providerKey, reference: refund.chargeReference };
    const found: FoundRefund = job.attempt === 1 && job.payload.look === 0 ? { status: 'absent' } : await provider.findRefund(asked, signal);
    // A later look comes after the provider had it: what it does not show now it may show again, and its key may be forgotten by now. Nobody sends it a second time.
    if (found.status === 'absent' && job.payload.look !== 0) throw new Error(`the provider does not show the refund ${refundId} any more`);
    const answer = found.status === 'absent' ? await provider.refund({ ...asked, refundId, amountMinor: Money.parse(refund.amount, payment.currency).minor, currency: payment.currency }, signal) : found;
    return resultOf(job, answer);
  },
});

/** What a process of the release before recorded by hand does not stand in the book yet. */
const enterBefore = (service: Service, tenant: string, { amount, currency, createdAt }: PaymentRow, attempt: AttemptRow): Promise<void> =>
  service.database.transaction({ role: 'api', tenant }, (tx) => enter(tx, tenant, [chargeEntry({ providerKey: attempt.providerKey, reference: attempt.providerReference!, amount: attempt.amount ?? amount, currency, at: attempt.endedAt ?? createdAt })]));
const done = (command: PaymentCommand): JobResult => ({ outcome: 'done', reaction: { commands: [{ decider: paymentDecider, command }] } });
const resultOf = (job: Job<RefundPayload>, answer: Exclude<FoundRefund, { status: 'absent' }>): JobResult => {
  const { paymentId, refundId, look } = job.payload;
  const at = parseInstant(job.now);
  switch (answer.status) {
    case 'succeeded': return done({ type: 'RecordRefund', paymentId, refundId, providerReference: answer.reference, at });
    case 'failed': return done({ type: 'RecordRefundFailure', paymentId, refundId, code: answer.code, at });
    case 'refused': return done({ type: 'RecordRefundFailure', paymentId, refundId, code: answer.code, at });
    case 'pending': return { outcome: 'done', reaction: { jobs: [lookAgain(job, look + 1)] } };
    case 'unavailable': return { outcome: 'wait', afterMs: UNAVAILABLE_PAUSE_MS, reason: answer.reason };
    // Tried again with growing pauses, and looked up first.
    case 'unknown': throw new Error(`the provider does not say what became of the refund ${refundId}: ${answer.reason}`);
  }
};
const lookAgain = ({ tenant, clockId, now, payload }: Job<RefundPayload>, look: number): NewJob => ({
  id: derivedId('job', RUN_REFUND, tenant, payload.refundId, String(look)), kind: RUN_REFUND, tenant, clockId, dueAt: addDuration(now, LOOKS[Math.min(look - 1, LOOKS.length - 1)]!), payload: { ...payload, look } satisfies RefundPayload,
});
