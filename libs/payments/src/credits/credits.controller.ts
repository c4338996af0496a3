import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, contextOfCaller, CurrentCaller } from '@valueverse/auth';
import { derivedId, type IdSource, Money, Refused } from '@valueverse/kernel';
import { accepted, answerOnce, Answers, AnswersPage, created, Cursors, IDS, InstantField, listRows, MoneyString, type Page, PageQuery, rowOf, Service, Text } from '@valueverse/platform';
import { decimal, instant, nullable, object, oneOf, text } from '@valueverse/contracts';
import type { Tx } from '@valueverse/event-log';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { accountOf, clockOfAccount } from '../accounts/known-accounts';
import { PAYMENTS_SERVICE } from '../tokens';
import { type CreditRefundAnswer, toCredit, toCreditRefund } from './credit-refunds';
import { creditDecider, type CreditRefundRow, creditRefundView, type CreditRow, creditView } from './credits';
import type { ReceiveCredit, ReverseCredit } from './domain/credit';
import { NewReversal } from '../refunds/reversals.controller';

class NewCredit {
  @Text({ description: 'Whose money it is' }) accountId!: string;
  @MoneyString({ description: 'How much came in' }) amount!: string;
  @Text({ max: 3, description: 'Refused where it is not that of the account', example: 'USD' }) currency!: string;
  @Text({ max: 128, description: 'Where the money stands in the books of whoever saw it: a line of a statement, the number of a cheque' }) reference!: string;
  @InstantField({ description: 'When it came in' }) receivedAt!: string;
}
class CreditsQuery extends PageQuery {
  @Text({ optional: true }) accountId?: string;
  @Text({ optional: true }) paymentId?: string;
}
const CREDIT = object({ id: text(), accountId: text(), amount: decimal(), currency: text(3), paymentId: nullable(text()), reference: nullable(text()), receivedAt: nullable(instant()), createdAt: instant(), takenBack: decimal() });

const REASON_MAX = 512;
class NewCreditRefund {
  @MoneyString({ optional: true, description: 'How much of it; all that is left of it when it is not given' }) amount?: string;
  @Text({ max: REASON_MAX, description: 'Why; the customer may see it' }) reason!: string;
}
const CREDIT_REFUND = object({
  id: text(), creditId: text(), accountId: text(), paymentId: nullable(text()), amount: decimal(), currency: text(3), status: oneOf('pending', 'succeeded', 'refused', 'failed'), code: nullable(text()), reason: text(), createdAt: instant(), endedAt: nullable(instant()),
});
const ROUTE = '/api/v1/payments/credits';

/** Money that is the account's: prepaid, or left over. What is still there of it says /billing/accounts/{id}/balances; the next invoices take it. */
@ApiTags('payments')
@Controller('api/v1/payments/credits')
export class CreditsController {
  constructor(@Inject(PAYMENTS_SERVICE) private readonly service: Service, @Inject(Cursors) private readonly cursors: Cursors, @Inject(IDS) private readonly ids: IdSource) {}

  /**
   * Records money that came in for no invoice. A line of a statement that two people see is booked once. Needs an `Idempotency-Key`.
   * Refuses with `account_not_found`, `currency_mismatch` and `amount_not_positive`.
   */
  @Post()
  @Allow('payments:write')
  @Answers(CREDIT, 201)
  async receive(@CurrentCaller() caller: Caller, @Body() body: NewCredit, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { tenant } = caller;
    const { accountId, currency, now, clockId } = await accountOf(this.service, tenant, body.accountId);
    if (currency !== body.currency) throw new Refused('currency_mismatch', `the account is in ${currency}`, '/currency');
    return answerOnce(this.service, { tenant, route: 'POST /api/v1/payments/credits', request, reply, keyRequired: true }, async (tx) => {
      const command: ReceiveCredit = { type: 'ReceiveCredit', creditId: derivedId('crd', tenant, accountId, body.reference, Money.parse(body.amount, currency).toString()), ...body, at: now };
      await this.service.log.execute(tx, [{ decider: creditDecider, command, context: contextOfCaller(caller, now, clockId) }]);
      return created(`/api/v1/payments/credits?accountId=${accountId}`, await rowOf<CreditRow>(tx, creditView, command.creditId));
    });
  }

