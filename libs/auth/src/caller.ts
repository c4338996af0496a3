import type { CommandContext } from '@valueverse/event-log';
import { requestContext } from '@valueverse/platform';
import type { Environment } from './keys/key-text';

/** Who is asking, as the credential says. Tenant and environment come from nowhere else. */
export interface Caller {
  /** `<organization>:<environment>`; of an operator and of services `platform`. */
  readonly tenant: string;
  readonly organizationId: string;
  readonly environment: Environment;
  /** The id of the key, written into every fact that the request makes. */
  readonly actor: string;
  readonly kind: 'secret' | 'ingest' | 'publishable' | 'operator' | 'service';
  readonly scopes: readonly string[];
  /** The subjects that a publishable key sends usage for. */
  readonly subjects?: readonly string[];
}

export const tenantOf = (organizationId: string, environment: Environment): string => `${organizationId}:${environment}`;

/** The context of a command that a request gives, at the instant of its clock. */
export const contextOfCaller = (caller: Caller, at: string, clockId?: string): CommandContext => ({
  tenant: caller.tenant, at, actor: caller.actor, clockId, traceparent: requestContext()?.traceparent,
});
