import { Body, Controller, Get, Inject, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, contextOfCaller, CurrentCaller } from '@valueverse/auth';
import { derivedId, Money, Refused } from '@valueverse/kernel';
import { answerOnce, Answers, AnswersPage, created, Cursors, InstantField, listRows, MoneyString, type Page, PageQuery, rowOf, Service, Text } from '@valueverse/platform';
import { decimal, instant, nullable, object, text } from '@valueverse/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { accountOf } from '../accounts/known-accounts';
import { PAYMENTS_SERVICE } from '../tokens';
import { creditDecider, type CreditRow, creditView } from './credits';
import type { ReceiveCredit } from './domain/credit';

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
const CREDIT = object({ id: text(), accountId: text(), amount: decimal(), currency: text(3), paymentId: nullable(text()), reference: nullable(text()), receivedAt: nullable(instant()), createdAt: instant() });

/** Money that is the account's: prepaid, or left over. What is still there of it says /billing/accounts/{id}/balances; the next invoices take it. */
@ApiTags('payments')
@Controller('api/v1/payments/credits')
export class CreditsController {
  constructor(@Inject(PAYMENTS_SERVICE) private readonly service: Service, @Inject(Cursors) private readonly cursors: Cursors) {}

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
}
