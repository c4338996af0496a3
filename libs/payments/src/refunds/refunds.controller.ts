import { Body, Controller, Get, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, contextOfCaller, CurrentCaller } from '@valueverse/auth';
import { type IdSource, Money, Refused } from '@valueverse/kernel';
import { answerOnce, Answers, AnswersPage, created, Cursors, IDS, listRows, MoneyString, OneOf, type Page, PageQuery, rowOf, Service, Text, Whole } from '@valueverse/platform';
import { decimal, instant, list, nullable, object, oneOf, optional, text, whole } from '@valueverse/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { clockOfAccount } from '../accounts/known-accounts';
import { type DisputeRow, disputeView, invoiceOf, paymentDecider, type PaymentRow, paymentView } from '../collection/payments';
import type { RequestRefund } from '../collection/domain/payment-command';
import { type Booking, bookingsOf } from '../disputes/bookings';
import { refuseTooFine } from '../providers/amount-steps';
import { Providers } from '../providers/provider';
import { PAYMENTS_SERVICE } from '../tokens';
import { REFUND, toRefund } from './refund-answer';

const REASON_MAX = 512;
class NewRefund {
  @MoneyString({ optional: true, description: 'How much of it; all that is left when it is not given' }) amount?: string;
  @Text({ max: REASON_MAX, description: 'Why; the customer may see it' }) reason!: string;
  @Whole({ optional: true, min: 1, description: 'Of the money that this attempt took; of the first that took any when it is not given' }) attempt?: number;
}
class DisputesQuery extends PageQuery {
  @Text({ optional: true }) accountId?: string;
  @OneOf(['inquiry', 'inquiry_closed', 'open', 'won', 'lost'], { optional: true }) status?: DisputeRow['status'];
}
const DISPUTE = object({
  id: text(), paymentId: text(), attempt: optional(whole(1)), invoiceId: nullable(text()), accountId: text(), amount: decimal(), currency: text(3), reason: text(), status: oneOf('inquiry', 'inquiry_closed', 'open', 'won', 'lost'), evidenceDueBy: nullable(instant()), providerReference: text(), openedAt: instant(), closedAt: nullable(instant()), fee: nullable(decimal()), heldBack: decimal(),
  bookings: list(object({ at: instant(), debit: oneOf('disputes', 'dispute_losses', 'provider_fees', 'provider_balance'), credit: oneOf('provider_balance', 'disputes'), amount: decimal(), currency: text(3) })),
});
type DisputeAnswer = Omit<DisputeRow, 'invoiceId'> & { readonly invoiceId: string | null; readonly bookings: readonly Booking[] };

/** Money that goes back: because we give it, or because the customer's bank takes it. */
@ApiTags('payments')
@Controller('api/v1/payments')
export class RefundsController {
  constructor(@Inject(PAYMENTS_SERVICE) private readonly service: Service, @Inject(Providers) private readonly providers: Providers, @Inject(Cursors) private readonly cursors: Cursors, @Inject(IDS) private readonly ids: IdSource) {}

  /**
   * Needs an `Idempotency-Key`. Refuses with `payment_not_found`, `nothing_to_refund`, `refund_exceeds_payment` an amount above what is left of what the attempt took,
   * `amount_too_fine` for its provider, and `refund_not_positive`; however many are asked for at once, they never come to more than what came in.
   */
  @Post(':id/refunds')
  @Allow('payments:write')
  @Answers(REFUND, 201)
  refund(@CurrentCaller() caller: Caller, @Param('id') id: string, @Body() body: NewRefund, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { tenant } = caller;
    return answerOnce(this.service, { tenant, route: 'POST /api/v1/payments/{id}/refunds', request, reply, keyRequired: true }, async (tx) => {
      const payment = await rowOf<PaymentRow>(tx, paymentView, id);
      if (payment === undefined) throw new Refused('payment_not_found', 'there is no payment with this id');
      if (body.amount !== undefined) refuseTooFine(this.providers.find(payment.provider), Money.parse(body.amount, payment.currency));
      const { now, clockId } = await clockOfAccount(tx, this.service, tenant, payment.accountId);
      const command: RequestRefund = { type: 'RequestRefund', paymentId: id, refundId: this.ids.next('ref'), ...(body.amount === undefined ? {} : { amount: body.amount }), ...(body.attempt === undefined ? {} : { attempt: body.attempt }), reason: body.reason, at: now };
      await this.service.log.execute(tx, [{ decider: paymentDecider, command, context: contextOfCaller(caller, now, clockId) }]);
      const refund = (await rowOf<PaymentRow>(tx, paymentView, id))!.refunds.find((one) => one.id === command.refundId)!;
      return created(`/api/v1/payments/${id}`, toRefund(refund));
    });
  }

  /**
   * Newest first; evidence for an open one has to be at the provider before `evidenceDueBy`. `heldBack` is what is gone until it is won, of the money that `attempt` took; `bookings` are the lines of a journal. An `inquiry` is a question of
   * the bank: it takes nothing, and a refund ends it.
   */
  @Get('disputes')
  @Allow('payments:read')
  @AnswersPage(DISPUTE)
  disputes(@CurrentCaller() { tenant }: Caller, @Query() query: DisputesQuery): Promise<Page<DisputeAnswer>> {
    return this.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) =>
      listRows<DisputeRow, DisputeAnswer>(tx, { model: disputeView, query, cursors: this.cursors, filters: { account_id: query.accountId, status: query.status }, toApi: (row) => ({ ...row, invoiceId: invoiceOf(row.invoiceId), bookings: bookingsOf(row) }) }));
  }
}
