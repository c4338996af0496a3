import { type DynamicModule, Module } from '@nestjs/common';
import { authFor, OWN_REPORTS, ReportsController } from '@valueverse/auth';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { FeedTransport, type Service } from '@valueverse/platform';
import { CLOUD_EVENT_TYPES } from '@valueverse/usage';
import { authSecretsOf, type Installation } from './installation';
import { LOG_ANCHORS, LOG_SERVICES, LogController } from './log.controller';
import type { HostedService } from './services';

/** Bodies that a context reads by itself. */
export const RAW_CONTENT_TYPES = CLOUD_EVENT_TYPES;

@Module({})
class WebModule {}
@Module({})
class LinkModule {}
@Module({})
class LogModule {}

/** The routes by which the other services ask this one. */
export const linkModule = (service: Service, installation: Installation): DynamicModule => ({
  module: LinkModule, imports: [authFor(service, authSecretsOf(installation.secrets)).module], controllers: [ReportsController], providers: [{ provide: OWN_REPORTS, useValue: service.reports }],
});

/** All controllers of a process: those of its contexts, and the operator's view of its log. */
export const webModule = (installation: Installation, hosted: readonly HostedService[], more: readonly DynamicModule[] = []): DynamicModule => ({
  module: WebModule, imports: [...hosted.flatMap(({ modules }) => modules), logModule(installation, hosted.map(({ service }) => service)), ...more],
});

const logModule = (installation: Installation, services: readonly Service[]): DynamicModule => ({
  module: LogModule, imports: [authFor(services[0]!, authSecretsOf(installation.secrets)).module], controllers: [LogController],
  providers: [{ provide: LOG_SERVICES, useValue: services }, { provide: LOG_ANCHORS, useValue: installation.anchors }],
});

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

/** Connects the reading side of the services to an application and starts it; closing the application stops it. */
export const connectServices = async (app: NestFastifyApplication, hosted: readonly HostedService[]): Promise<void> => {
  app.connectMicroservice({ strategy: new FeedTransport(hosted.map(({ service }) => service)) });
  await app.startAllMicroservices();
};
