import { Readable } from 'node:stream';
import { Controller, Get, Headers, Inject, type OnModuleDestroy, Query, Res } from '@nestjs/common';
import { ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Allow, Authenticator, CurrentCaller, type Caller } from '@valueverse/auth';
import { Problem, Text } from '@valueverse/platform';
import { UsageHost } from '../usage-host';

export class StreamQuery {
  @Text({ optional: true }) subject?: string;
  @Text({ optional: true }) type?: string;
}

const UNAUTHORIZED = 401;

/** A live view of usage events. */
@ApiTags('usage')
@Controller('api/v1/usage/events/stream')
export class EventsStreamController implements OnModuleDestroy {
  constructor(@Inject(UsageHost) private readonly host: UsageHost, @Inject(Authenticator) private readonly authenticator: Authenticator) {}

  /**
   * Server-sent events: `ready` once nothing is missed any more, then each event as metering takes it in, as in the list. `dropped` says that the client was too slow, or that too much came at a time.
   * `end` says why it ends: with its credential, or with this process. There is no way back to what was missed: the list has it.
   */
  @Get()
  @Allow('usage:read')
  @ApiProduces('text/event-stream')
  stream(@Query() query: StreamQuery, @CurrentCaller() { tenant }: Caller, @Headers('authorization') authorization: string, @Res({ passthrough: true }) reply: FastifyReply): Readable {
    const { listener, leave } = this.host.tail.listen(tenant, query);
    const frames = listener.frames(() => this.ended(authorization));
    // Not more than one piece is taken before the client has: what waits, waits where it is counted.
    const stream = Readable.from(frames, { objectMode: false, highWaterMark: 1 });
    // Of the answer, not of the stream: that would wait for its next piece, which may never come.
    reply.raw.once('close', () => {
      leave();
      listener.end('gone', 'the client has gone');
    });
    void reply.header('Content-Type', 'text/event-stream; charset=utf-8').header('Cache-Control', 'no-store').header('X-Accel-Buffering', 'no');
    return stream;
  }

  /** Before the host closes: it would wait for its streams. */
  onModuleDestroy(): void { this.host.tail.close(); }

  private async ended(authorization: string): Promise<{ code: string; detail: string } | undefined> {
    try {
      const caller = await this.authenticator.callerOf(authorization);
      return caller.scopes.includes('usage:read') ? undefined : { code: 'permission_missing', detail: 'this key may not read usage any more' };
    } catch (error) {
      // Who cannot be asked for a moment has not said no.
      return error instanceof Problem && error.status === UNAUTHORIZED ? { code: error.code, detail: error.message } : undefined;
    }
  }
}
