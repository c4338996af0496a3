import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, CurrentCaller } from '@valueverse/auth';
import { Refused } from '@valueverse/kernel';
import { Cursors, listRows, type Page, PageQuery, rowOf, Service, Text } from '@valueverse/platform';
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

const toAnswer = ({ id, invoiceId, accountId, status, amount, currency, methodId, attempts, createdAt }: PaymentRow): PaymentAnswer => ({
  id, invoiceId, accountId, status, amount, currency, methodId, attempts: attempts.map(({ providerKey: _key, ...attempt }) => attempt), createdAt,
});

/** What was collected, and how. */
@ApiTags('Payments')
@Controller('api/v1/payments')
@Allow('payments:read')
export class PaymentsController {
  constructor(@Inject(PAYMENTS_SERVICE) private readonly service: Service, @Inject(Cursors) private readonly cursors: Cursors) {}

  /** Newest first. */
  @Get()
  list(@CurrentCaller() { tenant }: Caller, @Query() query: PaymentsQuery): Promise<Page<PaymentAnswer>> {
    return this.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => listRows<PaymentRow, PaymentAnswer>(tx, {
      model: paymentView, query, cursors: this.cursors, toApi: toAnswer,
      filters: { ...(query.invoiceId === undefined ? {} : { invoice_id: query.invoiceId }), ...(query.accountId === undefined ? {} : { account_id: query.accountId }) },
    }));
  }

  /** Refuses with `payment_not_found`. */
  @Get(':id')
  async one(@CurrentCaller() { tenant }: Caller, @Param('id') id: string): Promise<PaymentAnswer> {
    const row = await this.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => rowOf<PaymentRow>(tx, paymentView, id));
    if (row === undefined) throw new Refused('payment_not_found', 'there is no payment with this id');
    return toAnswer(row);
  }
}
