import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { object, text, whole } from '@valueverse/contracts';
import { instruct, type Tx } from '@valueverse/event-log';
import { Allow, contextOfCaller, CurrentCaller, type Caller } from '@valueverse/auth';
import { answerOnce, Answers, AnswersPage, created, Cursors, listRows, ok, type Page, PageQuery, type StoredAnswer, Whole } from '@valueverse/platform';
import { BillingHost } from '../billing-host';
import type { PlanCommand } from './domain/plan.decider';
import { planDiff } from './domain/plan-diff';
import { newPlan, readVersion, VERSION_JSON } from './domain/plan-shape';
import { currenciesOf } from './domain/plan-terms';
import { readAll } from './domain/shape';
import { CatalogQuery, wanted } from './items.controller';
import { PLAN, PLAN_DIFF_FIELDS } from './plan-answers';
import { planDecider, plansModel, versionOf, wantedPlan, wantedVersion, type PlanRow, type PlanVersion } from './plan.model';
import { planReferences, refuseUnknownReferences } from './references';

class VersionQuery {
  @Whole({ optional: true, min: 1, fromText: true, description: 'The latest if not given' }) version?: number;
}
class DiffQuery {
  @Whole({ min: 1, fromText: true }) from!: number;
  @Whole({ min: 1, fromText: true }) to!: number;
}

const ROUTE = '/api/v1/billing/plans';
const DIFF = object({ key: text(), from: whole(1), to: whole(1), ...PLAN_DIFF_FIELDS });

const versionToApi = ({ planKey, versions, archivedAt }: PlanRow, version: PlanVersion): unknown =>
  ({ key: planKey, ...version, currencies: currenciesOf(version), archivedAt, isLatest: version.version === versions.length });
const toApi = (row: PlanRow): unknown => versionToApi(row, versionOf(row)!);

/** The catalogue: plans and their versions. */
@ApiTags('billing')
@Controller('api/v1/billing/plans')
export class PlansController {
  constructor(@Inject(BillingHost) private readonly host: BillingHost, @Inject(Cursors) private readonly cursors: Cursors) {}

  @Post()
  @Allow('billing:write')
  @ApiBody({ schema: newPlan.json })
  @Answers(PLAN, 201)
  async create(@Body() body: unknown, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { key, ...spec } = wanted(readAll(newPlan, body));
    await refuseUnknownReferences(this.host.service, caller.tenant, planReferences(spec));
    return this.change(`POST ${ROUTE}`, caller, request, reply, (at) => ({ ...spec, type: 'CreatePlan', planKey: key, at }), (row) => created(`${ROUTE}/${key}`, toApi(row)));
  }

  /** Adds a version, which never changes. Subscriptions stay on theirs. Refuses with `plan_not_found`, `plan_unchanged` and `currency_mismatch`. */
  @Post(':key/versions')
  @Allow('billing:write')
  @ApiBody({ schema: VERSION_JSON })
  @Answers(PLAN, 201)
  async addVersion(@Param('key') key: string, @Body() body: unknown, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { currency } = versionOf(await this.read(caller.tenant, (tx) => wantedPlan(tx, key)))!;
    const spec = wanted(readVersion(body, currency));
    await refuseUnknownReferences(this.host.service, caller.tenant, planReferences(spec));
    return this.change(`POST ${ROUTE}/{key}/versions`, caller, request, reply, (at) => ({ ...spec, type: 'AddPlanVersion', planKey: key, at }),
      (row) => created(`${ROUTE}/${key}?version=${row.versions.length}`, toApi(row)));
  }

  /** New subscriptions to it are refused with `plan_archived`; those that are there go on. */
  @Post(':key/archive')
  @HttpCode(200)
  @Allow('billing:write')
  @Answers(PLAN)
  archive(@Param('key') key: string, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return this.change(`POST ${ROUTE}/{key}/archive`, caller, request, reply, (at) => ({ type: 'ArchivePlan', planKey: key, at }), (row) => ok(toApi(row)));
  }

  @Post(':key/restore')
  @HttpCode(200)
  @Allow('billing:write')
  @Answers(PLAN)
  restore(@Param('key') key: string, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return this.change(`POST ${ROUTE}/{key}/restore`, caller, request, reply, (at) => ({ type: 'RestorePlan', planKey: key, at }), (row) => ok(toApi(row)));
  }

  @Get()
  @Allow('billing:read')
  @AnswersPage(PLAN)
  list(@Query() query: CatalogQuery, @CurrentCaller() { tenant }: Caller): Promise<Page<unknown>> {
    const filters = { archived: query.archived === true ? undefined : 'false' };
    return this.read(tenant, (tx) => listRows(tx, { model: plansModel, query, cursors: this.cursors, order: 'oldest', filters, toApi }));
  }

  @Get(':key')
  @Allow('billing:read')
  @Answers(PLAN)
  get(@Param('key') key: string, @Query() { version }: VersionQuery, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
    return this.read(tenant, async (tx) => {
      const row = await wantedPlan(tx, key);
      return versionToApi(row, wantedVersion(row, version));
    });
  }

  /** The oldest first. */
  @Get(':key/versions')
  @Allow('billing:read')
  @AnswersPage(PLAN)
  versions(@Param('key') key: string, @Query() query: PageQuery, @CurrentCaller() { tenant }: Caller): Promise<Page<unknown>> {
    const list = JSON.stringify(['versions', tenant, key]);
    const [after = '0'] = this.cursors.read(query.cursor, list) ?? [];
    return this.read(tenant, async (tx) => {
      const row = await wantedPlan(tx, key);
      const rest = row.versions.slice(Number(after), Number(after) + query.limit + 1);
      return this.cursors.page(rest, query, list, ({ version }) => [String(version)], (version) => versionToApi(row, version));
    });
  }

  /** What one version says otherwise than another one: fields by pointer with old and new, charges and phases by key. */
  @Get(':key/diff')
  @Allow('billing:read')
  @Answers(DIFF)
  diff(@Param('key') key: string, @Query() { from, to }: DiffQuery, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
    return this.read(tenant, async (tx) => {
      const row = await wantedPlan(tx, key);
      const [before, after] = [from, to].map((version) => {
        const { version: _, createdAt: _at, ...spec } = wantedVersion(row, version);
        return spec;
      });
      return { key, from, to, ...planDiff(before!, after!) };
    });
  }

  private read<T>(tenant: string, work: (tx: Tx) => Promise<T>): Promise<T> { return this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, work); }

  private change(route: string, caller: Caller, request: FastifyRequest, reply: FastifyReply, commandAt: (at: string) => PlanCommand, answered: (row: PlanRow) => StoredAnswer): Promise<unknown> {
    const { service } = this.host;
    return answerOnce(service, { tenant: caller.tenant, route, request, reply }, async (tx) => {
      const at = service.clock.now();
      const command = commandAt(at);
      await service.log.execute(tx, [instruct(planDecider, command, contextOfCaller(caller, at))]);
      return answered(await wantedPlan(tx, command.planKey));
    });
  }
}
