import { Body, Controller, Get, Inject, Put } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { instant, list, nullable, object, oneOf, whole } from '@valueverse/contracts';
import { instantFromMicros } from '@valueverse/kernel';
import type { Instruction, Tx } from '@valueverse/event-log';
import { Allow, contextOfCaller, CurrentCaller, type Caller } from '@valueverse/auth';
import { Answers, Field, Problem, type Rule } from '@valueverse/platform';
import { UsageHost } from '../usage-host';
import { HOLD_REASONS, type HoldReason } from './domain/holds';
import { type ChangeRetention, RETENTION_DAYS_MAX, RETENTION_DAYS_MIN } from './domain/retention';
import { retention, retentionDaysOf } from './retention';

const daysRule: Rule = (value) => (Number.isSafeInteger(value) && Number(value) >= 0 ? undefined : { code: 'integer_expected', detail: 'a whole number of days, or null to keep envelopes for ever' });
export class RetentionDto {
  @Field(daysRule, { nullable: true, description: `Days of log time, ${RETENTION_DAYS_MIN} to ${RETENTION_DAYS_MAX}; null: for ever` }, { type: 'integer', minimum: RETENTION_DAYS_MIN, maximum: RETENTION_DAYS_MAX }) days!: number | null;
}

const HELD = list(object({ reason: oneOf(...HOLD_REASONS), subjects: whole() }));
const PARTITION = object({ partition: whole(), logTime: instant(), dropped: whole(), droppedUntil: nullable(instant()), wholeFrom: nullable(instant()), lookedThroughAt: nullable(instant()), keptBeyond: whole(), held: HELD });
const RETENTION = object({ days: nullable(whole()), wholeFrom: nullable(instant()), dropped: whole(), keptBeyond: whole(), held: HELD, partitions: list(PARTITION) });

interface Held { readonly reason: HoldReason; readonly subjects: number }
/** How far the envelopes of a tenant are dropped, and what holds others that are old enough. Instants are of the partition's log time; events from `wholeFrom` on are all there. */
interface RetentionState {
  readonly days: number | null; readonly wholeFrom: string | null; readonly dropped: number; readonly keptBeyond: number; readonly held: readonly Held[];
  readonly partitions: readonly { readonly partition: number; readonly logTime: string; readonly dropped: number; readonly droppedUntil: string | null; readonly wholeFrom: string | null; readonly lookedThroughAt: string | null; readonly keptBeyond: number; readonly held: readonly Held[] }[];
}

const instantOf = (micros: bigint | null): string | null => (micros === null ? null : instantFromMicros(micros));

const stateOf = async (tx: Tx, tenant: string): Promise<RetentionState> => {
  const { rows } = await tx.query<{ partition: number; log_time: bigint; dropped: bigint; dropped_until: bigint | null; whole_from: bigint | null; through_at: bigint | null; kept: bigint }>(
    `SELECT r.partition, p.log_time, r.dropped, r.dropped_until, r.whole_from, r.through_at, (SELECT count(*) FROM usage_retention_held h WHERE h.tenant = $1 AND h.partition = r.partition) AS kept
     FROM usage_retention_progress r JOIN usage_partitions p USING (partition) WHERE r.tenant = $1 ORDER BY 1`, [tenant]);
  const holds = await tx.query<{ partition: number; reason: HoldReason; subjects: bigint }>(
    `SELECT partition, reason, count(*) FILTER (WHERE subject <> '') AS subjects FROM usage_retention_holds WHERE tenant = $1 GROUP BY 1, 2 ORDER BY 1, 2`, [tenant]);
  const partitions = rows.map((row) => ({
    partition: row.partition, logTime: instantFromMicros(row.log_time), dropped: Number(row.dropped), droppedUntil: instantOf(row.dropped_until), wholeFrom: instantOf(row.whole_from), lookedThroughAt: instantOf(row.through_at),
    keptBeyond: Number(row.kept), held: holds.rows.filter(({ partition }) => partition === row.partition).map(({ reason, subjects }) => ({ reason, subjects: Number(subjects) })),
  }));
  // A subject has one partition, so subjects of partitions add up.
  const held = HOLD_REASONS.map((reason) => partitions.flatMap((one) => one.held.filter((hold) => hold.reason === reason))).filter((own) => own.length > 0)
    .map((own) => ({ reason: own[0]!.reason, subjects: own.reduce((sum, { subjects }) => sum + subjects, 0) }));
  const latest = rows.reduce<bigint | null>((found, { whole_from: from }) => (from !== null && (found === null || from > found) ? from : found), null);
  return {
    days: await retentionDaysOf(tx, tenant), wholeFrom: instantOf(latest), dropped: partitions.reduce((sum, { dropped }) => sum + dropped, 0), keptBeyond: partitions.reduce((sum, { keptBeyond }) => sum + keptBeyond, 0), held, partitions,
  };
};

/** How long envelopes are kept. What was counted stays; what was sent goes, when nobody needs it to bill any more. */
@ApiTags('usage')
@Controller('api/v1/usage/retention')
export class RetentionController {
  constructor(@Inject(UsageHost) private readonly host: UsageHost) {}

  @Get()
  @Allow('usage:read')
  @Answers(RETENTION)
  get(@CurrentCaller() { tenant }: Caller): Promise<RetentionState> { return this.host.read(tenant, (tx) => stateOf(tx, tenant)); }

  /** Refuses with `retention_too_short`, `retention_too_long`. What is dropped already does not come back. */
  @Put()
  @Allow('usage:write')
  @Answers(RETENTION)
  async change(@Body() { days }: RetentionDto, @CurrentCaller() caller: Caller): Promise<RetentionState> {
    if (caller.kind !== 'secret') throw new Problem(403, 'permission_missing', 'this key sends usage and does nothing else');
    const { service } = this.host;
    const at = service.clock.now();
    const instruction: Instruction<ChangeRetention> = { decider: retention, command: { type: 'ChangeRetention', days, at }, context: contextOfCaller(caller, at) };
    return service.log.transact({ role: 'api', tenant: caller.tenant, repeatable: true }, async (tx) => {
      await service.log.execute(tx, [instruction]);
      return stateOf(tx, caller.tenant);
    });
  }
}
