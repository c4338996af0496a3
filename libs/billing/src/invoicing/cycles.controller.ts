import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { decimal, instant, list, nullable, object, oneOf, text, whole } from '@valueverse/contracts';
import { ident, tableOf } from '@valueverse/event-log';
import { derivedId, Money, parseInstant } from '@valueverse/kernel';
import { Allow, CurrentCaller, type Caller } from '@valueverse/auth';
import { Answers, AnswersPage, Cursors, InstantField, OneOf, type Page, PageQuery, Problem, Text } from '@valueverse/platform';
import { BillingHost } from '../billing-host';
import { MOVE_SUBSCRIPTION } from '../subscriptions/moves';
import { subscriptionsModel, type SubscriptionRow } from '../subscriptions/subscription.model';
import { BILL_PERIOD, CLOSE_INVOICE, FINALIZE_INVOICE } from './cycle-jobs';
import { billSubscriptions, type Bill } from './bill-subscription';
import { previewDraft } from './preview';

const STATUSES = ['scheduled', 'due', 'claimed', 'done', 'failed', 'parked'] as const;
/** After so many attempts a run waits for somebody; it is tried on, at the longest pause. */
const ATTEMPTS_UNTIL_PARKED = 8;
const DRY_RUN_SUBSCRIPTIONS_MAX = 100;

class CyclesQuery extends PageQuery {
  @OneOf(STATUSES, { optional: true }) status?: (typeof STATUSES)[number];
  @Text({ optional: true, max: 64 }) subscriptionId?: string;
  @Text({ optional: true, max: 64 }) accountId?: string;
}
class DryRunDto {
  @InstantField({ description: 'Everything that is due up to then' }) at!: string;
  @Text({ optional: true, max: 64 }) accountId?: string;
}
const CYCLE = object({
  id: text(), kind: oneOf('bill', 'close', 'finalize', 'move'), status: oneOf(...STATUSES), accountId: nullable(text()), subscriptionId: nullable(text()), invoiceIds: list(text()), dueAt: instant(), doneAt: nullable(instant()), attempts: whole(),
  owner: nullable(text()), reason: nullable(text()), nextAttemptAt: nullable(instant()),
});
const PROGRESS = object({ scheduled: whole(), due: whole(), claimed: whole(), failed: whole(), parked: whole(), done: whole(), oldestDueAt: nullable(instant()) });
const DRY_RUN = object({ at: instant(), subscriptions: whole(), invoices: list(object({ accountId: text(), subscriptionIds: list(text()), currency: text(3), total: decimal(), amountDue: decimal() })) });

interface CycleRow {
  readonly id: string; readonly kind: string; readonly status: (typeof STATUSES)[number]; readonly account_id: string | null; readonly subscription_id: string | null; readonly invoice_ids: string[]; readonly due_at: string;
  readonly done_at: string | null; readonly attempts: number; readonly owner: string | null; readonly reason: string | null; readonly next_at: string | null;
}

/** Runs that are jobs still, and those that are done. A run that fails is tried again with growing pauses and says why; one that keeps failing is parked with whoever runs the installation. */
const RUNS_SQL = `
  SELECT j.id, j.kind, CASE WHEN j.attempt >= ${ATTEMPTS_UNTIL_PARKED} THEN 'parked' WHEN j.locked_until > clock_timestamp() THEN 'claimed' WHEN j.attempt > 0 AND j.waits_for IS NOT NULL THEN 'failed'
      WHEN j.due_at > coalesce(c.now, $2::timestamptz) THEN 'scheduled' ELSE 'due' END AS status,
    s.account_id, j.payload::json->>'subscriptionId' AS subscription_id, CASE WHEN j.payload::json->>'invoiceId' IS NULL THEN '{}'::text[] ELSE ARRAY[j.payload::json->>'invoiceId'] END AS invoice_ids,
    to_char(j.due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS due_at, NULL::text AS done_at, j.attempt AS attempts, CASE WHEN j.attempt >= ${ATTEMPTS_UNTIL_PARKED} THEN 'operator' ELSE j.locked_by END AS owner,
    j.waits_for AS reason, CASE WHEN j.not_before > clock_timestamp() THEN to_char(j.not_before AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') END AS next_at
  FROM jobs j LEFT JOIN clocks c ON c.tenant = j.tenant AND c.clock = j.clock LEFT JOIN ${ident(tableOf(subscriptionsModel))} s ON s.tenant = j.tenant AND s.key = j.payload::json->>'subscriptionId'
  WHERE j.tenant = $1 AND j.kind = ANY($3)
  UNION ALL
  SELECT id, '${BILL_PERIOD}', 'done', account_id, subscription_id, invoice_ids, due_at, done_at, attempts, NULL, NULL, NULL FROM billing_cycles WHERE tenant = $1`;

const KINDS: Readonly<Record<string, string>> = { [BILL_PERIOD]: 'bill', [CLOSE_INVOICE]: 'close', [FINALIZE_INVOICE]: 'finalize', [MOVE_SUBSCRIPTION]: 'move' };
const toApi = ({ id, kind, status, account_id: accountId, subscription_id: subscriptionId, invoice_ids: invoiceIds, due_at: dueAt, done_at: doneAt, attempts, owner, reason, next_at: nextAt }: CycleRow): unknown => ({
  id, kind: KINDS[kind], status, accountId, subscriptionId, invoiceIds, dueAt: parseInstant(dueAt), doneAt: doneAt === null ? null : parseInstant(doneAt), attempts, owner, reason, nextAttemptAt: nextAt === null ? null : parseInstant(nextAt),
});

