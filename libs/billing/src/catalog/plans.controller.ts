import { Body, Controller, Get, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { billingInterval, charge, type Charge, instant, list, mapOf, object, text, whole } from '@valueverse/contracts';
import { instruct } from '@valueverse/event-log';
import { Allow, contextOfCaller, CurrentCaller, type Caller } from '@valueverse/auth';
import {
  answerOnce, Answers, AnswersPage, awaitKnown, created, CurrencyField, Cursors, Free, invalidRequest, Key, listRows, Metadata, Nested, OneOf, type Page, PageQuery, Problem, rowOf, Text, Whole,
} from '@valueverse/platform';
import { BillingHost } from '../billing-host';
import { readCharges } from './domain/charges';
import { knownMeter } from './known-meters';
import { planDecider, plansModel, versionOf, type PlanRow } from './plan.model';

const INTERVAL_COUNT_MAX = 1_000;

class IntervalDto {
  @OneOf(['day', 'week', 'month', 'quarter', 'year']) unit!: 'day' | 'week' | 'month' | 'quarter' | 'year';
  @Whole({ min: 1, max: INTERVAL_COUNT_MAX }) count!: number;
}
class CreatePlanDto {
  @Key() key!: string;
  @Text() name!: string;
  @CurrencyField() currency!: string;
  @Nested(() => IntervalDto) interval!: IntervalDto;
  @Free({ schema: { type: 'array', items: { type: 'object' } }, description: 'What the plan bills: { key, name, type: recurring|usage, timing?, meterKey?, price, chargeFlatAtZero? }' }) charges!: unknown;
  @Metadata() metadata?: Record<string, string>;
}

const toApi = (row: PlanRow): unknown => {
  const { version, name, currency, interval, charges, metadata, createdAt } = versionOf(row)!;
  return { key: row.planKey, version, name, currency, interval, charges, metadata, createdAt };
};

const PLAN = object({
  key: text(), version: whole(1), name: text(), currency: text(3), interval: billingInterval, charges: list(charge), metadata: mapOf(text()), createdAt: instant(),
});

/** The catalogue: plans and their versions. */
@ApiTags('billing')
@Controller('api/v1/billing/plans')
export class PlansController {
  constructor(@Inject(BillingHost) private readonly host: BillingHost, @Inject(Cursors) private readonly cursors: Cursors) {}

  @Post()
  @Allow('billing:write')
  @Answers(PLAN, 201)
  async create(@Body() body: CreatePlanDto, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { service } = this.host;
    const { key, name, currency, interval, metadata = {} } = body;
    if (!Array.isArray(body.charges)) throw invalidRequest([{ pointer: '/charges', code: body.charges === undefined ? 'missing_field' : 'list_expected', detail: 'is a list of charges' }]);
    const read = readCharges(body.charges, '/charges', currency);
    if ('errors' in read) throw invalidRequest(read.errors);
    await this.refuseUnknownMeters(caller.tenant, read.charges);
    return answerOnce(service, { tenant: caller.tenant, route: 'POST /api/v1/billing/plans', request, reply }, async (tx) => {
      const at = service.clock.now();
      const { unit, count } = interval;
      await service.log.execute(tx, [instruct(planDecider, { type: 'CreatePlan', planKey: key, name, currency, interval: { unit, count }, charges: read.charges, metadata, at }, contextOfCaller(caller, at))]);
      return created(`/api/v1/billing/plans/${key}`, toApi((await rowOf<PlanRow>(tx, plansModel, key))!));
    });
  }

  @Get()
  @Allow('billing:read')
  @AnswersPage(PLAN)
  list(@Query() query: PageQuery, @CurrentCaller() { tenant }: Caller): Promise<Page<unknown>> {
    return this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => listRows(tx, { model: plansModel, query, cursors: this.cursors, order: 'oldest', toApi }));
  }

  @Get(':key')
  @Allow('billing:read')
  @Answers(PLAN)
  async get(@Param('key') key: string, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
    const row = await this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => rowOf<PlanRow>(tx, plansModel, key));
    if (row === undefined) throw new Problem(404, 'plan_not_found', `there is no plan ${key}`);
    return toApi(row);
  }

  private async refuseUnknownMeters(tenant: string, charges: readonly Charge[]): Promise<void> {
    for (const [index, { meterKey }] of charges.entries()) {
      if (meterKey === undefined) continue;
      const known = await awaitKnown(this.host.service, 'usage', tenant, meterKey, (tx) => knownMeter(tx, tenant, meterKey));
      const pointer = `/charges/${index}/meterKey`;
      if (known?.archived === true) throw new Problem(409, 'meter_archived', `the meter ${meterKey} is archived`, { errors: [{ pointer, code: 'meter_archived', detail: 'restore it, or take another one' }] });
      if (known === undefined) {
        throw new Problem(404, 'meter_not_found', `there is no meter ${meterKey}`, { errors: [{ pointer, code: 'meter_not_found', detail: 'is not a meter of this tenant' }] });
      }
    }
  }
}
