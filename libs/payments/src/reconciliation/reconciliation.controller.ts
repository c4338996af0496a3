import { Controller, Get, Inject, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, CurrentCaller } from '@valueverse/auth';
import { isBefore, Refused } from '@valueverse/kernel';
import { Answers, InstantField, Service, Text } from '@valueverse/platform';
import { decimal, flag, instant, list, nullable, object, oneOf, text, whole } from '@valueverse/contracts';
import { Providers } from '../providers/provider';
import { PAYMENTS_SERVICE } from '../tokens';
import { KINDS } from './domain/compare';
import { reconcile, type Reconciliation } from './reconcile';

class ReconciliationQuery {
  @Text({ max: 64, description: 'The provider', example: 'sandbox' }) provider!: string;
  @InstantField({ description: 'What moved on its balance, or was recorded here, from here on' }) from!: string;
  @InstantField({ description: 'Up to here, which does not belong to it' }) to!: string;
}
const DIFFERENCE = object({
  type: oneOf('missing_here', 'missing_there', 'amount_differs'), kind: oneOf(...KINDS), reference: text(), paymentId: nullable(text()), currency: text(3), here: nullable(decimal()), there: nullable(decimal()), owner: oneOf('valueverse', 'tenant', 'provider'), next: text(),
});
const SUMS = object({ currency: text(3), charged: decimal(), refunded: decimal(), disputed: decimal(), fees: decimal(), paidOut: decimal(), other: decimal(), balance: decimal() });
const REPORT = object({ provider: text(), from: instant(), to: instant(), agree: flag(), lines: whole(0), sums: list(SUMS), differences: list(DIFFERENCE) });

/** Our book against that of a provider. */
@ApiTags('payments')
@Controller('api/v1/payments/reconciliation')
export class ReconciliationController {
  constructor(@Inject(PAYMENTS_SERVICE) private readonly service: Service, @Inject(Providers) private readonly providers: Providers) {}

  /** Each difference has a type, an owner and a next step. Compared is all that has a line on the balance in this time, or was recorded here then, as both sides say it now. Refuses with `unknown_provider`, `invalid_period`, `too_many_lines`, and 503 `provider_unavailable`. */
  @Get()
  @Allow('payments:read')
  @Answers(REPORT)
  async report(@CurrentCaller() { tenant }: Caller, @Query() { provider: name, from, to }: ReconciliationQuery): Promise<Reconciliation> {
    const provider = this.providers.named(name, '/provider');
    if (!isBefore(from, to)) throw new Refused('invalid_period', 'the end has to be after the start', '/to');
    return reconcile(this.service, provider, { tenant, from, to });
  }
}
