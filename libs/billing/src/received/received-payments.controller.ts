import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { decimal, instant, list, nullable, object, oneOf, optional, text } from '@valueverse/contracts';
import { Allow, CurrentCaller, type Caller } from '@valueverse/auth';
import { Answers, AnswersPage, Cursors, listRows, OneOf, type Page, PageQuery, Problem, rowOf, Text } from '@valueverse/platform';
import { BillingHost } from '../billing-host';
import { receivedPaymentsModel, receivedToApi, type ReceivedPaymentRow } from './received-payment.model';

class ReceivedQuery extends PageQuery {
  @Text({ optional: true, max: 64 }) invoiceId?: string;
  @Text({ optional: true, max: 64 }) accountId?: string;
  @OneOf(['applied', 'partially_applied', 'unapplied'], { optional: true }) status?: string;
}
/** Given back by us; taken by a dispute that is open; by one that was lost. */
const WENT_BACK = { refunded: decimal(), disputed: decimal(), lost: decimal() };
const RECEIVED = object({
  id: text(), invoiceId: text(), accountId: optional(text()), currency: optional(text(3)), amount: decimal(), applied: decimal(), unapplied: decimal(), reason: nullable(oneOf('no_invoice', 'nothing_due', 'over_paid', 'wrong_currency', 'duplicate')),
  ...WENT_BACK, status: oneOf('applied', 'partially_applied', 'unapplied'), receivedAt: instant(), allocations: list(object({ invoiceId: text(), amount: decimal(), ...WENT_BACK })),
  refunds: list(object({ id: text(), amount: decimal(), status: oneOf('succeeded', 'returned'), refundedAt: instant() })), disputes: list(object({ id: text(), amount: decimal(), status: oneOf('open', 'won', 'lost'), openedAt: instant(), closedAt: nullable(instant()) })),
});

/** Money that came in, as billing sees it: what of it an invoice took, what is over, and why; what was given back, is disputed, or was lost to a dispute. How it was collected is under `/payments`, by the same ids. */
@ApiTags('billing')
@Controller('api/v1/billing/payments')
export class ReceivedPaymentsController {
  constructor(@Inject(BillingHost) private readonly host: BillingHost, @Inject(Cursors) private readonly cursors: Cursors) {}

  /** The latest first. */
  @Get()
  @Allow('billing:read')
  @AnswersPage(RECEIVED)
  list(@Query() query: ReceivedQuery, @CurrentCaller() { tenant }: Caller): Promise<Page<unknown>> {
    const filters = { invoice_id: query.invoiceId, account_id: query.accountId, status: query.status };
    return this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => listRows<ReceivedPaymentRow, unknown>(tx, { model: receivedPaymentsModel, query, cursors: this.cursors, filters, toApi: receivedToApi }));
  }

  /** Refuses with `payment_not_found`, also while it is still being collected: then nothing has come in. */
  @Get(':id')
  @Allow('billing:read')
  @Answers(RECEIVED)
  async get(@Param('id') id: string, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
    const row = await this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => rowOf<ReceivedPaymentRow>(tx, receivedPaymentsModel, id));
    if (row === undefined) throw new Problem(404, 'payment_not_found', `no payment ${id} has come in`);
    return receivedToApi(row);
  }
}
