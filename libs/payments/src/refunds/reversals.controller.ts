import { Body, Controller, Inject, Param, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, contextOfCaller, CurrentCaller } from '@valueverse/auth';
import { type IdSource, Refused } from '@valueverse/kernel';
import { answerOnce, Answers, created, IDS, InstantField, MoneyString, rowOf, Service, Text } from '@valueverse/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { clockOfAccount } from '../accounts/known-accounts';
import { type DisputeRow, disputeView, paymentDecider, type PaymentRow, paymentView } from '../collection/payments';
import type { RecordReversal } from '../collection/domain/payment-command';
import { PAYMENT, toAnswer } from '../collection/payments.controller';
import { disputeIdOf } from '../disputes/dispute-jobs';
import { MANUAL } from '../providers/manual/manual';
import { enter } from '../providers/manual/manual-book';
import { PAYMENTS_SERVICE } from '../tokens';

const REASON_MAX = 128;
export class NewReversal {
  @MoneyString({ optional: true, description: 'How much of it did not last; all of it that is not gone already when it is not given' }) amount?: string;
  @Text({ max: REASON_MAX, description: 'Why: a cheque that bounced, a transfer that was called back' }) reason!: string;
  @InstantField({ description: 'When it was gone' }) reversedAt!: string;
}

/** Money that came in by hand and did not last. */
@ApiTags('payments')
@Controller('api/v1/payments')
export class ReversalsController {
  constructor(@Inject(PAYMENTS_SERVICE) private readonly service: Service, @Inject(IDS) private readonly ids: IdSource) {}

  /**
   * Records that money that came in by hand is gone again: it stands with the disputes, as one that was lost, and what it paid is owed again, or not, as a lost dispute is. Needs an `Idempotency-Key`. Refuses with `payment_not_found`, `not_manual` money that a
   * provider took, `nothing_to_reverse`, `reversal_not_positive`, and `reversal_exceeds_payment` an amount above what is not gone already.
   */
  @Post(':id/reversals')
  @Allow('payments:write')
  @Answers(PAYMENT, 201)
  reverse(@CurrentCaller() caller: Caller, @Param('id') paymentId: string, @Body() { amount, reason, reversedAt }: NewReversal, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { tenant } = caller;
    return answerOnce(this.service, { tenant, route: 'POST /api/v1/payments/{id}/reversals', request, reply, keyRequired: true }, async (tx) => {
      const payment = await rowOf<PaymentRow>(tx, paymentView, paymentId);
      if (payment === undefined) throw new Refused('payment_not_found', 'there is no payment with this id');
      if (payment.provider !== MANUAL) throw new Refused('not_manual', `${payment.provider} took this money: what its customer takes back is disputed at the bank`);
      const { now, clockId } = await clockOfAccount(tx, this.service, tenant, payment.accountId);
      const reference = this.ids.next('rev');
      const disputeId = disputeIdOf(tenant, MANUAL, reference);
      const command: RecordReversal = { type: 'RecordReversal', paymentId, disputeId, providerReference: reference, ...(amount === undefined ? {} : { amount }), reason, at: reversedAt };
      await this.service.log.execute(tx, [{ decider: paymentDecider, command, context: contextOfCaller(caller, now, clockId) }]);
      const gone = (await rowOf<DisputeRow>(tx, disputeView, disputeId))!;
      const chargeReference = payment.attempts.find(({ number }) => number === gone.attempt)?.providerReference ?? null;
      await enter(tx, tenant, [{ kind: 'reversal', key: reference, reference, chargeReference, amount: gone.amount, currency: gone.currency, reason, at: reversedAt }]);
      return created(`/api/v1/payments/${paymentId}`, toAnswer((await rowOf<PaymentRow>(tx, paymentView, paymentId))!));
    });
  }
}
