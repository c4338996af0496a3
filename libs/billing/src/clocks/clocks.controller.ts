import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { instant, list, object, oneOf, optional, text } from '@valueverse/contracts';
import { instruct } from '@valueverse/event-log';
import type { IdSource } from '@valueverse/kernel';
import { Allow, contextOfCaller, CurrentCaller, type Caller } from '@valueverse/auth';
import {
  accepted, answerOnce, Answers, AnswersPage, created, Cursors, IDS, InstantField, listRows, type Page, PageQuery, Problem, rowOf, Text,
} from '@valueverse/platform';
import { BillingHost } from '../billing-host';
import { clockDecider, clocksModel, type ClockRow } from './clock.model';
import { waitsFor } from './domain/quiet';

class CreateClockDto {
  @Text() name!: string;
  @InstantField({ description: 'Where the clock begins' }) now!: string;
}
class AdvanceClockDto {
  @InstantField({ description: 'Where the clock is to stand; not before its present' }) to!: string;
}

const toApi = ({ clockId, name, status, now, target }: ClockRow): Record<string, unknown> => ({ id: clockId, name, status, now, ...(status === 'advancing' ? { target } : {}) });
const refuseLive = ({ environment }: Caller): void => {
  if (environment === 'live') throw new Problem(403, 'clock_in_live', 'test clocks exist in the test environment only');
};

const CLOCK = object({ id: text(), name: text(), status: oneOf('ready', 'advancing'), now: instant(), target: optional(instant()), waitingFor: optional(list(text())) });

/** Test clocks: time that a test moves. */
@ApiTags('billing')
@Controller('api/v1/billing/clocks')
export class ClocksController {
  constructor(@Inject(BillingHost) private readonly host: BillingHost, @Inject(Cursors) private readonly cursors: Cursors, @Inject(IDS) private readonly ids: IdSource) {}

  @Post()
  @Allow('billing:write')
  @Answers(CLOCK, 201)
  create(@Body() body: CreateClockDto, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    refuseLive(caller);
    const { service } = this.host;
    return answerOnce(service, { tenant: caller.tenant, route: 'POST /api/v1/billing/clocks', request, reply }, async (tx) => {
      const clockId = this.ids.next('clk');
      await service.log.execute(tx, [instruct(clockDecider, { type: 'CreateClock', clockId, ...body }, contextOfCaller(caller, body.now, clockId))]);
      return created(`/api/v1/billing/clocks/${clockId}`, toApi((await rowOf<ClockRow>(tx, clocksModel, clockId))!));
    });
  }

  @Get()
  @Allow('billing:read')
  @AnswersPage(CLOCK)
  list(@Query() query: PageQuery, @CurrentCaller() caller: Caller): Promise<Page<unknown>> {
    return this.host.service.database.transaction({ role: 'api', tenant: caller.tenant, readOnly: true }, (tx) => listRows(tx, { model: clocksModel, query, cursors: this.cursors, toApi }));
  }

  /** While a clock is on its way `waitingFor` says what for. */
  @Get(':id')
  @Allow('billing:read')
  @Answers(CLOCK)
  async get(@Param('id') id: string, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
    const row = await this.find(tenant, id);
    if (row.status === 'ready') return toApi(row);
    const reports = await Promise.all(this.host.reports().map((report) => report.clock(tenant, id)));
    return { ...toApi(row), waitingFor: waitsFor(reports, row.now) };
  }

  @Post(':id/advance')
  @HttpCode(202)
  @Answers(CLOCK, 202)
  @Allow('billing:write')
  async advance(@Param('id') id: string, @Body() { to }: AdvanceClockDto, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    refuseLive(caller);
    const { now } = await this.find(caller.tenant, id);
    return answerOnce(this.host.service, { tenant: caller.tenant, route: 'POST /api/v1/billing/clocks/{id}/advance', request, reply }, async (tx) => {
      await this.host.service.log.execute(tx, [instruct(clockDecider, { type: 'RequestAdvance', clockId: id, to }, contextOfCaller(caller, now, id))]);
      return accepted(toApi((await rowOf<ClockRow>(tx, clocksModel, id))!), `/api/v1/billing/clocks/${id}`);
    });
  }

  private async find(tenant: string, id: string): Promise<ClockRow> {
    const row = await this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => rowOf<ClockRow>(tx, clocksModel, id));
    if (row === undefined) throw new Problem(404, 'clock_not_found', `there is no clock ${id}`);
    return row;
  }
}
