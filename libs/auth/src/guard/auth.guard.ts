import { applyDecorators, type CanActivate, createParamDecorator, type ExecutionContext, Inject, Injectable, SetMetadata, UseGuards } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { Problem, requestContext } from '@valueverse/platform';
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

/** Checks the credential and the permission of a route. It fails closed: a route without a policy answers 403. */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(@Inject(Authenticator) private readonly authenticator: Authenticator, @Inject(Reflector) private readonly reflector: Reflector) {}

  async canActivate(execution: ExecutionContext): Promise<boolean> {
    const request = execution.switchToHttp().getRequest<{ headers: Record<string, string | undefined>; [CALLER]?: Caller }>();
    const caller = await this.authenticator.callerOf(request.headers['authorization']);
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
