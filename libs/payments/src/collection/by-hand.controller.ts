import { Body, Controller, Inject, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, CurrentCaller } from '@valueverse/auth';
import { type IdSource, Refused } from '@valueverse/kernel';
import { answerOnce, Answers, created, IDS, InstantField, ListOf, MoneyString, Nested, rowOf, Service, Text } from '@valueverse/platform';
import { list, object } from '@valueverse/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { accountOf } from '../accounts/known-accounts';
import { prepay } from '../credits/prepay';
import { Providers } from '../providers/provider';
import { PAYMENTS_SERVICE } from '../tokens';
import { type Parts, payByHand } from './by-hand';
import { PAYMENT, toAnswer } from './payments.controller';
import { type PaymentRow, paymentView } from './payments';

const ALLOCATIONS_MAX = 100;
const ROUTE = 'POST /api/v1/payments';
class Allocation {
  @Text({ description: 'The invoice' }) invoiceId!: string;
  @MoneyString({ description: 'How much of the money it takes' }) amount!: string;
}
class ManualMoney {
  @Text({ max: 128, description: 'Where the money stands in the books of whoever saw it: a line of a statement, the number of a cheque' }) reference!: string;
  @InstantField({ description: 'When it came in' }) receivedAt!: string;
}
class NewPayment {
  @Text({ optional: true, description: 'The invoice; or several, as `allocations`; or an account that pays ahead, as `accountId`' }) invoiceId?: string;
  @Text({ optional: true, description: 'Who pays ahead, for no invoice: the money is the balance of the account, which its next invoices take' }) accountId?: string;
  @ListOf(() => Allocation, { optional: true, min: 1, max: ALLOCATIONS_MAX, description: 'One sum over several invoices' }) allocations?: Allocation[];
  @MoneyString({ optional: true, description: 'Where it is not given: what is left to be paid of the invoice. Less is a part of it. Required where it is paid ahead' }) amount?: string;
  @Text({ optional: true, max: 3, description: 'Refused where it is not that of the invoice, or of the account' }) currency?: string;
  @Text({ optional: true, description: 'What is charged; the default method of the account where it is not given' }) methodId?: string;
  @Nested(() => ManualMoney, { optional: true, description: 'Money that came in already' }) manual?: ManualMoney;
}

/** Payments that somebody asks for. */
@ApiTags('payments')
@Controller('api/v1/payments')
export class ByHandController {
  private readonly parts: Pick<Parts, 'service' | 'providers' | 'ids'>;
  constructor(@Inject(PAYMENTS_SERVICE) private readonly service: Service, @Inject(Providers) providers: Providers, @Inject(IDS) ids: IdSource) { this.parts = { service, providers, ids }; }

  /**
   * Charges an invoice now, or an account for what it pays ahead, or records money that was seen elsewhere. Needs an `Idempotency-Key`. Refuses with `invoice_not_found`, `account_not_found`, `currency_mismatch`,
   * `invoice_not_payable` one that is paid or void, `payment_open` one of which an attempt is under way, `no_payment_method`, `payment_method_not_found`, `amount_not_positive`, `amount_too_fine` what its provider cannot count, `amount_too_large` more than can be paid ahead, `amount_missing` where nothing is due of an invoice for which money was seen elsewhere, `allocations_or_invoice` where not exactly
   * one of the three is given, and `not_by_hand` money for no invoice that was seen elsewhere: `POST /payments/credits` records it.
   */
  @Post()
  @Allow('payments:write')
  @Answers(object({ payments: list(PAYMENT) }), 201)
  async pay(@CurrentCaller() caller: Caller, @Body() body: NewPayment, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { invoiceId, accountId, allocations, amount, currency, methodId, manual } = body;
    if ([invoiceId, accountId, allocations].filter((one) => one !== undefined).length !== 1) throw new Refused('allocations_or_invoice', 'either invoiceId, allocations or accountId is expected');
    if (accountId !== undefined) return this.ahead(caller, body, accountId, request, reply);
    if (allocations !== undefined && amount !== undefined) throw new Refused('allocations_or_invoice', 'the allocations have the amounts', '/amount');
    if (new Set(allocations?.map((one) => one.invoiceId)).size !== (allocations?.length ?? 0)) throw new Refused('allocations_or_invoice', 'each invoice comes once', '/allocations');
    const shares = allocations ?? [{ invoiceId: invoiceId!, ...(amount === undefined ? {} : { amount }) }];
    return answerOnce(this.service, { tenant: caller.tenant, route: ROUTE, request, reply, keyRequired: true }, async (tx) => {
      const ids = await payByHand({ tx, ...this.parts, caller }, { shares, ...(currency === undefined ? {} : { currency }), ...(methodId === undefined ? {} : { methodId }), ...(manual === undefined ? {} : { manual }) });
      const payments: unknown[] = [];
      for (const id of ids) payments.push(toAnswer((await rowOf<PaymentRow>(tx, paymentView, id))!));
      return created(`/api/v1/payments/${ids[0]!}`, { payments });
    });
  }

  private async ahead(caller: Caller, { amount, currency, methodId, manual }: NewPayment, accountId: string, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    if (manual !== undefined) throw new Refused('not_by_hand', 'money that came in for no invoice is recorded by POST /api/v1/payments/credits', '/manual');
    if (amount === undefined) throw new Refused('amount_not_positive', 'an amount above zero is expected', '/amount');
    const account = await accountOf(this.service, caller.tenant, accountId);
    return answerOnce(this.service, { tenant: caller.tenant, route: ROUTE, request, reply, keyRequired: true }, async (tx) => {
      const id = await prepay({ tx, ...this.parts, caller }, account, { amount, ...(currency === undefined ? {} : { currency }), ...(methodId === undefined ? {} : { methodId }) });
      return created(`/api/v1/payments/${id}`, { payments: [toAnswer((await rowOf<PaymentRow>(tx, paymentView, id))!)] });
    });
  }
}
