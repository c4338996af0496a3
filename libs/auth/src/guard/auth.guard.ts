import { applyDecorators, type CanActivate, createParamDecorator, type ExecutionContext, Inject, Injectable, SetMetadata, UseGuards } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { countRequest, Problem, RATE_LIMITER, requestContext, type RateLimiter, type RateLimitPolicy } from '@valueverse/platform';
import type { Caller } from '../caller';
import { Authenticator } from './authenticator';

const POLICY = 'valueverse policy';
const CALLER = Symbol('caller');

/** A permission such as `billing:write`; `operator` and `service` are for the installation's own. */
export type Permission =
  | 'usage:write' | 'usage:read' | 'billing:write' | 'billing:read' | 'payments:write' | 'payments:read' | 'notifications:read' | 'keys:write' | 'keys:read'
  | 'operator' | 'service';
/** What a secret key may do unless it was made for less. */
export const SECRET_SCOPES: readonly Permission[] = [
  'usage:write', 'usage:read', 'billing:write', 'billing:read', 'payments:write', 'payments:read', 'notifications:read', 'keys:write', 'keys:read',
];
/** What ingest and publishable keys may do: send usage, and read nothing. */
export const SENDER_SCOPES: readonly Permission[] = ['usage:write'];

/** What one key may ask of one process, bursts included: far more than a well-behaved client needs, and less than would starve the others. */
export const KEY_LIMIT: RateLimitPolicy = { name: 'default', quota: 6_000, windowSeconds: 10 };
/** The installation's own are not counted: services ask each other, and an operator may be repairing what the limit is about. */
const isCounted = ({ kind }: Caller): boolean => kind !== 'operator' && kind !== 'service';

/** Checks the credential, its rate and the permission of a route. It fails closed: a route without a policy answers 403. */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(@Inject(Authenticator) private readonly authenticator: Authenticator, @Inject(Reflector) private readonly reflector: Reflector, @Inject(RATE_LIMITER) private readonly limiter: RateLimiter) {}

  async canActivate(execution: ExecutionContext): Promise<boolean> {
    const http = execution.switchToHttp();
    const request = http.getRequest<{ headers: Record<string, string | undefined>; [CALLER]?: Caller }>();
    const caller = await this.authenticator.callerOf(request.headers['authorization']);
    // A route whose controller has a policy too is guarded twice and counted once.
    if (request[CALLER] === undefined && isCounted(caller)) await countRequest(this.limiter, `tenant ${caller.tenant} ${caller.actor}`, KEY_LIMIT, http.getResponse());
    const allowed = this.reflector.getAllAndOverride<readonly Permission[] | undefined>(POLICY, [execution.getHandler(), execution.getClass()]);
    if (allowed === undefined || !allowed.some((permission) => caller.scopes.includes(permission))) {
      throw new Problem(403, 'permission_missing', `this key may not do this; it takes ${(allowed ?? ['a policy']).join(' or ')}`);
    }
    request[CALLER] = caller;
    const context = requestContext();
    if (context !== undefined) { context.tenant = caller.tenant; context.actor = caller.actor; }
    return true;
  }
}

/** The route takes a key that has one of these permissions. */
export const Allow = (...permissions: Permission[]): MethodDecorator & ClassDecorator => applyDecorators(SetMetadata(POLICY, permissions), UseGuards(AuthGuard));

/** The caller, as the guard found it. */
export const CurrentCaller = createParamDecorator((_: unknown, execution: ExecutionContext): Caller => {
  const caller = execution.switchToHttp().getRequest<{ [CALLER]?: Caller }>()[CALLER];
  if (caller === undefined) throw new Error('a route that asks for its caller needs a policy');
  return caller;
});
