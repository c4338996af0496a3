import { applyDecorators, type CanActivate, createParamDecorator, type ExecutionContext, Inject, Injectable, SetMetadata, UseGuards } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { RATE_LIMITER, type RateLimiter } from '@valueverse/platform';
import type { Caller } from '../caller';
import { countCaller, permit } from './admit';
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

/** Checks the credential, its rate and the permission of a route. It fails closed: a route without a policy answers 403. */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(@Inject(Authenticator) private readonly authenticator: Authenticator, @Inject(Reflector) private readonly reflector: Reflector, @Inject(RATE_LIMITER) private readonly limiter: RateLimiter) {}

  async canActivate(execution: ExecutionContext): Promise<boolean> {
    const http = execution.switchToHttp();
    const request = http.getRequest<{ headers: Record<string, string | undefined>; [CALLER]?: Caller }>();
    const caller = await this.authenticator.callerOf(request.headers['authorization']);
    // A route whose controller has a policy too is guarded twice and counted once.
    if (request[CALLER] === undefined) await countCaller(this.limiter, caller, http.getResponse());
    permit(caller, this.reflector.getAllAndOverride<readonly Permission[] | undefined>(POLICY, [execution.getHandler(), execution.getClass()]));
    request[CALLER] = caller;
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
