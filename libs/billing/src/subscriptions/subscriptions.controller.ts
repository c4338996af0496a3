import { Body, Controller, Get, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { instruct, type Tx } from '@valueverse/event-log';
import { derivedId, isBefore, Money, type IdSource } from '@valueverse/kernel';
import { Allow, contextOfCaller, CurrentCaller, type Caller } from '@valueverse/auth';
import { answerOnce, Answers, AnswersPage, created, Cursors, IDS, InstantField, listRows, type Page, PageQuery, rowOf, Text } from '@valueverse/platform';
import { accountsModel, type AccountRow } from '../accounts/account.model';
import { BillingHost } from '../billing-host';
import { wanted } from '../catalog/items.controller';
import { readAll } from '../catalog/domain/shape';
import { clockTime, timesOfAccounts } from '../clocks/clock-time';
import { billSubscriptions, nextRun } from '../invoicing/bill-subscription';
import { UPCOMING_INVOICE } from '../invoicing/invoice-schema';
import { askedOf, PERIOD_USAGE, periodUsage } from '../invoicing/period-usage';
import { previewDraft, previewToApi } from '../invoicing/preview';
import { loadCatalogue } from './catalogue';
import { billedUpTo } from './domain/foreseen';
import { windowAt } from './domain/usage-windows';
import { knownSubscription, type KnownSubscription } from './known-subscription';
import { refuse, resolveStart } from './start-subscription';
import { takeSubjects } from './subjects';
import { SUBSCRIPTION, subscriptionToApi } from './subscription-api';
import { startShape, type StartSpec } from './subscription-shapes';
import { subscriptionDecider, subscriptionsModel, type SubscriptionRow } from './subscription.model';

class PeriodUsageQuery {
  @InstantField({ optional: true, description: 'An instant of the period, such as its start; the present period if not given' }) period?: string;
}
class SubscriptionsQuery extends PageQuery {
  @Text({ optional: true, max: 64 }) accountId?: string;
  @Text({ optional: true }) planKey?: string;
  @Text({ optional: true }) externalId?: string;
}

const UNIQUE_VIOLATION = '23505';
const isTaken = (error: unknown): boolean => {
  const { code, constraint } = error as { code?: string; constraint?: string };
  return code === UNIQUE_VIOLATION && constraint?.endsWith('_external_id') === true;
};

/** Subscriptions: accounts on plan versions. */
@ApiTags('billing')
@Controller('api/v1/billing/subscriptions')
export class SubscriptionsController {
  constructor(@Inject(BillingHost) private readonly host: BillingHost, @Inject(Cursors) private readonly cursors: Cursors, @Inject(IDS) private readonly ids: IdSource) {}

  /**
   * Puts an account on a plan. Refuses with `account_not_found`, `plan_not_found`, `plan_archived`, `add_on_not_found`, `currency_mismatch`, `start_before_account`, `count_from_after_start`, `invalid_local_time`, `subject_taken`,
   * `external_id_taken`, and the codes of prices for overrides.
   */
  @Post()
  @Allow('billing:write')
  @ApiBody({ schema: startShape.json })
  @Answers(SUBSCRIPTION, 201)
  start(@Body() body: unknown, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const spec = wanted(readAll(startShape, body));
    const answered = answerOnce(this.host.service, { tenant: caller.tenant, route: 'POST /api/v1/billing/subscriptions', request, reply }, async (tx) => {
      const id = await this.startIn(tx, spec, caller);
      const { row, catalogue, now } = await knownSubscription(this.host, tx, caller.tenant, id);
      return created(`/api/v1/billing/subscriptions/${id}`, subscriptionToApi(row, catalogue, now));
    });
    return answered.catch((error: unknown) => { throw isTaken(error) ? refuse(409, 'external_id_taken', '/externalId', `another subscription has the externalId ${spec.externalId}`) : error; });
  }

  @Get()
  @Allow('billing:read')
  @AnswersPage(SUBSCRIPTION)
  list(@Query() query: SubscriptionsQuery, @CurrentCaller() { tenant }: Caller): Promise<Page<unknown>> {
    return this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
      const filters = { account_id: query.accountId, plan_key: query.planKey, external_id: query.externalId };
      const page = await listRows<SubscriptionRow, SubscriptionRow>(tx, { model: subscriptionsModel, query, cursors: this.cursors, filters, toApi: (row) => row });
      const catalogue = await loadCatalogue(tx, tenant, page.data);
      const times = await timesOfAccounts(tx, this.host.service.clock, page.data.map(({ started }) => started.accountId));
      return { ...page, data: page.data.map((row) => subscriptionToApi(row, catalogue, times.get(row.started.accountId)!)) };
    });
  }

  @Get(':id')
  @Allow('billing:read')
  @Answers(SUBSCRIPTION)
  async get(@Param('id') id: string, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
    const { row, catalogue, now } = await this.known(tenant, id);
    return subscriptionToApi(row, catalogue, now);
  }

  /** The invoice that the present period would end in, by the same function as the real one; nothing is stored. */
  @Get(':id/upcoming-invoice')
  @Allow('billing:read')
  @Answers(UPCOMING_INVOICE)
  async upcoming(@Param('id') id: string, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
    const { bill, row, at } = await this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
      const { row: found, catalogue, now } = await knownSubscription(this.host, tx, tenant, id);
      const issuesAt = isBefore(now, found.started.startsAt) ? found.started.startsAt : nextRun(found, catalogue, now);
      if (issuesAt === undefined) return { bill: undefined, row: found, at: undefined };
      const { bills } = await billSubscriptions(tx, tenant, [billedUpTo(found, catalogue, now)], { at: issuesAt, now: issuesAt, invoiceIdOf: (currency) => derivedId('inv', 'upcoming', id, currency) }, catalogue);
      return { bill: bills[0], row: found, at: issuesAt };
    });
    const { accountId, subscriptionId, currency } = row.started;
    const preview = bill === undefined ? { money: undefined, notes: [], asOf: undefined } : await previewDraft(this.host, tenant, bill.draft, at!);
    return { accountId, subscriptionId, currency, ...(at === undefined ? {} : { issuesAt: at }), ...previewToApi(preview, Money.zero(currency).toString()) };
  }

  /**
   * What was used in a period so far and what it costs, against what the plan includes: by the same function as the invoice, nothing is stored. 400 `period_not_begun` for a later period,
   * `period_before_start` for one of before it counts.
   */
  @Get(':id/usage')
  @Allow('billing:read')
  @Answers(PERIOD_USAGE)
  async usage(@Param('id') id: string, @Query() { period: asked }: PeriodUsageQuery, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
    const { row, window, questions } = await this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
      const { row: found, catalogue, now } = await knownSubscription(this.host, tx, tenant, id);
      const { startsAt, countFrom = startsAt } = found.started;
      if (asked !== undefined && isBefore(asked, countFrom)) throw refuse(400, 'period_before_start', '/period', `usage counts from ${countFrom}`);
      const present = windowAt(found, catalogue.courses, now);
      const at = windowAt(found, catalogue.courses, asked ?? now);
      if (at === undefined) throw refuse(400, 'period_not_begun', '/period', 'the subscription has no further period');
      if (present !== undefined && isBefore(present.served.from, at.served.from)) throw refuse(400, 'period_not_begun', '/period', `the period of ${asked} begins at ${at.served.from}`);
      return { row: found, window: at, questions: await askedOf(tx, tenant, found, catalogue, at) };
    });
    return periodUsage(this.host, tenant, row, window, questions);
  }

  private known(tenant: string, id: string): Promise<KnownSubscription> {
    return this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => knownSubscription(this.host, tx, tenant, id));
  }

  private async startIn(tx: Tx, spec: StartSpec, caller: Caller): Promise<string> {
    const { service } = this.host;
    const account = await rowOf<AccountRow>(tx, accountsModel, spec.accountId);
    if (account === undefined) throw refuse(404, 'account_not_found', '/accountId', `there is no account ${spec.accountId}`);
    const subscriptionId = this.ids.next('sub');
    const now = await clockTime(tx, service.clock, account.testClockId);
    const { started } = await resolveStart(tx, caller.tenant, spec, { subscriptionId, account, now });
    const subjects = await takeSubjects(tx, caller.tenant, spec.subjects ?? [], { subscriptionId });
    await service.log.execute(tx, [instruct(subscriptionDecider, { ...started, subjects, type: 'StartSubscription', at: now }, contextOfCaller(caller, now, account.testClockId))]);
    return subscriptionId;
  }
}
