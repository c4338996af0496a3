import { type DynamicModule, Module } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { authFor, OWN_REPORTS, ReportsController } from '@valueverse/auth';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { FeedTransport, type RawRoutes, type Service } from '@valueverse/platform';
import { authSecretsOf, type Installation } from './installation';
import { ActsController } from './operator/acts.controller';
import { ActsInterceptor } from './operator/acts.interceptor';
import { DeadLettersController } from './operator/dead-letters.controller';
import { LogController } from './operator/log.controller';
import { OPERATED, type Operated } from './operator/operated';
import { ProjectionsController } from './operator/projections.controller';
import type { HostedService } from './services';

@Module({})
class WebModule {}
@Module({})
class LinkModule {}
@Module({})
class OperatorModule {}

/** The routes by which the other services ask this one. */
export const linkModule = (service: Service, installation: Installation): DynamicModule => ({
  module: LinkModule, imports: [authFor(service, authSecretsOf(installation.secrets)).module], controllers: [ReportsController], providers: [{ provide: OWN_REPORTS, useValue: service.reports }],
});

/** All controllers of a process: those of its contexts, and the operator's view of its log. */
export const webModule = (installation: Installation, hosted: readonly HostedService[], more: readonly DynamicModule[] = []): DynamicModule => ({
  module: WebModule, imports: [...hosted.flatMap(({ modules }) => modules), operatorModule(installation, hosted.map(({ service }) => service)), ...more],
});

/** The routes of a process that stand beside Nest. */
export const rawRoutes = (hosted: readonly HostedService[]): readonly RawRoutes[] => hosted.flatMap(({ routes }) => routes);

const operatorModule = (installation: Installation, services: readonly Service[]): DynamicModule => {
  const operated: Operated = { services, anchors: installation.anchors, shared: installation.shared };
  return {
    module: OperatorModule, imports: [authFor(services[0]!, authSecretsOf(installation.secrets)).module],
    controllers: [DeadLettersController, ProjectionsController, ActsController, LogController],
    // For every route of the process: whichever module an operator's route is in, what it does is written down.
    providers: [{ provide: OPERATED, useValue: operated }, { provide: APP_INTERCEPTOR, useClass: ActsInterceptor }],
  };
};

/** The feed does not answer, or its topics are not what they have to be. */
export class FeedNotReady extends Error {}

/** Migrates the services one after the other. `progress` is told after each. */
export const migrateServices = async (installation: Installation, hosted: readonly HostedService[], progress: (text: string) => void = () => undefined): Promise<void> => {
  try {
    await installation.feed.ensureTopics();
  } catch (cause) {
    throw new FeedNotReady(cause instanceof Error ? cause.message : String(cause), { cause });
  }
  for (const { service } of hosted) {
    await service.migrate();
    progress(service.name);
  }
};

/** Connects the reading side of the services to an application and starts it, with what they listen to beside HTTP; closing the application stops it. */
export const connectServices = async (app: NestFastifyApplication, hosted: readonly HostedService[]): Promise<void> => {
  app.connectMicroservice({ strategy: new FeedTransport(hosted.map(({ service }) => service)) });
  await app.startAllMicroservices();
  for (const { listen } of hosted) await listen?.();
};