/** Invoice runs: what is due, at work, done, failed, and parked with its reason. */
@ApiTags('billing')
@Controller('api/v1/billing/cycles')
export class CyclesController {
  constructor(@Inject(BillingHost) private readonly host: BillingHost, @Inject(Cursors) private readonly cursors: Cursors) {}

  @Get()
  @Allow('billing:read')
  @AnswersPage(CYCLE)
  list(@Query() query: CyclesQuery, @CurrentCaller() { tenant }: Caller): Promise<Page<unknown>> {
    const { service } = this.host;
    const filters = [query.status ?? null, query.subscriptionId ?? null, query.accountId ?? null];
    const cursorOf = JSON.stringify(['cycles', tenant, filters]);
    const after = this.cursors.read(query.cursor, cursorOf);
    return service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
      const { rows } = await tx.query<CycleRow>(
        `SELECT * FROM (${RUNS_SQL}) r WHERE ($4::text IS NULL OR r.status = $4) AND ($5::text IS NULL OR r.subscription_id = $5) AND ($6::text IS NULL OR r.account_id = $6)
         AND ($7::text IS NULL OR (r.due_at, r.id) < ($7, $8)) ORDER BY r.due_at DESC, r.id DESC LIMIT $9`,
        [tenant, service.clock.now(), Object.keys(KINDS), ...filters, after?.[0] ?? null, after?.[1] ?? null, query.limit + 1]);
      return this.cursors.page(rows, query, cursorOf, ({ due_at: dueAt, id }) => [dueAt, id], toApi);
    });
  }

  /** How many runs are where, and since when the oldest one is due. */
  @Get('progress')
  @Allow('billing:read')
  @Answers(PROGRESS)
  progress(@CurrentCaller() { tenant }: Caller): Promise<unknown> {
    const { service } = this.host;
    return service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
      const { rows } = await tx.query<{ status: string; count: bigint; oldest: string | null }>(`SELECT status, count(*) AS count, min(due_at) AS oldest FROM (${RUNS_SQL}) r GROUP BY status`, [tenant, service.clock.now(), Object.keys(KINDS)]);
      const of = (status: string): number => Number(rows.find((row) => row.status === status)?.count ?? 0);
      const oldest = rows.filter(({ status }) => ['due', 'claimed', 'failed', 'parked'].includes(status)).flatMap(({ oldest: one }) => one ?? []).sort()[0];
      return { ...Object.fromEntries(STATUSES.map((status) => [status, of(status)])), oldestDueAt: oldest === undefined ? null : parseInstant(oldest) };
    });
  }

  /** What a run up to an instant would bill, by the same function as the run; nothing is stored. At most 100 subscriptions of the account, or of all accounts in the order of their ids. */
  @Post('dry-run')
  @HttpCode(200)
  @Allow('billing:read')
  @Answers(DRY_RUN)
  async dryRun(@Body() { at, accountId }: DryRunDto, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
    const { rows, bills } = await this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
      const found = await tx.query<{ row: SubscriptionRow }>(`SELECT row FROM ${ident(tableOf(subscriptionsModel))} WHERE tenant = $1 AND ($2::text IS NULL OR account_id = $2) ORDER BY account_id, key LIMIT $3`, [tenant, accountId ?? null, DRY_RUN_SUBSCRIPTIONS_MAX]);
      const all: Bill[] = [];
      for (const { row } of found.rows) all.push(...(await billSubscriptions(tx, tenant, [row], { at, now: at, invoiceIdOf: (currency) => derivedId('inv', 'dry-run', row.started.subscriptionId, currency) })).bills);
      return { rows: found.rows, bills: all };
    });
    const invoices = await Promise.all(bills.map(async ({ draft, parts }) => {
      const { money } = await previewDraft(this.host, tenant, draft, at);
      const zero = Money.zero(draft.currency).toString();
      return { accountId: draft.accountId, subscriptionIds: parts.map(({ subscriptionId }) => subscriptionId), currency: draft.currency, total: money?.total ?? zero, amountDue: money?.amountDue ?? zero };
    }));
    return { at, subscriptions: rows.length, invoices };
  }

  @Get(':id')
  @Allow('billing:read')
  @Answers(CYCLE)
  async get(@Param('id') id: string, @CurrentCaller() { tenant }: Caller): Promise<unknown> { return toApi(await this.found(tenant, id)); }

  /** A run that waits after a failure is tried at once. Refuses with `cycle_not_found` and `cycle_done`. */
  @Post(':id/retry')
  @HttpCode(200)
  @Allow('billing:write')
  @Answers(CYCLE)
  async retry(@Param('id') id: string, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
    const { status } = await this.found(tenant, id);
    if (status === 'done') throw new Problem(409, 'cycle_done', 'the run is done');
    await this.host.service.database.transaction({ role: 'worker' }, (tx) => tx.query(`UPDATE jobs SET not_before = '-infinity', attempt = 0 WHERE tenant = $1 AND id = $2 AND (locked_until IS NULL OR locked_until < clock_timestamp())`, [tenant, id]));
    return toApi(await this.found(tenant, id));
  }

  private async found(tenant: string, id: string): Promise<CycleRow> {
    const { service } = this.host;
    const { rows } = await service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => tx.query<CycleRow>(`SELECT * FROM (${RUNS_SQL}) r WHERE r.id = $4`, [tenant, service.clock.now(), Object.keys(KINDS), id]));
    if (rows[0] === undefined) throw new Problem(404, 'cycle_not_found', `there is no run ${id}`);
    return rows[0];
  }
}
