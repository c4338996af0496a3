import { Controller, Get, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import type { FastifyReply } from 'fastify';
import { HealthRegistry } from './registry';

const UNAVAILABLE = 503;

/** What orchestrators and people ask of a process. Outside of authentication and rate limits. */
@ApiExcludeController()
@Controller('health')
export class HealthController {
  constructor(private readonly terminus: HealthCheckService, private readonly registry: HealthRegistry) {}

  /** For people: every part and how it is; always answers 200, so that it can be read. */
  @Get()
  async summary(): Promise<HealthCheckResult & { draining: boolean; started: boolean }> {
    return { ...await this.parts(), draining: this.registry.isDraining, started: this.registry.isStarted };
  }

  /** The event loop turns. Never asks anything else: a restart does not mend a database. */
  @Get('live')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  /** May requests be sent here? 503 while a part is down or the process is on its way out. */
  @Get('ready')
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<HealthCheckResult | { status: 'draining' }> {
    if (this.registry.isDraining) {
      void reply.code(UNAVAILABLE);
      return { status: 'draining' };
    }
    const result = await this.parts();
    if (result.status !== 'ok' || !this.registry.isStarted) void reply.code(UNAVAILABLE);
    return result;
  }

  /** Has the process finished its start? */
  @Get('startup')
  startup(@Res({ passthrough: true }) reply: FastifyReply): { status: 'ok' | 'starting' } {
    if (this.registry.isStarted) return { status: 'ok' };
    void reply.code(UNAVAILABLE);
    return { status: 'starting' };
  }

  private async parts(): Promise<HealthCheckResult> {
    const answers = await this.registry.ask();
    try {
      return await this.terminus.check(answers.map(({ name, up, reason }) => () => ({
        [name]: { status: up ? 'up' as const : 'down' as const, ...(reason === undefined ? {} : { reason }) },
      })));
    } catch (error) {
      // Terminus throws its result when a part is down; here the result is the answer.
      return (error as { getResponse(): HealthCheckResult }).getResponse();
    }
  }
}
