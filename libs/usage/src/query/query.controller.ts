import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiProperty, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Allow, CurrentCaller, type Caller } from '@valueverse/auth';
import { AnswersPage, CACHE, type Cache, Cursors, OneOf, type Page, PageQuery, Problem, Text } from '@valueverse/platform';
import { anything, instant, nullable, object, oneOf, text, whole } from '@valueverse/contracts';
import { instantFromMicros, isBefore, microsNumberOfText } from '@valueverse/kernel';
import type { Tx } from '@valueverse/event-log';
import { type Meter, rulesOf } from '../metering/domain/measure';
import { EXCEPTION_CODES, type ExceptionCode } from '../metering/exceptions';
import { wantedMeter } from '../meters/meters.controller';
import { sealedUntil, wholeFrom } from '../retention/missed';
import { UsageHost } from '../usage-host';
import { asOfIn, type FeedEnds, partitionsFor } from './as-of';
import { cachedQuery } from './cached-query';
import { BEGINNING, WINDOW_SIZES } from './domain/windows';
import { exceptionsAfter, type ExceptionPosition, type ListedException } from './exceptions';
import type { MeterQuery } from './meter-query';
import { readMeterQuery } from './query-parameters';

export class QueryRowDto {
  @ApiProperty({ format: 'date-time' }) windowStart!: string;
  @ApiProperty({ format: 'date-time' }) windowEnd!: string;
  @ApiProperty({ type: String, nullable: true }) subject!: string | null;
  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } }) groupBy!: Readonly<Record<string, string>>;
  @ApiProperty({ format: 'decimal', example: '123' }) value!: string;
}
export class QueryAnswerDto {
  @ApiProperty({ format: 'date-time' }) from!: string;
  @ApiProperty({ format: 'date-time' }) to!: string;
  @ApiProperty({ enum: WINDOW_SIZES, nullable: true }) windowSize!: string | null;
  @ApiProperty({ type: [QueryRowDto] }) data!: QueryRowDto[];
  @ApiProperty({ format: 'date-time', description: 'Everything that was accepted up to here is in the answer' }) asOf!: string;
  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'The meter was made after usage of before that instant had been dropped by retention, so it counts less of it; null where the answer is whole' }) wholeFrom!: string | null;
  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'The end of the last quarter of an hour in the answer that has lost events by retention: up to there it rests on buckets that are sealed with a hash and cannot be counted anew; null where all events are there' }) sealedUntil!: string | null;
}

class ExceptionsQuery extends PageQuery {
  @OneOf(EXCEPTION_CODES, { optional: true }) code?: ExceptionCode;
  @Text({ optional: true }) subject?: string;
  @Text({ optional: true, description: 'Events that this meter left out' }) meterKey?: string;
}

const PLACE = object({ envelope: text(), partition: whole(), position: text(), index: whole() });
const EXCEPTION = object({
  code: oneOf(...EXCEPTION_CODES), meterKey: nullable(text()), subject: text(), source: text(), id: text(), time: instant(), recordedAt: instant(), place: PLACE, first: nullable(PLACE), event: nullable(anything()),
});

/** What was used: the quantities of meters, and the events that did not go their usual way. */
@ApiTags('usage')
@Controller('api/v1/usage')
export class QueryController {
  constructor(@Inject(UsageHost) private readonly host: UsageHost, @Inject(Cursors) private readonly cursors: Cursors, @Inject(CACHE) private readonly cache: Cache) {}

