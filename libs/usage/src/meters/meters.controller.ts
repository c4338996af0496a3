import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiProperty, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AGGREGATION_NAMES } from '../metering/domain/aggregations';
import type { Tx } from '@valueverse/event-log';
import { instantFromMicros, microsNumberOfText, parseInstant } from '@valueverse/kernel';
import { decimal, FILTER_OPERATORS, list, mapOf, nullable, object, text, whole } from '@valueverse/contracts';
import { Allow, contextOfCaller, CurrentCaller, type Caller } from '@valueverse/auth';
import {
  answerOnce, Answers, created, Cursors, DecimalString, Field, Flag, InstantField, Key, ListOf, Metadata, Nested, objectRule, ok, OneOf, type Page, PageQuery, Problem, type Rule, type StoredAnswer, Text, Whole,
} from '@valueverse/platform';
import { currentVersion, type Meter, type MeterVersion, ruleOf } from '../metering/domain/measure';
import { lockRetention } from '../retention/lock';
import { droppedFrom } from '../retention/missed';
import { UsageHost } from '../usage-host';
import { type MeterCommand, meterDecider, type MeterSpec } from './domain/meter';
import { meter, meterOf, metersAfter } from './meters';
import { type Preview, PREVIEW_EVENTS_MAX, previewOf } from './preview';

const PATH_DESCRIPTION = 'A path into `data`, such as `$.usage.promptTokens`';
const DURATION_LENGTH_MAX = 32;
const SCALE_MAX = 12;

const textsRule: Rule = (value) => {
  const wrong = objectRule(value);
  if (wrong !== undefined) return wrong;
  const entry = Object.entries(value as object).find(([, path]) => typeof path !== 'string');
  return entry === undefined ? undefined : { code: 'string_expected', detail: 'a path is a string', within: `/${entry[0]}` };
};
const anyRule: Rule = () => undefined;

class FilterDto {
  @Text({ description: PATH_DESCRIPTION, example: '$.region' }) property!: string;
  @OneOf(FILTER_OPERATORS) operator!: string;
  @Field(anyRule, { optional: true, description: 'A text, number or truth value; a list of them for `in` and `nin`' }, { example: 'eu' }) value?: unknown;
}
class ConversionDto {
  @DecimalString({ optional: true, description: 'The quantity is divided by it' }) divideBy?: string;
  @OneOf(['up', 'down', 'half_up'], { optional: true }) round?: string;
  @Whole({ optional: true, min: 0, max: SCALE_MAX, description: 'Digits after the point that are kept where it is rounded; 0 if not given' }) scale?: number;
  @OneOf(['period', 'event'], { optional: true, description: 'What is converted: the total of the period (default) or the value of each event' }) per?: string;
}
class MeterRuleDto {
  @Text({ optional: true, description: 'The key, if not given' }) name?: string;
  @Text({ description: 'The `type` of the events that it looks at', example: 'llm.completion' }) eventType!: string;
  @Text({ max: 32, description: `One of ${AGGREGATION_NAMES.join(', ')}`, example: 'sum' }) aggregation!: string;
  @Text({ optional: true, description: `${PATH_DESCRIPTION}; not for \`count\`` }) valueProperty?: string;
  @Field(textsRule, { optional: true, description: `Up to 10 dimensions: name -> ${PATH_DESCRIPTION}` }, { type: 'object', additionalProperties: { type: 'string' } }) groupBy?: Record<string, string>;
  @ListOf(() => FilterDto, { optional: true, description: 'All of them must hold' }) filter?: FilterDto[];
  @DecimalString({ optional: true, description: 'For `percentile`', min: '0', max: '100' }) percentile?: string;
  @Text({ optional: true, max: DURATION_LENGTH_MAX, description: 'For `percentile`: the length of a sample, such as `PT5M`', example: 'PT5M' }) sampleWindow?: string;
  @OneOf(['per_second'], { optional: true, description: 'For `percentile`: each sample is divided by its seconds' }) rate?: string;
  @Text({ optional: true, max: 64, description: 'What the billed quantity is counted in' }) unit?: string;
  @Nested(() => ConversionDto, { optional: true }) conversion?: ConversionDto;
  @Flag({ optional: true, description: 'Whether the next period starts where the last one ended' }) carryOver?: boolean;
  @Metadata() metadata?: Record<string, string>;
}
export class CreateMeterDto extends MeterRuleDto {
  @Key({ description: 'How the meter is addressed; unique' }) key!: string;
  @InstantField({ optional: true, description: 'Events that occurred before are not counted and wait for another meter; all are counted if not given. The start of a quarter of an hour, or of a sample window' }) from?: string;
}
export class AddVersionDto extends MeterRuleDto {
  @InstantField({ description: 'Events that occur from then on are counted by it; the start of a quarter of an hour, or of a sample window' }) from!: string;
}
export class PreviewDto extends MeterRuleDto {
  @Whole({ optional: true, min: 1, max: PREVIEW_EVENTS_MAX, description: 'How many of the latest events of the type are looked at; 1,000 if not given' }) events?: number;
}
class MetersQuery extends PageQuery {
  @Flag({ optional: true, fromText: true, description: 'Archived ones too' }) archived?: boolean;
}

