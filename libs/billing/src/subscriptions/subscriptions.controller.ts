import { Body, Controller, Get, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { billingInterval, instant, list, mapOf, object, oneOf, optional, period, text, whole } from '@valueverse/contracts';
import { ident, instruct, tableOf, type Tx } from '@valueverse/event-log';
import { isBefore, Refused, type IdSource } from '@valueverse/kernel';
import { Allow, contextOfCaller, CurrentCaller, type Caller } from '@valueverse/auth';
import {
  answerOnce, Answers, AnswersPage, created, Cursors, IDS, InstantField, Key, listRows, Metadata, OneOf, type Page, PageQuery, Problem, rowOf, Text, Whole,
} from '@valueverse/platform';
import { accountsModel, type AccountRow } from '../accounts/account.model';
import { BillingHost } from '../billing-host';
import { plansModel, versionOf, type PlanRow, type PlanVersion } from '../catalog/plan.model';
import { clockTime } from '../clocks/clock-time';
import { UPCOMING_INVOICE } from '../invoicing/invoice-schema';
import { PERIOD_USAGE, periodUsage } from '../invoicing/period-usage';
import { upcomingInvoice } from '../invoicing/upcoming-invoice';
import { anchorOf, cyclePeriod, cyclePeriodAt, usagePeriod } from './domain/billing-cycle';
import { claimedOfAccount } from './domain/covered-usage';
import { Subjects, takeSubjects } from './subjects';
import { siblingsOf, subscriptionDecider, subscriptionsModel, subscriptionsOf, type SubscriptionRow } from './subscription.model';

const LOCAL_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$/;

class StartSubscriptionDto {
  @Text({ max: 64 }) accountId!: string;
  @Key() planKey!: string;
  @Whole({ optional: true, min: 1 }) planVersion?: number;
  @InstantField() startsAt!: string;
  @OneOf(['anniversary', 'calendar'], { optional: true, description: 'Where periods begin: at the start (default) or with the calendar' }) alignment?: 'anniversary' | 'calendar';
  @Text({ optional: true, max: 19, pattern: LOCAL_TIME, description: 'A local date-time in the zone of the account', example: '2024-01-31T00:00:00' }) anchor?: string;
  @Subjects('The identifiers on usage events that this subscription is billed for') subjects?: string[];
  @InstantField({ optional: true, description: 'Usage of its subjects from then on was kept and is billed with the first period; the start or earlier, the start if not given' }) countFrom?: string;
  @Metadata() metadata?: Record<string, string>;
}
class PeriodUsageQuery {
  @InstantField({ optional: true, description: 'An instant of the period, such as its start; the present period if not given' }) period?: string;
}
class SubscriptionsQuery extends PageQuery {
  @Text({ optional: true, max: 64 }) accountId?: string;
}

const refuse = (status: number, code: string, pointer: string, detail: string): Problem => new Problem(status, code, detail, { errors: [{ pointer, code, detail }] });

/** An anchor that is no date, or a period that ends after the last year, would be found only when the first period is billed. */
const refuseWithoutPeriods = (started: Parameters<typeof cyclePeriod>[0]): void => {
  try {
    cyclePeriod(started, 0);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    throw refuse(400, error.code, error.code === 'invalid_local_time' ? '/anchor' : '/startsAt', error.message);
  }
};

const SUBSCRIPTION = object({
  id: text(), status: oneOf('scheduled', 'active'), accountId: text(), planKey: text(), planVersion: whole(1), currency: text(3), interval: billingInterval, startsAt: instant(),
  anchor: object({ local: text(), zone: text() }), subjects: list(text()), countFrom: instant(),
  ofAccount: optional(object({ subjects: list(text()), meters: list(object({ meterKey: text(), from: instant() })) })), metadata: mapOf(text()), currentPeriod: optional(period), createdAt: instant(),
});

/** Subscriptions: accounts on plan versions. */
@ApiTags('billing')
@Controller('api/v1/billing/subscriptions')
export class SubscriptionsController {
  constructor(@Inject(BillingHost) private readonly host: BillingHost, @Inject(Cursors) private readonly cursors: Cursors, @Inject(IDS) private readonly ids: IdSource) {}

  @Post()
  @Allow('billing:write')
  @Answers(SUBSCRIPTION, 201)
  start(@Body() body: StartSubscriptionDto, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return answerOnce(this.host.service, { tenant: caller.tenant, route: 'POST /api/v1/billing/subscriptions', request, reply }, async (tx) => {
      const row = await this.startIn(tx, body, caller);
      return created(`/api/v1/billing/subscriptions/${row.subscriptionId}`, await this.toApi(tx, row));
    });
  }

  @Get()
  @Allow('billing:read')
  @AnswersPage(SUBSCRIPTION)
  list(@Query() query: SubscriptionsQuery, @CurrentCaller() { tenant }: Caller): Promise<Page<unknown>> {
    return this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
      const page = await listRows<SubscriptionRow, SubscriptionRow>(tx, { model: subscriptionsModel, query, cursors: this.cursors, filters: { account_id: query.accountId }, toApi: (row) => row });
      return { ...page, data: await Promise.all(page.data.map((row) => this.toApi(tx, row))) };
    });
  }

  @Get(':id')
  @Allow('billing:read')
  @Answers(SUBSCRIPTION)
  get(@Param('id') id: string, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
    return this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => this.toApi(tx, await this.find(tx, id)));
  }

  /** The invoice that the present period would end in, by the same function as the real one; nothing is stored. */
  @Get(':id/upcoming-invoice')
  @Allow('billing:read')
  @Answers(UPCOMING_INVOICE)
  async upcoming(@Param('id') id: string, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
    const { subscription, plan, siblings, now } = await this.known(tenant, id);
    return upcomingInvoice(this.host.usage, tenant, subscription, plan, siblings, now);
  }

  /**
   * What was used in a period so far and what it costs, against what the plan includes: by the same function as the invoice, nothing is stored. 400 `period_not_begun` for a later period,
   * `period_before_start` for one of before it counts.
   */
  @Get(':id/usage')
  @Allow('billing:read')
  @Answers(PERIOD_USAGE)
  async usage(@Param('id') id: string, @Query() { period: asked }: PeriodUsageQuery, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
    const known = await this.known(tenant, id);
    const { subscription, now } = known;
    const { startsAt, countFrom = startsAt } = subscription;
    const instant = asked ?? now;
    if (asked !== undefined && isBefore(asked, countFrom)) throw refuse(400, 'period_before_start', '/period', `usage counts from ${countFrom}`);
    const found = cyclePeriodAt(subscription, instant) ?? cyclePeriod(subscription, 0);
    if (found.nth > (cyclePeriodAt(subscription, now)?.nth ?? 0)) throw refuse(400, 'period_not_begun', '/period', `the period of ${instant} begins at ${found.served.from}`);
    return periodUsage(this.host.usage, tenant, known, { ...found, usage: usagePeriod(subscription, found), isOver: !isBefore(now, found.served.to) });
  }

  private known(tenant: string, id: string): Promise<{ subscription: SubscriptionRow; plan: PlanVersion; siblings: readonly SubscriptionRow[]; now: string }> {
    const { service } = this.host;
    return service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
      const subscription = await this.find(tx, id);
      const account = (await rowOf<AccountRow>(tx, accountsModel, subscription.accountId))!;
      const plan = versionOf((await rowOf<PlanRow>(tx, plansModel, subscription.planKey))!, subscription.planVersion)!;
      return { subscription, plan, siblings: await siblingsOf(tx, tenant, subscription), now: await clockTime(tx, service.clock, account.testClockId) };
    });
  }

  private async startIn(tx: Tx, body: StartSubscriptionDto, caller: Caller): Promise<SubscriptionRow> {
    const { service } = this.host;
    const account = await rowOf<AccountRow>(tx, accountsModel, body.accountId);
    if (account === undefined) throw refuse(404, 'account_not_found', '/accountId', `there is no account ${body.accountId}`);
    const found = await rowOf<PlanRow>(tx, plansModel, body.planKey);
    const plan = found === undefined ? undefined : versionOf(found, body.planVersion);
    if (plan === undefined) throw refuse(404, 'plan_not_found', '/planKey', `there is no plan ${body.planKey}${body.planVersion === undefined ? '' : ` version ${body.planVersion}`}`);
    if (found?.archivedAt != null) throw refuse(409, 'plan_archived', '/planKey', `the plan ${body.planKey} is archived: restore it, or take another one`);
    if (plan.currency !== account.currency) throw refuse(409, 'currency_mismatch', '/planKey', `the plan is in ${plan.currency}, the account in ${account.currency}`);
    if (body.countFrom !== undefined && isBefore(body.startsAt, body.countFrom)) throw refuse(400, 'count_from_after_start', '/countFrom', 'usage counts from the start at the latest');
    const subscriptionId = this.ids.next('sub');
    const subjects = await takeSubjects(tx, caller.tenant, body.subjects ?? [], { subscriptionId });
    const at = await clockTime(tx, service.clock, account.testClockId);
    const anchor = anchorOf(body.alignment ?? 'anniversary', plan.interval, body.startsAt, account.timezone, body.anchor);
    refuseWithoutPeriods({ anchor, interval: plan.interval, startsAt: body.startsAt });
    await service.log.execute(tx, [instruct(subscriptionDecider, {
      type: 'StartSubscription', subscriptionId, accountId: account.accountId, planKey: body.planKey, planVersion: plan.version, currency: plan.currency, interval: plan.interval,
      startsAt: body.startsAt, anchor, subjects, metadata: body.metadata ?? {}, at, ...(body.countFrom === undefined ? {} : { countFrom: body.countFrom }),
      ...(await this.ofAccount(tx, caller.tenant, account, plan, body.countFrom ?? body.startsAt, at)),
    }, contextOfCaller(caller, at, account.testClockId))]);
    return (await rowOf<SubscriptionRow>(tx, subscriptionsModel, subscriptionId))!;
  }

  /** What it has of its account's subjects. The account is held: of two subscriptions that start at once, the second sees the first. */
  private async ofAccount(tx: Tx, tenant: string, { accountId, subjects }: AccountRow, { charges }: PlanVersion, from: string, now: string): Promise<Pick<SubscriptionRow, 'ofAccount'>> {
    const meterKeys = charges.flatMap(({ meterKey }) => meterKey ?? []);
    if (subjects === undefined || meterKeys.length === 0) return {};
    await tx.query(`SELECT FROM ${ident(tableOf(accountsModel))} WHERE tenant = $1 AND key = $2 FOR UPDATE`, [tenant, accountId]);
    return { ofAccount: claimedOfAccount(subjects, meterKeys, from, now, await subscriptionsOf(tx, tenant, accountId)) };
  }

  private async find(tx: Tx, id: string): Promise<SubscriptionRow> {
    const row = await rowOf<SubscriptionRow>(tx, subscriptionsModel, id);
    if (row === undefined) throw new Problem(404, 'subscription_not_found', `there is no subscription ${id}`);
    return row;
  }

  private async toApi(tx: Tx, { subscriptionId, startedAt, ...row }: SubscriptionRow): Promise<unknown> {
    const account = (await rowOf<AccountRow>(tx, accountsModel, row.accountId))!;
    const current = cyclePeriodAt(row, await clockTime(tx, this.host.service.clock, account.testClockId));
    return { id: subscriptionId, status: current === undefined ? 'scheduled' : 'active', countFrom: row.startsAt, ...row, ...(current === undefined ? {} : { currentPeriod: current.served }), createdAt: startedAt };
  }
}
