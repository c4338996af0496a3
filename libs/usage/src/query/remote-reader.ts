import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { EventTerms, Recomputed, UsageQuestion, UsageReader } from '@valueverse/contracts';
import { Refused } from '@valueverse/kernel';
import { Allow, type ServiceClient } from '@valueverse/auth';
import { Free, InstantField, ListOf, Nested, Problem, Text, TextList } from '@valueverse/platform';
import { UsageHost } from '../usage-host';

const TENANT_LENGTH_MAX = 128;
const SPANS_MAX = 10_000;

class SpanDto {
  @Text() subject!: string;
  @InstantField() from!: string;
  @InstantField() to!: string;
}
class PeriodDto {
  @InstantField() from!: string;
  @InstantField() to!: string;
}
class QuantitiesDto {
  @Text({ max: TENANT_LENGTH_MAX }) tenant!: string;
  @Text() meterKey!: string;
  @ListOf(() => SpanDto, { max: SPANS_MAX }) usage!: SpanDto[];
  @TextList() groupBy!: string[];
  @Nested(() => PeriodDto, { optional: true }) period?: PeriodDto;
  /** What another service asks is checked where it is made. */
  @Free({ optional: true }) terms?: EventTerms;
}
class TenantQuery {
  @Text({ max: TENANT_LENGTH_MAX }) tenant!: string;
}

/** What other services ask metering, in the distributed edition. */
@ApiExcludeController()
@Controller('internal/v1/usage')
@Allow('service')
export class ReaderController {
  constructor(@Inject(UsageHost) private readonly host: UsageHost) {}

  @Post('quantities')
  @HttpCode(200)
  quantities(@Body() { tenant, ...query }: QuantitiesDto): ReturnType<UsageReader['quantities']> { return this.host.reader.quantities(tenant, query); }

  @Get('statements/:id/recompute')
  async recompute(@Param('id') id: string, @Query() { tenant }: TenantQuery): Promise<Recomputed> {
    const found = await this.host.reader.recompute(tenant, id);
    if (found === undefined) throw new Problem(404, 'statement_not_found', `there is no statement ${id}`);
    return found;
  }
}

/** Metering in another process, asked by HTTP with a deadline. */
export class RemoteUsageReader implements UsageReader {
  constructor(private readonly client: ServiceClient) {}

  /** Refuses an unknown meter with `meter_not_found`. */
  async quantities(tenant: string, query: UsageQuestion): ReturnType<UsageReader['quantities']> {
    const found = await this.client.post<Awaited<ReturnType<UsageReader['quantities']>>>('/internal/v1/usage/quantities', { tenant, ...query });
    if (found === undefined) throw new Refused('meter_not_found', `there is no meter ${query.meterKey}`);
    return found;
  }

  recompute(tenant: string, statementId: string): ReturnType<UsageReader['recompute']> {
    return this.client.get(`/internal/v1/usage/statements/${encodeURIComponent(statementId)}/recompute?tenant=${encodeURIComponent(tenant)}`);
  }
}
