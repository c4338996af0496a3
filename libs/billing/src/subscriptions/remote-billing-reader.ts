import { Body, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { BillingPeriods, BillingPeriodsQuestion, BillingReader } from '@valueverse/contracts';
import { Allow, type ServiceClient } from '@valueverse/auth';
import { InstantField, Problem, Text, TextList } from '@valueverse/platform';
import { BillingHost } from '../billing-host';

const TENANT_LENGTH_MAX = 128;

class PeriodsDto {
  @Text({ max: TENANT_LENGTH_MAX }) tenant!: string;
  @TextList() subjects!: string[];
  @Text() meterKey!: string;
  @InstantField() from!: string;
  @InstantField() to!: string;
}

/** What metering asks in another process. */
@ApiExcludeController()
@Controller('internal/v1/billing')
@Allow('service')
export class BillingReaderController {
  constructor(@Inject(BillingHost) private readonly host: BillingHost) {}

  @Post('periods')
  @HttpCode(200)
  periods(@Body() { tenant, ...question }: PeriodsDto): Promise<BillingPeriods> { return this.host.reader.periods(tenant, question); }
}

/** Billing in another process, asked by HTTP with a deadline. */
export class RemoteBillingReader implements BillingReader {
  constructor(private readonly client: ServiceClient) {}

  async periods(tenant: string, question: BillingPeriodsQuestion): Promise<BillingPeriods> {
    const found = await this.client.post<BillingPeriods>('/internal/v1/billing/periods', { tenant, ...question });
    if (found === undefined) throw new Problem(503, 'service_unavailable', 'billing does not know this question', { retryAfterSeconds: 1 });
    return found;
  }
}