  @Get('meters/:key/query')
  @Allow('usage:read')
  @ApiQuery({ name: 'from', schema: { type: 'string', format: 'date-time' } })
  @ApiQuery({ name: 'to', schema: { type: 'string', format: 'date-time' } })
  @ApiQuery({ name: 'windowSize', required: false, enum: WINDOW_SIZES, description: '`billing_period`: the periods of the subscription that is billed for the subject, the first from where it counts; in its own zone' })
  @ApiQuery({ name: 'timezone', required: false, schema: { type: 'string', default: 'UTC' }, description: 'IANA zone; windows are local to it' })
  @ApiQuery({ name: 'subject', required: false, schema: { type: 'string' }, description: 'Comma-separated; all of them summed if not given' })
  @ApiQuery({ name: 'groupBy', required: false, schema: { type: 'string' }, description: 'Comma-separated dimensions, and `subject`' })
  @ApiQuery({ name: 'fill', required: false, enum: ['zero'], description: 'Empty windows are answered as 0' })
  @ApiQuery({ name: 'filter', required: false, style: 'deepObject', schema: { type: 'object', additionalProperties: { type: 'string' } }, description: 'Written `filter.<dimension>=a,b`' })
  @ApiResponse({ status: 200, type: QueryAnswerDto })
  async query(@Param('key') key: string, @Query() parameters: Record<string, unknown>, @CurrentCaller() { tenant }: Caller): Promise<QueryAnswerDto> {
    const query = await this.withPeriods(tenant, key, readMeterQuery(parameters));
    const { reader } = this.host;
    const looks = await reader.horizon.look();
    const found = await this.answer(tenant, key, query, looks);
    if (!isBefore(found.asOf, looks[0]!.at)) return found;
    // Something that was accepted before the question is not counted yet: mostly it is in a moment.
    await reader.caughtUp(looks[0]!, partitionsFor(tenant, query.subjects));
    return this.answer(tenant, key, query, looks);
  }

  private answer(tenant: string, key: string, query: MeterQuery, looks: readonly FeedEnds[]): Promise<QueryAnswerDto> {
    return this.host.read(tenant, async (tx) => {
      const meter = await wantedMeter(tx, tenant, key);
      const data = await cachedQuery(this.cache, tx, tenant, meter, query);
      return { from: query.from, to: query.to, windowSize: query.windowSize ?? null, data, asOf: await asOfIn(tx, tenant, meter, looks, query.subjects), ...await this.keptOf(tx, tenant, meter, query) };
    });
  }

  /** What retention has left of the time that an answer is about; what is carried into it is from the beginning. */
  private async keptOf(tx: Tx, tenant: string, meter: Meter, { from, to, subjects }: MeterQuery): Promise<Pick<QueryAnswerDto, 'wholeFrom' | 'sealedUntil'>> {
    const rules = rulesOf(meter);
    const period = { from: rules.at(-1)!.carryOver ? BEGINNING : microsNumberOfText(from), to: microsNumberOfText(to) };
    const textOf = (micros: number | undefined): string | null => (micros === undefined ? null : instantFromMicros(micros));
    return { wholeFrom: textOf(await wholeFrom(tx, tenant, rules, period, subjects)), sealedUntil: textOf(await sealedUntil(tx, tenant, period, subjects)) };
  }

  /** Windows that are billing periods are those of whoever is billed for the subjects, which have to be named. */
  private async withPeriods(tenant: string, meterKey: string, query: MeterQuery): Promise<MeterQuery> {
    const { windowSize, subjects, from, to } = query;
    if (windowSize !== 'billing_period') return query;
    if (subjects === undefined || subjects.length === 0) throw new Problem(400, 'subject_missing', 'billing periods are those of a subject', { errors: [{ pointer: '/subject', code: 'subject_missing', detail: 'name the subject whose billing periods are meant' }] });
    return { ...query, periods: await this.host.billingPeriods(tenant, { subjects, meterKey, from, to }) };
  }

  @Get('exceptions')
  @Allow('usage:read')
  @AnswersPage(EXCEPTION)
  async exceptions(@Query() query: ExceptionsQuery, @CurrentCaller() { tenant }: Caller): Promise<Page<ListedException>> {
    const { code, subject, meterKey } = query;
    const list = JSON.stringify(['exceptions', tenant, code, subject, meterKey]);
    const after = this.cursors.read(query.cursor, list) as ExceptionPosition | undefined;
    const rows = await this.host.read(tenant, (tx) => exceptionsAfter(tx, tenant, { code, subject, meterKey }, after, query.limit + 1));
    return this.cursors.page(rows, query, list, ({ position }) => position, ({ exception }) => exception);
  }
}
