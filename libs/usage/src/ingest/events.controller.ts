import { Controller, Headers, HttpCode, Inject, Post, Req } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiProperty, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { FeedTimeout, isTransient } from '@valueverse/event-log';
import { Allow, CurrentCaller, type Caller } from '@valueverse/auth';
import { Problem, requestContext } from '@valueverse/platform';
import { UsageHost } from '../usage-host';
import { readCloudEvents, type RawBody, type Received } from './cloud-events';
import { IngestOverloaded } from './envelope-writer';
import type { IngestResult } from './ingest';

const RETRY_AFTER_SECONDS = 1;
const NO_BYTES = new Uint8Array();
const UTF8 = new TextDecoder('utf-8', { fatal: true });

const EVENT_SCHEMA = {
  type: 'object', required: ['specversion', 'id', 'source', 'type', 'subject'],
  properties: {
    specversion: { type: 'string', enum: ['1.0'] }, id: { type: 'string', maxLength: 256 }, source: { type: 'string', maxLength: 256 }, type: { type: 'string', maxLength: 256 },
    subject: { type: 'string', maxLength: 256 }, time: { type: 'string', format: 'date-time' }, data: { type: 'object', additionalProperties: true },
  },
} as const;

export class RejectedDto {
  @ApiProperty() index!: number;
  @ApiProperty({ type: String, nullable: true }) id!: string | null;
  @ApiProperty({ example: 'invalid_time' }) code!: string;
  @ApiProperty() detail!: string;
}
export class IngestResultDto {
  @ApiProperty({ description: 'How many events are durable' }) accepted!: number;
  @ApiProperty({ type: [RejectedDto] }) rejected!: RejectedDto[];
}

/**
 * The host hands over the bytes of CloudEvents as they came, so that one event with an odd body costs no other one. Refuses what is no JSON
 * with `malformed_json`.
 */
const bodyOf = ({ body, rawBody }: FastifyRequest & { rawBody?: Buffer }): RawBody => {
  if (!Buffer.isBuffer(body)) return { value: body, bytes: rawBody ?? NO_BYTES };
  try {
    return { value: JSON.parse(UTF8.decode(body)) as unknown, bytes: body };
  } catch {
    throw new Problem(400, 'malformed_json', 'the body is not JSON in UTF-8');
  }
};

/** Usage events come in here, as CloudEvents 1.0. */
@ApiTags('usage')
@Controller('api/v1/usage/events')
export class EventsController {
  constructor(@Inject(UsageHost) private readonly host: UsageHost) {}

  @Post()
  @Allow('usage:write')
  @HttpCode(202)
  @ApiConsumes('application/cloudevents-batch+json', 'application/cloudevents+json', 'application/json')
  @ApiBody({ schema: { oneOf: [EVENT_SCHEMA, { type: 'array', items: EVENT_SCHEMA, maxItems: 1_000 }] } as object })
  @ApiResponse({ status: 202, type: IngestResultDto })
  async send(@Req() request: FastifyRequest & { rawBody?: Buffer }, @Headers('content-type') contentType: string | undefined, @CurrentCaller() caller: Caller): Promise<IngestResult> {
    const received = readCloudEvents(contentType ?? '', request.headers, bodyOf(request));
    const result = await this.accept(received, caller);
    const [only] = result.rejected;
    if (!received.isBatch && only !== undefined) throw new Problem(400, only.code, only.detail);
    return result;
  }

  private async accept(received: Received, caller: Caller): Promise<IngestResult> {
    try {
      return await this.host.ingest.accept(caller.tenant, caller.environment, received.items, this.host.service.clock.now(), {
        subjects: caller.kind === 'publishable' ? caller.subjects ?? [] : undefined, traceparent: requestContext()?.traceparent,
      });
    } catch (error) {
      if (error instanceof IngestOverloaded) throw new Problem(503, error.code, error.message, { retryAfterSeconds: RETRY_AFTER_SECONDS });
      // What was sent may be durable or not. Its ids make sending it again harmless.
      if (error instanceof FeedTimeout || isTransient(error)) throw new Problem(503, 'log_unavailable', 'the log does not answer; send the same events again', { retryAfterSeconds: RETRY_AFTER_SECONDS, cause: error });
      throw error;
    }
  }
}