export class MeterDto {
  @ApiProperty() key!: string;
  @ApiProperty({ description: 'The version that counts now, or will' }) version!: number;
  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'It counts events that occurred then or later; null: all up to its next version' }) from!: string | null;
  @ApiProperty() name!: string;
  @ApiProperty() eventType!: string;
  @ApiProperty({ enum: AGGREGATION_NAMES }) aggregation!: string;
  @ApiProperty({ type: String, nullable: true }) valueProperty!: string | null;
  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } }) groupBy!: Record<string, string>;
  @ApiProperty({ type: [FilterDto] }) filter!: readonly unknown[];
  @ApiProperty({ type: String, nullable: true }) percentile!: string | null;
  @ApiProperty({ type: String, nullable: true }) sampleWindow!: string | null;
  @ApiProperty({ type: String, nullable: true }) rate!: string | null;
  @ApiProperty({ type: String, nullable: true }) unit!: string | null;
  @ApiProperty({ type: ConversionDto, nullable: true }) conversion!: unknown;
  @ApiProperty() carryOver!: boolean;
  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } }) metadata!: Record<string, string>;
  @ApiProperty({ format: 'date-time' }) createdAt!: string;
  @ApiProperty({ type: String, format: 'date-time', nullable: true }) archivedAt!: string | null;
}
export class MeterVersionsDto { @ApiProperty({ type: [MeterDto] }) data!: MeterDto[] }

const QUANTITY = object({ groupBy: mapOf(text()), value: decimal(), events: whole() });
const PREVIEW = object({
  events: whole(), counted: whole(), filteredOut: whole(), excluded: list(object({ code: text(), events: whole() })), from: nullable(text()), to: nullable(text()), wholeFrom: nullable(text()), quantities: list(QUANTITY),
  sample: list(object({ subject: text(), source: text(), id: text(), time: text(), value: nullable(text()), groupBy: mapOf(text()), result: text() })),
});

const versionToApi = ({ meterKey, valueProperty, groupBy, metadata, ...rest }: MeterVersion, archivedAt: string | null): MeterDto => ({
  key: meterKey, version: rest.version, from: rest.from ?? null, name: rest.name, eventType: rest.eventType, aggregation: rest.aggregation, valueProperty: valueProperty ?? null,
  groupBy: { ...groupBy }, filter: rest.filter, percentile: rest.percentile ?? null, sampleWindow: rest.sampleWindow ?? null, rate: rest.rate ?? null, unit: rest.unit ?? null,
  conversion: rest.conversion ?? null, carryOver: rest.carryOver, metadata: { ...metadata }, createdAt: rest.createdAt, archivedAt,
});
const toApi = (found: Meter): MeterDto => versionToApi(currentVersion(found), found.archivedAt);

const specOf = ({ name, groupBy = {}, metadata = {}, ...rest }: MeterRuleDto, key: string): MeterSpec => ({ name: name ?? key, groupBy, metadata, ...rest });

/** The meter of a key. Refuses with 404 `meter_not_found`. */
export const wantedMeter = async (tx: Tx, tenant: string, key: string): Promise<Meter> => {
  const found = await meterOf(tx, tenant, key);
  if (found === undefined) throw new Problem(404, 'meter_not_found', `there is no meter ${key}`);
  return found;
};
/** A version counts its time anew from the envelopes, so they have to be there. Refuses with 409 `usage_dropped`. */
const assertCanCount = async (tx: Tx, tenant: string, from: string): Promise<void> => {
  // Nothing is dropped until it is known that this version counts from then on.
  await lockRetention(tx, tenant, true);
  const dropped = await droppedFrom(tx, tenant);
  if (dropped === undefined || microsNumberOfText(from) >= dropped) return;
  const detail = `usage that occurred before ${instantFromMicros(dropped)} was dropped by retention and cannot be counted anew: a new version begins then or later`;
  throw new Problem(409, 'usage_dropped', detail, { errors: [{ pointer: '/from', code: 'usage_dropped', detail }] });
};
const assertMayWrite = (caller: Caller): void => {
  if (caller.kind !== 'secret') throw new Problem(403, 'permission_missing', 'this key sends usage and does nothing else');
};

