import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, CurrentCaller } from '@valueverse/auth';
import { type IdSource, Refused } from '@valueverse/kernel';
import { Answers, AnswersPage, Cursors, IDS, listRows, OneOf, type Page, PageQuery, rowOf, Service, Text } from '@valueverse/platform';
import { decimal, instant, object, oneOf, text, whole } from '@valueverse/contracts';
import { Providers } from '../providers/provider';
import { PAYMENTS_SERVICE } from '../tokens';
import { LOOK_AT_PAYOUT, payoutIdOf, type PayoutPayload } from './payout-jobs';
import { type PayoutRow, payoutView } from './payouts';

const STATUSES = ['pending', 'in_transit', 'paid', 'failed', 'cancelled'] as const;
class PayoutsQuery extends PageQuery {
  @Text({ optional: true, max: 64 }) provider?: string;
  @OneOf([...STATUSES], { optional: true }) status?: PayoutRow['status'];
}
class NewLook {
  @Text({ max: 64, description: 'The provider', example: 'stripe' }) provider!: string;
  @Text({ description: 'The payout, as the provider names it', example: 'po_1' }) reference!: string;
}
const PAYOUT = object({
  id: text(), provider: text(), reference: text(), amount: decimal(), currency: text(3), status: oneOf(...STATUSES), arrivesAt: instant(), charged: decimal(), refunded: decimal(), disputed: decimal(), fees: decimal(), other: decimal(), lines: whole(0),
  createdAt: instant(), recordedAt: instant(),
});

/** What providers have paid out, and what each payout is made of: charged + refunded + disputed + other - fees. */
@ApiTags('payments')
@Controller('api/v1/payments/payouts')
export class PayoutsController {
  constructor(@Inject(PAYMENTS_SERVICE) private readonly service: Service, @Inject(Cursors) private readonly cursors: Cursors, @Inject(Providers) private readonly providers: Providers, @Inject(IDS) private readonly ids: IdSource) {}

  /** Newest first. */
  @Get()
  @Allow('payments:read')
  @AnswersPage(PAYOUT)
  list(@CurrentCaller() { tenant }: Caller, @Query() query: PayoutsQuery): Promise<Page<PayoutRow>> {
    return this.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) =>
      listRows<PayoutRow, PayoutRow>(tx, { model: payoutView, query, cursors: this.cursors, filters: { provider: query.provider, status: query.status }, toApi: (row) => row }));
  }

  /** Refuses with `payout_not_found`. */
  @Get(':id')
  @Allow('payments:read')
  @Answers(PAYOUT)
  async one(@CurrentCaller() { tenant }: Caller, @Param('id') id: string): Promise<PayoutRow> {
    const row = await this.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => rowOf<PayoutRow>(tx, payoutView, id));
    if (row === undefined) throw new Refused('payout_not_found', 'no payout with this id is known here');
    return row;
  }

  /** Asks the provider about a payout of which no webhook told. `id` is the payout once it is there. Refuses with `unknown_provider`. */
  @Post('looks')
  @Allow('payments:write')
  @HttpCode(202)
  @Answers(object({ id: text() }), 202)
  async look(@CurrentCaller() { tenant }: Caller, @Body() { provider, reference }: NewLook): Promise<{ id: string }> {
    this.providers.named(provider, '/provider');
    await this.service.database.transaction({ role: 'api', tenant }, (tx) => this.service.jobs.schedule(tx, [{
      id: this.ids.next('job'), kind: LOOK_AT_PAYOUT, tenant, dueAt: this.service.clock.now(), payload: { provider, reference } satisfies PayoutPayload,
    }]));
    return { id: payoutIdOf(tenant, provider, reference) };
  }
}
