import { Body, Controller, Inject, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, CurrentCaller } from '@valueverse/auth';
import { type IdSource, Refused } from '@valueverse/kernel';
import { answerOnce, Answers, created, IDS, InstantField, ListOf, MoneyString, Nested, rowOf, Service, Text } from '@valueverse/platform';
import { list, object } from '@valueverse/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PAYMENTS_SERVICE } from '../tokens';
import { payByHand } from './by-hand';
import { PAYMENT, toAnswer } from './payments.controller';
import { type PaymentRow, paymentView } from './payments';

const ALLOCATIONS_MAX = 100;
class Allocation {
  @Text({ description: 'The invoice' }) invoiceId!: string;
  @MoneyString({ description: 'How much of the money it takes' }) amount!: string;
}
class ManualMoney {
  @Text({ max: 128, description: 'Where the money stands in the books of whoever saw it: a line of a statement, the number of a cheque' }) reference!: string;
  @InstantField({ description: 'When it came in' }) receivedAt!: string;
}
class NewPayment {
  @Text({ optional: true, description: 'The invoice; or several, as `allocations`' }) invoiceId?: string;
  @ListOf(() => Allocation, { optional: true, min: 1, max: ALLOCATIONS_MAX, description: 'One sum over several invoices' }) allocations?: Allocation[];
  @MoneyString({ optional: true, description: 'Where it is not given: what was due of the invoice when it was issued, less what came in where it is charged. Less is a part of it' }) amount?: string;
  @Text({ optional: true, max: 3, description: 'Refused where it is not that of the invoice' }) currency?: string;
  @Text({ optional: true, description: 'What is charged; the default method of the account where it is not given' }) methodId?: string;
  @Nested(() => ManualMoney, { optional: true, description: 'Money that came in already' }) manual?: ManualMoney;
}

/** Payments that somebody asks for. */
@ApiTags('payments')
@Controller('api/v1/payments')
export class ByHandController {
  constructor(@Inject(PAYMENTS_SERVICE) private readonly service: Service, @Inject(IDS) private readonly ids: IdSource) {}

  /**
   * Charges an invoice now, or records money that was seen elsewhere. Needs an `Idempotency-Key`. Refuses with `invoice_not_found`, `currency_mismatch`, `invoice_not_payable` one that is paid or void,
   * `payment_open` one of which an attempt is under way, `no_payment_method`, `payment_method_not_found`, `amount_not_positive`, and `allocations_or_invoice` where both or none are given.
   */
  @Post()
  @Allow('payments:write')
  @Answers(object({ payments: list(PAYMENT) }), 201)
  pay(@CurrentCaller() caller: Caller, @Body() body: NewPayment, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { invoiceId, allocations, amount, currency, methodId, manual } = body;
    if ((invoiceId === undefined) === (allocations === undefined)) throw new Refused('allocations_or_invoice', 'either invoiceId or allocations is expected');
    if (allocations !== undefined && amount !== undefined) throw new Refused('allocations_or_invoice', 'the allocations have the amounts', '/amount');
    if (new Set(allocations?.map((one) => one.invoiceId)).size !== (allocations?.length ?? 0)) throw new Refused('allocations_or_invoice', 'each invoice comes once', '/allocations');
    const shares = allocations ?? [{ invoiceId: invoiceId!, ...(amount === undefined ? {} : { amount }) }];
    return answerOnce(this.service, { tenant: caller.tenant, route: 'POST /api/v1/payments', request, reply, keyRequired: true }, async (tx) => {
      const ids = await payByHand({ tx, service: this.service, ids: this.ids, caller }, { shares, ...(currency === undefined ? {} : { currency }), ...(methodId === undefined ? {} : { methodId }), ...(manual === undefined ? {} : { manual }) });
      const payments: unknown[] = [];
      for (const id of ids) payments.push(toAnswer((await rowOf<PaymentRow>(tx, paymentView, id))!));
      return created(`/api/v1/payments/${ids[0]!}`, { payments });
    });
  }
}