/** Meters: the rules that turn usage events into quantities. */
@ApiTags('usage')
@Controller('api/v1/usage/meters')
export class MetersController {
  constructor(@Inject(UsageHost) private readonly host: UsageHost, @Inject(Cursors) private readonly cursors: Cursors) {}

  @Post()
  @Allow('usage:write')
  @ApiResponse({ status: 201, type: MeterDto })
  create(@Body() { key, ...body }: CreateMeterDto, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const command = (createdAt: string): MeterCommand => ({ type: 'CreateMeter', meterKey: key, ...specOf(body, key), createdAt });
    return this.change('POST /api/v1/usage/meters', key, caller, request, reply, command, (answer) => created(`/api/v1/usage/meters/${key}`, answer));
  }

  @Post('preview')
  @HttpCode(200)
  @Allow('usage:read')
  @Answers(PREVIEW)
  preview(@Body() { events = 1_000, ...body }: PreviewDto, @CurrentCaller() { tenant }: Caller): Promise<Preview> {
    const [fact] = meterDecider.decide({ type: 'CreateMeter', meterKey: 'preview', ...specOf(body, 'preview'), createdAt: this.host.service.clock.now() }, meterDecider.initial);
    if (fact?.type !== 'MeterCreated') throw new Error('a new meter is created');
    return this.host.read(tenant, (tx) => previewOf(tx, tenant, ruleOf(fact), events));
  }

  @Post(':key/versions')
  @Allow('usage:write')
  @ApiResponse({ status: 201, type: MeterDto })
  addVersion(@Param('key') key: string, @Body() { from, ...body }: AddVersionDto, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const command = (createdAt: string): MeterCommand => ({ type: 'AddMeterVersion', meterKey: key, ...specOf(body, key), from: parseInstant(from), createdAt });
    return this.change(`POST /api/v1/usage/meters/${key}/versions`, key, caller, request, reply, command, (answer) => created(`/api/v1/usage/meters/${key}/versions`, answer));
  }

  @Post(':key/archive')
  @Allow('usage:write')
  @ApiResponse({ status: 200, type: MeterDto })
  archive(@Param('key') key: string, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return this.change(`POST /api/v1/usage/meters/${key}/archive`, key, caller, request, reply, (at) => ({ type: 'ArchiveMeter', meterKey: key, at }), ok);
  }

  @Post(':key/restore')
  @Allow('usage:write')
  @ApiResponse({ status: 200, type: MeterDto })
  restore(@Param('key') key: string, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return this.change(`POST /api/v1/usage/meters/${key}/restore`, key, caller, request, reply, (at) => ({ type: 'RestoreMeter', meterKey: key, at }), ok);
  }

  @Get()
  @Allow('usage:read')
  async list(@Query() query: MetersQuery, @CurrentCaller() { tenant }: Caller): Promise<Page<MeterDto>> {
    const list = `meters ${tenant} ${query.archived === true}`;
    const [after = ''] = this.cursors.read(query.cursor, list) ?? [];
    const rows = await this.host.read(tenant, (tx) => metersAfter(tx, tenant, after, query.limit, query.archived === true));
    return this.cursors.page(rows, query, list, ({ meterKey }) => [meterKey], toApi);
  }

  @Get(':key')
  @Allow('usage:read')
  @ApiResponse({ status: 200, type: MeterDto })
  get(@Param('key') key: string, @CurrentCaller() { tenant }: Caller): Promise<MeterDto> {
    return this.host.read(tenant, async (tx) => toApi(await wantedMeter(tx, tenant, key)));
  }

  @Get(':key/versions')
  @Allow('usage:read')
  @ApiResponse({ status: 200, type: MeterVersionsDto })
  versions(@Param('key') key: string, @CurrentCaller() { tenant }: Caller): Promise<MeterVersionsDto> {
    return this.host.read(tenant, async (tx) => {
      const found = await wantedMeter(tx, tenant, key);
      return { data: found.versions.map((version) => versionToApi(version, found.archivedAt)) };
    });
  }

  private change(
    route: string, key: string, caller: Caller, request: FastifyRequest, reply: FastifyReply, commandAt: (now: string) => MeterCommand, answer: (meter: MeterDto) => StoredAnswer,
  ): Promise<unknown> {
    assertMayWrite(caller);
    const { service } = this.host;
    return answerOnce(service, { tenant: caller.tenant, route, request, reply }, async (tx) => {
      const now = service.clock.now();
      const command = commandAt(now);
      if (command.type === 'AddMeterVersion') await assertCanCount(tx, caller.tenant, command.from);
      await service.log.execute(tx, [{ decider: meter, command, context: contextOfCaller(caller, now) }]);
      return answer(toApi(await wantedMeter(tx, caller.tenant, key)));
    });
  }
}
