import { Body, Controller, Get, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { billingInterval, instant, list, mapOf, object, oneOf, optional, period, text, whole } from '@valueverse/contracts';
import { instruct, type Tx } from '@valueverse/event-log';
import { Refused, type IdSource } from '@valueverse/kernel';
import { Allow, contextOfCaller, CurrentCaller, type Caller } from '@valueverse/auth';
import {
  answerOnce, Answers, AnswersPage, created, Cursors, IDS, InstantField, Key, listRows, Metadata, OneOf, type Page, PageQuery, Problem, rowOf, Text, TextList, textRule, Whole,
} from '@valueverse/platform';
import { accountsModel, type AccountRow } from '../accounts/account.model';
import { BillingHost } from '../billing-host';
import { plansModel, versionOf, type PlanRow } from '../catalog/plan.model';
import { clockTime } from '../clocks/clock-time';
import { UPCOMING_INVOICE } from '../invoicing/invoice-schema';
import { upcomingInvoice } from '../invoicing/upcoming-invoice';
import { anchorOf, cyclePeriod, cyclePeriodAt } from './domain/billing-cycle';
import { subscriptionDecider, subscriptionsModel, type SubscriptionRow } from './subscription.model';

const SUBJECTS_MAX = 100;
const SUBJECT_LENGTH_MAX = 256;
const LOCAL_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$/;

class StartSubscriptionDto {
  @Text({ max: 64 }) accountId!: string;
  @Key() planKey!: string;
  @Whole({ optional: true, min: 1 }) planVersion?: number;
  @InstantField() startsAt!: string;
  @OneOf(['anniversary', 'calendar'], { optional: true, description: 'Where periods begin: at the start (default) or with the calendar' }) alignment?: 'anniversary' | 'calendar';
  @Text({ optional: true, max: 19, pattern: LOCAL_TIME, description: 'A local date-time in the zone of the account', example: '2024-01-31T00:00:00' }) anchor?: string;
  @TextList({ optional: true, max: SUBJECTS_MAX, each: textRule(SUBJECT_LENGTH_MAX, 1), description: 'The identifiers on usage events that this subscription is billed for' }) subjects?: string[];
  @Metadata() metadata?: Record<string, string>;
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
  anchor: object({ local: text(), zone: text() }), subjects: list(text()), metadata: mapOf(text()), currentPeriod: optional(period), createdAt: instant(),
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
    const { service, usage } = this.host;
    const known = await service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
      const row = await this.find(tx, id);
      const account = (await rowOf<AccountRow>(tx, accountsModel, row.accountId))!;
      return { row, plan: (await rowOf<PlanRow>(tx, plansModel, row.planKey))!, now: await clockTime(tx, service.clock, account.testClockId) };
    });
    return upcomingInvoice(usage, tenant, known.row, versionOf(known.plan, known.row.planVersion)!, known.now);
  }

  private async startIn(tx: Tx, body: StartSubscriptionDto, caller: Caller): Promise<SubscriptionRow> {
    const { service } = this.host;
    const account = await rowOf<AccountRow>(tx, accountsModel, body.accountId);
    if (account === undefined) throw refuse(404, 'account_not_found', '/accountId', `there is no account ${body.accountId}`);
    const found = await rowOf<PlanRow>(tx, plansModel, body.planKey);
    const plan = found === undefined ? undefined : versionOf(found, body.planVersion);
    if (plan === undefined) throw refuse(404, 'plan_not_found', '/planKey', `there is no plan ${body.planKey}${body.planVersion === undefined ? '' : ` version ${body.planVersion}`}`);
    if (plan.currency !== account.currency) throw refuse(409, 'currency_mismatch', '/planKey', `the plan is in ${plan.currency}, the account in ${account.currency}`);
    const subscriptionId = this.ids.next('sub');
    const subjects = [...new Set(body.subjects ?? [])];
    await this.takeSubjects(tx, caller.tenant, subjects, subscriptionId);
    const at = await clockTime(tx, service.clock, account.testClockId);
    const anchor = anchorOf(body.alignment ?? 'anniversary', plan.interval, body.startsAt, account.timezone, body.anchor);
    refuseWithoutPeriods({ anchor, interval: plan.interval, startsAt: body.startsAt });
    await service.log.execute(tx, [instruct(subscriptionDecider, {
      type: 'StartSubscription', subscriptionId, accountId: account.accountId, planKey: body.planKey, planVersion: plan.version, currency: plan.currency, interval: plan.interval,
      startsAt: body.startsAt, anchor, subjects, metadata: body.metadata ?? {}, at,
    }, contextOfCaller(caller, at, account.testClockId))]);
    return (await rowOf<SubscriptionRow>(tx, subscriptionsModel, subscriptionId))!;
  }

  /** A subject belongs to one subscription; the table's key decides between two that come at once. */
  private async takeSubjects(tx: Tx, tenant: string, subjects: readonly string[], subscriptionId: string): Promise<void> {
    const { rows } = await tx.query<{ subject: string }>(
      'INSERT INTO subjects (tenant, subject, subscription_id) SELECT $1, s, $3 FROM unnest($2::text[]) s ON CONFLICT DO NOTHING RETURNING subject', [tenant, subjects, subscriptionId]);
    const taken = subjects.findIndex((subject) => !rows.some((row) => row.subject === subject));
    if (taken !== -1) throw refuse(409, 'subject_taken', `/subjects/${taken}`, `${subjects[taken]} belongs to another subscription`);
  }

  private async find(tx: Tx, id: string): Promise<SubscriptionRow> {
    const row = await rowOf<SubscriptionRow>(tx, subscriptionsModel, id);
    if (row === undefined) throw new Problem(404, 'subscription_not_found', `there is no subscription ${id}`);
    return row;
  }

  private async toApi(tx: Tx, { subscriptionId, startedAt, ...row }: SubscriptionRow): Promise<unknown> {
    const account = (await rowOf<AccountRow>(tx, accountsModel, row.accountId))!;
    const current = cyclePeriodAt(row, await clockTime(tx, this.host.service.clock, account.testClockId));
    return { id: subscriptionId, status: current === undefined ? 'scheduled' : 'active', ...row, ...(current === undefined ? {} : { currentPeriod: current.served }), createdAt: startedAt };
  }
}