  /** Newest first. */
  @Get()
  @Allow('payments:read')
  @AnswersPage(CREDIT)
  list(@CurrentCaller() { tenant }: Caller, @Query() query: CreditsQuery): Promise<Page<CreditRow>> {
    return this.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) =>
      listRows<CreditRow, CreditRow>(tx, { model: creditView, query, cursors: this.cursors, filters: { account_id: query.accountId, payment_id: query.paymentId }, toApi: (row) => row }));
  }

  /**
   * Pays out what of a credit was not used yet: by the provider where it came by one, by hand where it came by hand. It is taken from the balance of the account first, so that no invoice takes it too: `succeeded` when it
   * has gone, `refused` with `credit_used` where the balance has less, or `payment_disputed`; `failed` where the provider could not, and it is the balance again. Needs an `Idempotency-Key`. Refuses with `credit_not_found`,
   * `nothing_to_refund`, `refund_not_positive`, and `refund_exceeds_credit`.
   */
  @Post(':id/refunds')
  @Allow('payments:write')
  @HttpCode(202)
  @Answers(CREDIT_REFUND, 202)
  refund(@CurrentCaller() caller: Caller, @Param('id') id: string, @Body() body: NewCreditRefund, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { tenant } = caller;
    return answerOnce(this.service, { tenant, route: `POST ${ROUTE}/{id}/refunds`, request, reply, keyRequired: true }, async (tx) => {
      const { accountId, paymentId } = await wanted(tx, id);
      const { now, clockId } = await clockOfAccount(tx, this.service, tenant, accountId);
      const refundId = this.ids.next('ref');
      const asked = toCredit(paymentId, { type: 'RequestCreditRefund', creditId: id, refundId, ...(body.amount === undefined ? {} : { amount: body.amount }), reason: body.reason, at: now });
      await this.service.log.execute(tx, [{ ...asked, context: contextOfCaller(caller, now, clockId) }]);
      return accepted(await toCreditRefund(tx, (await rowOf<CreditRefundRow>(tx, creditRefundView, refundId))!), `${ROUTE}/${id}/refunds`);
    });
  }

  /**
   * Records that money which came in by hand for no invoice did not last: it is taken from the balance, also where that was used. Needs an `Idempotency-Key`. Refuses with `credit_not_found`, `not_manual` what a provider took, `nothing_to_reverse`,
   * `reversal_not_positive`, and `reversal_exceeds_credit` an amount above what is not gone already.
   */
  @Post(':id/reversals')
  @Allow('payments:write')
  @Answers(CREDIT, 201)
  reverse(@CurrentCaller() caller: Caller, @Param('id') creditId: string, @Body() { amount, reason, reversedAt }: NewReversal, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { tenant } = caller;
    return answerOnce(this.service, { tenant, route: `POST ${ROUTE}/{id}/reversals`, request, reply, keyRequired: true }, async (tx) => {
      const { accountId, paymentId } = await wanted(tx, creditId);
      if (paymentId !== null) throw new Refused('not_manual', 'this credit came by a payment: what its customer takes back is disputed at the bank, or reversed there');
      const { now, clockId } = await clockOfAccount(tx, this.service, tenant, accountId);
      const command: ReverseCredit = { type: 'ReverseCredit', creditId, takenBackId: this.ids.next('tbk'), ...(amount === undefined ? {} : { amount }), reason, at: reversedAt };
      await this.service.log.execute(tx, [{ decider: creditDecider, command, context: contextOfCaller(caller, now, clockId) }]);
      return created(`${ROUTE}?accountId=${accountId}`, await wanted(tx, creditId));
    });
  }

  /** What was asked to be paid out of a credit, newest first. Refuses with `credit_not_found`. */
  @Get(':id/refunds')
  @Allow('payments:read')
  @AnswersPage(CREDIT_REFUND)
  refunds(@CurrentCaller() { tenant }: Caller, @Param('id') id: string, @Query() query: PageQuery): Promise<Page<CreditRefundAnswer>> {
    return this.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
      await wanted(tx, id);
      const page = await listRows<CreditRefundRow, CreditRefundRow>(tx, { model: creditRefundView, query, cursors: this.cursors, filters: { credit_id: id }, toApi: (row) => row });
      const data: CreditRefundAnswer[] = [];
      for (const row of page.data) data.push(await toCreditRefund(tx, row));
      return { ...page, data };
    });
  }
}

const wanted = async (tx: Tx, creditId: string): Promise<CreditRow> => {
  const row = await rowOf<CreditRow>(tx, creditView, creditId);
  if (row === undefined) throw new Refused('credit_not_found', 'there is no credit with this id');
  return row;
};
