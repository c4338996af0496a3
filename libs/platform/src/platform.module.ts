import { type DynamicModule, Global, Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import type { Clock, IdSource } from '@valueverse/kernel';
import type { Cache } from './cache/cache';
import { HealthController } from './health/health.controller';
import { HealthRegistry } from './health/registry';
import { Cursors } from './http/pagination';
import type { Logger } from './logging/logger';
import { Metrics } from './metrics/metrics';
import { MetricsController } from './metrics/metrics.controller';
import type { RateLimiter } from './rate-limit/rate-limiter';
import { CACHE, CLOCK, IDS, LOGGER, RATE_LIMITER } from './tokens';

/** The parts of a host that modules may ask for. */
export interface PlatformParts {
  readonly logger: Logger;
  readonly health: HealthRegistry;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly cursors: Cursors;
  readonly cache: Cache;
  readonly rateLimiter: RateLimiter;
}

/** What every host has; the modules of one process share it. */
@Global()
@Module({})
export class PlatformModule {
  static of(parts: PlatformParts): DynamicModule {
    const providers = [
      { provide: LOGGER, useValue: parts.logger },
      { provide: HealthRegistry, useValue: parts.health },
      { provide: Metrics, useValue: parts.metrics },
      { provide: CLOCK, useValue: parts.clock },
      { provide: IDS, useValue: parts.ids },
      { provide: Cursors, useValue: parts.cursors },
      { provide: CACHE, useValue: parts.cache },
      { provide: RATE_LIMITER, useValue: parts.rateLimiter },
    ];
    return {
      module: PlatformModule,
      imports: [TerminusModule.forRoot({ logger: false })],
      controllers: [HealthController, MetricsController],
      providers,
      exports: providers.map(({ provide }) => provide),
    };
  }
}
