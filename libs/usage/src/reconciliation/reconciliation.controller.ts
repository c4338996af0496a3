import { Controller, Get, Inject, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { flag, instant, list, mapOf, nullable, object, oneOf, text, USAGE_PARTITIONS, whole } from '@valueverse/contracts';
import { parseInstant } from '@valueverse/kernel';
import { Allow, CurrentCaller, type Caller } from '@valueverse/auth';
import { Answers, InstantField, Whole } from '@valueverse/platform';
import { SEAL_FAULTS } from '../retention/check-seals';
import { UsageHost } from '../usage-host';
import { reconcile, type Reconciliation } from './reconcile';

class PeriodQuery {
  @InstantField() from!: string;
  @InstantField() to!: string;
  @Whole({ optional: true, min: 0, max: USAGE_PARTITIONS - 1, fromText: true, description: 'Only the subjects of one partition of usage.events: where a quarter of an hour is too much for one answer' }) partition?: number;
}
const SUM = object({ events: whole(), value: nullable(text()) });
const RECONCILIATION = object({
  from: instant(), to: instant(),
  events: object({ accepted: whole(), counted: whole(), duplicate: whole(), conflict: whole(), waiting: whole(), excluded: whole(), reasons: mapOf(whole()) }),
  meters: list(object({
    meterKey: text(), fromEnvelopes: whole(), inBuckets: whole(), inAllSubjects: nullable(whole()), values: object({ fromEnvelopes: nullable(text()), inBuckets: nullable(text()), inAllSubjects: nullable(text()) }),
    leftOut: whole(), differing: whole(), isEqual: nullable(flag()),
  })),
  differences: list(object({ meterKey: text(), meterVersion: whole(), partition: whole(), subject: nullable(text()), groupBy: mapOf(text()), from: instant(), fromEnvelopes: SUM, inBuckets: SUM })), alteredEnvelopes: whole(), notIndexed: whole(),
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
  get(@Query() { from, to, partition }: PeriodQuery, @CurrentCaller() { tenant }: Caller): Promise<Reconciliation> {
    return this.host.read(tenant, (tx) => reconcile(tx, tenant, { from: parseInstant(from), to: parseInstant(to), partition }));
  }
}
