import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, CurrentCaller } from '@valueverse/auth';
import { Refused } from '@valueverse/kernel';
import { Answers, AnswersPage, Cursors, listRows, type Page, PageQuery, rowOf, Service, Text } from '@valueverse/platform';
import { decimal, instant, list, nullable, object, oneOf, optional, text, whole } from '@valueverse/contracts';
import { PAYMENTS_SERVICE } from '../tokens';
import { type AttemptRow, type PaymentRow, paymentView } from './payments';

class PaymentsQuery extends PageQuery {
  @Text({ optional: true }) invoiceId?: string;
  @Text({ optional: true }) accountId?: string;
}

/** A payment as it is answered; the key that the provider knows an attempt by stays inside. */
interface PaymentAnswer extends Pick<PaymentRow, 'id' | 'invoiceId' | 'accountId' | 'status' | 'amount' | 'currency' | 'methodId' | 'createdAt'> {
  readonly attempts: readonly Omit<AttemptRow, 'providerKey'>[];
}

const ATTEMPT = object({ number: whole(1), status: text(), declineCode: optional(text()), declineClass: optional(oneOf('hard', 'soft', 'fraud', 'technical')), startedAt: instant(), endedAt: nullable(instant()) });
const PAYMENT = object({
  id: text(), invoiceId: text(), accountId: text(), status: text(), amount: decimal(), currency: text(3), methodId: text(), attempts: list(ATTEMPT), createdAt: instant(),
});

const toAnswer = ({ id, invoiceId, accountId, status, amount, currency, methodId, attempts, createdAt }: PaymentRow): PaymentAnswer => ({
  id, invoiceId, accountId, status, amount, currency, methodId, attempts: attempts.map(({ providerKey: _key, ...attempt }) => attempt), createdAt,
});

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
      filters: { ...(query.invoiceId === undefined ? {} : { invoice_id: query.invoiceId }), ...(query.accountId === undefined ? {} : { account_id: query.accountId }) },
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
}
