import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { type ClockReport, type ServiceName, type ServiceReports, type Topic, TOPICS } from '@valueverse/contracts';
import { Problem, Text, Whole } from '@valueverse/platform';
import { Allow } from '../guard/auth.guard';
import { ServiceClient } from './service-client';

export const OWN_REPORTS = Symbol('OwnReports');

class ClockQuery {
  @Text({ max: 128 }) tenant!: string;
}
class ConsumedQuery {
  @Text({ max: 128 }) topic!: string;
  @Whole({ max: 1_000, fromText: true }) partition!: number;
  @Text({ max: 20, pattern: /^\d+$/ }) position!: string;
}

/** What the other services ask this one, in the distributed edition. */
@ApiExcludeController()
@Controller('internal/v1')
@Allow('service')
export class ReportsController {
  constructor(@Inject(OWN_REPORTS) private readonly reports: ServiceReports) {}

  @Get('clocks/:id')
  clock(@Param('id') id: string, @Query() { tenant }: ClockQuery): Promise<ClockReport> { return this.reports.clock(tenant, id); }

  @Get('consumed')
  async consumed(@Query() { topic, partition, position }: ConsumedQuery): Promise<{ consumed: boolean }> {
    if (!(topic in TOPICS)) throw new Problem(404, 'not_found', 'no such topic');
    return { consumed: await this.reports.hasConsumed(topic as Topic, partition, BigInt(position)) };
  }

  @Get('published')
  async published(): Promise<{ published: boolean }> { return { published: await this.reports.hasPublished() }; }
}

/** The reports of a service that runs in another process. */
export class RemoteReports implements ServiceReports {
  constructor(readonly service: ServiceName, private readonly client: ServiceClient) {}

  async clock(tenant: string, clockId: string): Promise<ClockReport> {
    return (await this.client.get<ClockReport>(`/internal/v1/clocks/${encodeURIComponent(clockId)}?tenant=${encodeURIComponent(tenant)}`))!;
  }
  async hasConsumed(topic: Topic, partition: number, position: bigint): Promise<boolean> {
    return (await this.client.get<{ consumed: boolean }>(`/internal/v1/consumed?topic=${topic}&partition=${partition}&position=${position}`))!.consumed;
  }
  async hasPublished(): Promise<boolean> { return (await this.client.get<{ published: boolean }>('/internal/v1/published'))!.published; }
}
