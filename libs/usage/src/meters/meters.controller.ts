import { Body, Controller, Get, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiProperty, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Tx } from '@valueverse/event-log';
import { Allow, contextOfCaller, CurrentCaller, type Caller } from '@valueverse/auth';
import { answerOnce, created, Cursors, Field, Key, Metadata, objectRule, type Page, PageQuery, Problem, type Rule, Text } from '@valueverse/platform';
import type { MeterDefinition } from '../metering/domain/measure';
import { UsageHost } from '../usage-host';
import type { CreateMeter } from './domain/meter';
import { meter, meterOf, metersAfter } from './meters';

const PATH_DESCRIPTION = 'A path into `data`, such as `$.usage.promptTokens`';

const textsRule: Rule = (value) => {
  const wrong = objectRule(value);
  if (wrong !== undefined) return wrong;
  const entry = Object.entries(value as object).find(([, path]) => typeof path !== 'string');
  return entry === undefined ? undefined : { code: 'string_expected', detail: 'a path is a string', within: `/${entry[0]}` };
};

export class CreateMeterDto {
  @Key({ description: 'How the meter is addressed; unique' }) key!: string;
  @Text({ optional: true, description: 'The key, if not given' }) name?: string;
  @Text({ description: 'The `type` of the events that it looks at', example: 'llm.completion' }) eventType!: string;
  @Text({ max: 32, description: '`sum` or `count`', example: 'sum' }) aggregation!: string;
  @Text({ optional: true, description: `${PATH_DESCRIPTION}; for \`sum\` alone` }) valueProperty?: string;
  @Field(textsRule, { optional: true, description: `Up to 10 dimensions: name -> ${PATH_DESCRIPTION}` }, { type: 'object', additionalProperties: { type: 'string' } }) groupBy?: Record<string, string>;
  @Metadata() metadata?: Record<string, string>;
}

export class MeterDto {
  @ApiProperty() key!: string;
  @ApiProperty() version!: number;
  @ApiProperty() name!: string;
  @ApiProperty() eventType!: string;
  @ApiProperty({ enum: ['sum', 'count'] }) aggregation!: string;
  @ApiProperty({ type: String, nullable: true }) valueProperty!: string | null;
  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } }) groupBy!: Record<string, string>;
  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } }) metadata!: Record<string, string>;
  @ApiProperty({ format: 'date-time' }) createdAt!: string;
}

const toApi = ({ meterKey, valueProperty, ...rest }: MeterDefinition): MeterDto => ({
  key: meterKey, version: rest.version, name: rest.name, eventType: rest.eventType, aggregation: rest.aggregation, valueProperty: valueProperty ?? null,
  groupBy: { ...rest.groupBy }, metadata: { ...rest.metadata }, createdAt: rest.createdAt,
});

/** The meter of a key. Refuses with 404 `meter_not_found`. */
export const wantedMeter = async (tx: Tx, tenant: string, key: string): Promise<MeterDefinition> => {
  const found = await meterOf(tx, tenant, key);
  if (found === undefined) throw new Problem(404, 'meter_not_found', `there is no meter ${key}`);
  return found;
};

/** Meters: the rules that turn usage events into quantities. */
@ApiTags('usage')
@Controller('api/v1/usage/meters')
export class MetersController {
  constructor(@Inject(UsageHost) private readonly host: UsageHost, @Inject(Cursors) private readonly cursors: Cursors) {}

  @Post()
  @Allow('usage:write')
  @ApiResponse({ status: 201, type: MeterDto })
  create(@Body() body: CreateMeterDto, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    if (caller.kind !== 'secret') throw new Problem(403, 'permission_missing', 'this key sends usage and does nothing else');
    const { service } = this.host;
    return answerOnce(service, { tenant: caller.tenant, route: 'POST /api/v1/usage/meters', request, reply }, async (tx) => {
      const createdAt = service.clock.now();
      const { key, name = key, groupBy = {}, metadata = {}, ...rest } = body;
      const command: CreateMeter = { type: 'CreateMeter', meterKey: key, name, groupBy, metadata, createdAt, ...rest };
      await service.log.execute(tx, [{ decider: meter, command, context: contextOfCaller(caller, createdAt) }]);
      return created(`/api/v1/usage/meters/${key}`, toApi((await meterOf(tx, caller.tenant, key))!));
    });
  }

  @Get()
  @Allow('usage:read')
  async list(@Query() query: PageQuery, @CurrentCaller() { tenant }: Caller): Promise<Page<MeterDto>> {
    const list = `meters ${tenant}`;
    const [after = ''] = this.cursors.read(query.cursor, list) ?? [];
    const rows = await this.host.read(tenant, (tx) => metersAfter(tx, tenant, after, query.limit));
    return this.cursors.page(rows, query, list, ({ meterKey }) => [meterKey], toApi);
  }

  @Get(':key')
  @Allow('usage:read')
  @ApiResponse({ status: 200, type: MeterDto })
  get(@Param('key') key: string, @CurrentCaller() { tenant }: Caller): Promise<MeterDto> {
    return this.host.read(tenant, async (tx) => toApi(await wantedMeter(tx, tenant, key)));
  }
}
