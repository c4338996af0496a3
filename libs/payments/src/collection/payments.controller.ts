import { Controller, Get, Inject, Param, Query, Redirect } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, CurrentCaller } from '@valueverse/auth';
import { Refused } from '@valueverse/kernel';
import { Answers, AnswersPage, Cursors, listRows, OneOf, type Page, PageQuery, rowOf, Service, Text } from '@valueverse/platform';
import { decimal, instant, list, nullable, object, oneOf, optional, text, whole } from '@valueverse/contracts';
import { PAYMENTS_SERVICE } from '../tokens';
import { REFUND, type RefundAnswer, toRefund } from '../refunds/refund-answer';
import { type AttemptRow, invoiceOf, type PaymentRow, paymentView } from './payments';

const TEMPORARY_REDIRECT = 307;
class PaymentsQuery extends PageQuery {
  @Text({ optional: true }) invoiceId?: string;
  @Text({ optional: true }) accountId?: string;
  @OneOf(['pending', 'processing', 'requires_action', 'unknown', 'succeeded', 'failed', 'cancelled'], { optional: true }) status?: PaymentRow['status'];
}

/** A payment as it is answered, of an invoice or prepaid (`creditId`); `asked` is what an attempt asks for, where that is not what was asked for before it, `amount` what it took, and `fee` what the provider kept of that where another attempt is the payment; the keys that the provider knows things by stay inside. */
export type PaymentAnswer = Omit<PaymentRow, 'invoiceId' | 'provider' | 'attempts' | 'refunds' | 'nextAttemptAt'> & {
  readonly invoiceId: string | null;
  readonly attempts: readonly Omit<AttemptRow, 'providerKey' | 'provider' | 'methodId'>[]; readonly refunds: readonly RefundAnswer[]; readonly nextAttemptAt: string | null;
};

const ATTEMPT = object({
  number: whole(1), status: text(), providerReference: optional(text()), asked: optional(decimal()), amount: optional(decimal()), fee: optional(decimal()), url: optional(text()), declineCode: optional(text()), declineClass: optional(oneOf('hard', 'soft', 'fraud', 'technical')), startedAt: instant(), endedAt: nullable(instant()),
});
export const PAYMENT = object({
  id: text(), invoiceId: nullable(text()), creditId: optional(text()), accountId: text(), status: oneOf('pending', 'processing', 'requires_action', 'unknown', 'succeeded', 'failed', 'cancelled'), amount: decimal(), currency: text(3), methodId: text(), attempts: list(ATTEMPT),
  refunds: list(REFUND), amountRefunded: decimal(), amountDisputed: decimal(), fee: optional(decimal()), nextAttemptAt: nullable(instant()), createdAt: instant(),
});

export const toAnswer = ({ provider: _provider, invoiceId, attempts, refunds, ...row }: PaymentRow): PaymentAnswer =>
  ({ ...row, invoiceId: invoiceOf(invoiceId), attempts: attempts.map(({ providerKey: _key, provider: _by, methodId: _method, ...attempt }) => attempt), refunds: refunds.map(toRefund) });

/** What was collected, and how. */
@ApiTags('payments')
@Controller('api/v1/payments')
@Allow('payments:read')
export class PaymentsController {
  constructor(@Inject(PAYMENTS_SERVICE) private readonly service: Service, @Inject(Cursors) private readonly cursors: Cursors) {}

  /** Newest first. */
  @Get()
  @AnswersPage(PAYMENT)
  list(@CurrentCaller() { tenant }: Caller, @Query() query: PaymentsQuery): Promise<Page<PaymentAnswer>> {
    return this.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => listRows<PaymentRow, PaymentAnswer>(tx, {
      model: paymentView, query, cursors: this.cursors, toApi: toAnswer,
      filters: { invoice_id: query.invoiceId, account_id: query.accountId, status: query.status },
    }));
  }

  /** Refuses with `payment_not_found`. */
  @Get(':id')
  @Answers(PAYMENT)
  async one(@CurrentCaller() { tenant }: Caller, @Param('id') id: string): Promise<PaymentAnswer> {
    const row = await this.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => rowOf<PaymentRow>(tx, paymentView, id));
    if (row === undefined) throw new Refused('payment_not_found', 'there is no payment with this id');
    return toAnswer(row);
  }

  /** The receipt as PDF: billing has it, with the name of the customer and the look of the invoice. Refuses with `payment_not_found`. */
  @Get(':id/receipt')
  @Redirect()
  async receipt(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<{ url: string; statusCode: number }> {
    await this.one(caller, id);
    return { url: `/api/v1/billing/payments/${id}/receipt`, statusCode: TEMPORARY_REDIRECT };
  }
}
