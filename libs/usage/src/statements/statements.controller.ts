import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Tx } from '@valueverse/event-log';
import { Allow, CurrentCaller, type Caller } from '@valueverse/auth';
import { Answers, AnswersPage, Cursors, type Page, PageQuery, Problem } from '@valueverse/platform';
import { anything, decimal, eventTerms, flag, instant, list, mapOf, nullable, object, optional, text, usageSpan, whole } from '@valueverse/contracts';
import type { UsageEvent } from '../ingest/domain/usage-event';
import { type MeterRule, rulesAsOf } from '../metering/domain/measure';
import { wantedMeter } from '../meters/meters.controller';
import { UsageHost } from '../usage-host';
import { BEFORE_ALL, type BehindBucket, type BehindEvent, type BehindPlace, bucketsBehind, eventsBehind } from './behind';
import type { StatementData } from './domain/statement';
import { statementOf, type StatementRow } from './statements';

type BucketDto = Omit<BehindBucket, 'place'>;
interface EventDto extends UsageEvent {
  readonly value: string | null;
  readonly groupBy: Readonly<Record<string, string>>;
  readonly place: { readonly envelope: string; readonly partition: number; readonly position: string; readonly index: number };
}

const bucketToApi = ({ place: _place, ...bucket }: BehindBucket): BucketDto => bucket;
const eventToApi = ({ found, value, groupBy }: BehindEvent): EventDto =>
  ({ ...found.event, value, groupBy, place: { envelope: found.envelope, partition: found.partition, position: String(found.position), index: found.nth } });

const positionOf = ({ place }: { place: BehindPlace }): string[] => [place.span, place.bucket, place.position, place.nth].map(String);
const placeOf = (position: readonly string[] | undefined): BehindPlace => {
  if (position === undefined) return BEFORE_ALL;
  const [span, bucket, at, nth] = position.map(Number);
  return { span: span!, bucket: bucket!, position: at!, nth: nth! };
};

const statementToApi = (statement: StatementRow): unknown => ({
  id: statement.statementId, requestId: statement.requestId, subscriptionId: statement.subscriptionId, chargeKey: statement.chargeKey,
  meterKey: statement.meterKey, meterVersion: statement.meterVersion, usage: statement.usage, groupBy: statement.groupBy, period: statement.period ?? null, terms: statement.terms ?? null,
  quantities: statement.quantities.map(({ group, ...rest }) => ({ groupBy: group, ...rest })), asOf: statement.asOf, evidence: statement.evidence, issuedAt: statement.issuedAt, late: statement.late ?? null,
  buckets: `/api/v1/usage/statements/${statement.statementId}/buckets`, events: `/api/v1/usage/statements/${statement.statementId}/events`,
});

const QUANTITY = object({
  groupBy: mapOf(text()), value: decimal(), events: whole(), converted: optional(decimal()),
  priced: optional(object({ amount: decimal(), paidValue: decimal(), freeEvents: whole(), paidEvents: whole(), unpriced: whole() })),
});
const STATEMENT = object({
  id: text(), requestId: text(), subscriptionId: text(), chargeKey: text(), meterKey: text(), meterVersion: whole(1), usage: list(usageSpan), groupBy: list(text()), period: nullable(object({ from: instant(), to: instant() })), terms: nullable(eventTerms),
  quantities: list(QUANTITY), asOf: mapOf(text()), evidence: text(), issuedAt: instant(), late: nullable(object({ events: whole(1), since: instant() })), buckets: text(), events: text(),
});
const BUCKET = object({ subject: text(), from: instant(), to: instant(), sealed: flag(), quantities: list(QUANTITY) });
const EVENT = object({
  id: text(), source: text(), type: text(), subject: text(), time: instant(), data: anything(), value: nullable(decimal()), groupBy: mapOf(text()),
  place: object({ envelope: text(), partition: whole(), position: text(), index: whole() }),
});

/** Statements: what was billed, and every event behind it. */
@ApiTags('usage')
@Controller('api/v1/usage/statements')
export class StatementsController {
  constructor(@Inject(UsageHost) private readonly host: UsageHost, @Inject(Cursors) private readonly cursors: Cursors) {}

  @Get(':id')
  @Allow('usage:read')
  @Answers(STATEMENT)
  get(@Param('id') id: string, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
    return this.host.read(tenant, async (tx) => statementToApi(await this.wanted(tx, tenant, id)));
  }

  @Get(':id/buckets')
  @Allow('usage:read')
  @AnswersPage(BUCKET)
  buckets(@Param('id') id: string, @Query() query: PageQuery, @CurrentCaller() { tenant }: Caller): Promise<Page<BucketDto>> {
    return this.behind('buckets', tenant, id, query, bucketsBehind, bucketToApi);
  }

  /** Refuses with 409 `usage_dropped` where retention has dropped envelopes behind it: its buckets say what is sealed. */
  @Get(':id/events')
  @Allow('usage:read')
  @AnswersPage(EVENT)
  events(@Param('id') id: string, @Query() query: PageQuery, @CurrentCaller() { tenant }: Caller): Promise<Page<EventDto>> {
    return this.behind('events', tenant, id, query, eventsBehind, eventToApi);
  }

  private async behind<Row extends { place: BehindPlace }, T>(
    what: string, tenant: string, id: string, query: PageQuery,
    find: (tx: Tx, tenant: string, statement: StatementData, rules: readonly MeterRule[], after: BehindPlace, limit: number) => Promise<Row[]>, toApi: (row: Row) => T,
  ): Promise<Page<T>> {
    const list = `${what} ${tenant} ${id}`;
    const after = placeOf(this.cursors.read(query.cursor, list));
    const rows = await this.host.read(tenant, async (tx) => {
      const statement = await this.wanted(tx, tenant, id);
      return find(tx, tenant, statement, rulesAsOf(await wantedMeter(tx, tenant, statement.meterKey), statement.meterVersion), after, query.limit + 1);
    });
    return this.cursors.page(rows, query, list, positionOf, toApi);
  }

  private async wanted(tx: Tx, tenant: string, id: string): Promise<StatementRow> {
    const found = await statementOf(tx, tenant, id);
    if (found === undefined) throw new Problem(404, 'statement_not_found', `there is no statement ${id}`);
    return found;
  }
}
