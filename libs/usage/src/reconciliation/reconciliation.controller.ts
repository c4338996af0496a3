import { Controller, Get, Inject, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { flag, instant, list, mapOf, nullable, object, oneOf, text, whole } from '@valueverse/contracts';
import { parseInstant } from '@valueverse/kernel';
import { Allow, CurrentCaller, type Caller } from '@valueverse/auth';
import { Answers, InstantField } from '@valueverse/platform';
import { SEAL_FAULTS } from '../retention/check-seals';
import { UsageHost } from '../usage-host';
import { reconcile, type Reconciliation } from './reconcile';

class PeriodQuery {
  @InstantField() from!: string;
  @InstantField() to!: string;
}
const RECONCILIATION = object({
  from: instant(), to: instant(),
  events: object({ accepted: whole(), counted: whole(), duplicate: whole(), conflict: whole(), waiting: whole(), excluded: whole(), reasons: mapOf(whole()) }),
  meters: list(object({ meterKey: text(), fromEnvelopes: whole(), inBuckets: whole(), isEqual: nullable(flag()) })),
  sealed: whole(), sealFaults: list(object({ subject: text(), from: instant(), code: oneOf(...SEAL_FAULTS), meterKey: nullable(text()) })), isEqual: flag(),
});

/** Whether everything that was accepted is somewhere, and the buckets hold what the envelopes say. */
@ApiTags('usage')
@Controller('api/v1/usage/reconciliation')
export class ReconciliationController {
  constructor(@Inject(UsageHost) private readonly host: UsageHost) {}

  @Get()
  @Allow('usage:read')
  @Answers(RECONCILIATION)
  get(@Query() { from, to }: PeriodQuery, @CurrentCaller() { tenant }: Caller): Promise<Reconciliation> {
    return this.host.read(tenant, (tx) => reconcile(tx, tenant, { from: parseInstant(from), to: parseInstant(to) }));
  }
}
