import { type DynamicModule, Module } from '@nestjs/common';
import type { IdSource } from '@valueverse/kernel';
import { IDENTITY_EVENTS, type ServiceReports } from '@valueverse/contracts';
import type { ServiceAuth } from '@valueverse/auth';
import { registerRefusals, type ContextParts, type ContextShape, type Service } from '@valueverse/platform';
import { AdminReads } from './admin-reads';
import { IdentityController } from './identity.controller';
import { keysModel, organizationsModel } from './identity.model';
import { IdentityService } from './identity.service';

/** Identity lives in the billing engine's database, in a schema of its own. */
export const identityShape: ContextShape = {
  name: 'identity', definitions: IDENTITY_EVENTS, readModels: [organizationsModel, keysModel], migrations: [], schemas: ['identity'], readModelSchema: 'identity',
};

export interface IdentityDependencies {
  readonly auth: ServiceAuth;
  readonly digestKey: Buffer;
  readonly ids: IdSource;
  readonly reports: () => readonly ServiceReports[];
}

registerRefusals({ key_not_found: 404 });

@Module({})
class IdentityModule {}

export const identityContext = (service: Service, { auth, digestKey, ids, reports }: IdentityDependencies): { parts: ContextParts; module: DynamicModule; close(): Promise<void> } => {
  const reads = new AdminReads(service.database.url);
  return {
    parts: { consumers: [], jobs: [] },
    module: {
      module: IdentityModule, imports: [auth.module], controllers: [IdentityController],
      providers: [{ provide: IdentityService, useValue: new IdentityService(service, digestKey, ids, reports) }, { provide: AdminReads, useValue: reads }],
    },
    close: () => reads.close(),
  };
};
