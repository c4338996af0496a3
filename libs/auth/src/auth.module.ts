import { type DynamicModule, Module } from '@nestjs/common';
import type { Consumer } from '@valueverse/event-log';
import type { Service } from '@valueverse/platform';
import { AuthGuard } from './guard/auth.guard';
import { Authenticator, type AuthSecrets } from './guard/authenticator';
import { tenantDirectory } from './keys/tenant-directory';
import { credentialProjector } from './keys/credential-table';

/** Who is asking, for the controllers of one service. */
export interface ServiceAuth {
  readonly authenticator: Authenticator;
  /** Whether anybody holds a key of a tenant. Throws `NotYetKnown` while the credentials are behind. */
  readonly isTenant: (tenant: string) => Promise<boolean>;
  readonly consumers: readonly Consumer[];
  readonly module: DynamicModule;
}

@Module({})
class AuthModule {}

export const authFor = (service: Service, secrets: AuthSecrets): ServiceAuth => {
  const authenticator = new Authenticator(service, secrets);
  service.fanOut.listen('credentials', authenticator.forget);
  return {
    authenticator,
    isTenant: tenantDirectory(service, authenticator),
    consumers: [credentialProjector(() => service.fanOut.tell('credentials'))],
    module: { module: class extends AuthModule {}, providers: [{ provide: Authenticator, useValue: authenticator }, AuthGuard], exports: [Authenticator, AuthGuard] },
  };
};
