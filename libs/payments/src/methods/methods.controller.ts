import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Patch, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, contextOfCaller, CurrentCaller } from '@valueverse/auth';
import { derivedId, type IdSource, Refused } from '@valueverse/kernel';
import { answerOnce, Answers, AnswersPage, created, Cursors, Flag, IDS, listRows, type Page, PageQuery, rowOf, Service, Text } from '@valueverse/platform';
import { flag, instant, object, optional, text } from '@valueverse/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Tx } from '@valueverse/event-log';
import { accountOf, clockOfAccount } from '../accounts/known-accounts';
import { attachAt } from '../providers/attach';
import { requireCapability } from '../providers/capabilities';
import { Providers } from '../providers/provider';
import { detachLook } from './detach-jobs';
import type { AttachMethod, ChooseDefault, RemoveMethod } from './domain/payment-methods';
import { attachedMethod, defaultMethods, methodOfToken, methodsDecider, methodView, type MethodRow } from './methods';
import { PAYMENTS_SERVICE } from '../tokens';

class NewMethod {
  @Text({ description: 'The account that pays with it' }) accountId!: string;
  @Text({ max: 64, description: 'Where the token comes from', example: 'sandbox' }) provider!: string;
  @Text({ description: "The provider's token of the card or account", example: 'tok_ok' }) token!: string;
  @Flag({ optional: true, description: 'Charge this one from now on; the first method of an account is charged in any case' }) default?: boolean;
}
class MethodChange {
  @Flag({ description: 'Charge this one from now on' }) default!: boolean;
}
class MethodsQuery extends PageQuery {
  @Text({ optional: true }) accountId?: string;
}

/** A method as it is answered. `tokenHint` is the end of the token: enough to tell two apart, not enough to charge. */
interface Method { readonly id: string; readonly accountId: string; readonly provider: string; readonly tokenHint: string; readonly brand?: string; readonly last4?: string; readonly expires?: string; readonly default: boolean; readonly createdAt: string }

const METHOD = object({ id: text(), accountId: text(), provider: text(), tokenHint: text(), brand: optional(text(64)), last4: optional(text(4)), expires: optional(text(7)), default: flag(), createdAt: instant() });

const HINT_LENGTH_MAX = 4;
const hintOf = (token: string): string => `…${token.slice(token.length - Math.min(HINT_LENGTH_MAX, Math.floor(token.length / 3)))}`;
const toMethod = ({ token, createdAt, removedAt: _, ...row }: MethodRow, isDefault: boolean): Method => ({ ...row, tokenHint: hintOf(token), default: isDefault, createdAt });

const notFound = (): Refused => new Refused('payment_method_not_found', 'there is no payment method with this id');

/** How the customers of a tenant pay. */
@ApiTags('payments')
@Controller('api/v1/payments/methods')
export class MethodsController {
  constructor(
    @Inject(PAYMENTS_SERVICE) private readonly service: Service, @Inject(Providers) private readonly providers: Providers,
    @Inject(Cursors) private readonly cursors: Cursors, @Inject(IDS) private readonly ids: IdSource,
  ) {}

  /**
   * A token that the account has already is answered as it is. Refuses with `unknown_provider`, `methods_not_supported`, `unknown_token`, `token_refused`, `account_not_found`, `payment_method_removed` a token that was removed, and 503
   * `provider_unavailable` while the provider does not answer.
   */
  @Post()
  @Allow('payments:write')
  @Answers(METHOD, 201)
  async attach(@CurrentCaller() caller: Caller, @Body() body: NewMethod, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { tenant } = caller;
    const provider = this.providers.named(body.provider, '/provider');
    requireCapability(provider, 'methods', '/provider');
    const account = await accountOf(this.service, tenant, body.accountId);
    const methodId = this.ids.next('pm');
    // Of a request that is sent again the provider is asked under the same key.
    const header = request.headers['idempotency-key'];
    const key = typeof header === 'string' ? derivedId('att', tenant, account.accountId, JSON.stringify([header, body])) : methodId;
    const attached = await attachAt(this.service, provider, { tenant, account, key, token: body.token });
    return answerOnce(this.service, { tenant, route: 'POST /api/v1/payments/methods', request, reply }, async (tx) => {
      const command: AttachMethod = {
        type: 'AttachMethod', methodId, accountId: account.accountId, provider: provider.name, ...attached, makeDefault: body.default === true, at: account.now,
      };
      await this.service.log.execute(tx, [{ decider: methodsDecider, command, context: contextOfCaller(caller, account.now, account.clockId) }]);
      // The provider may have told of it before we did.
      const row = await methodOfToken(tx, tenant, command);
      if (row === undefined) throw new Refused('payment_method_removed', 'this method was removed; its customer has to enter it again', '/token');
      return created(`/api/v1/payments/methods/${row.id}`, await this.answer(tx, tenant, row));
    });
  }

  @Get()
  @Allow('payments:read')
  @AnswersPage(METHOD)
  list(@CurrentCaller() { tenant }: Caller, @Query() query: MethodsQuery): Promise<Page<Method>> {
    return this.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
      const page = await listRows<MethodRow, MethodRow>(tx, {
        model: methodView, query, cursors: this.cursors, toApi: (row) => row, filters: { status: 'attached', account_id: query.accountId },
      });
      const defaults = await defaultMethods(tx, tenant, [...new Set(page.data.map(({ accountId }) => accountId))]);
      return { ...page, data: page.data.map((row) => toMethod(row, defaults.get(row.accountId)?.methodId === row.id)) };
    });
  }

  /** Refuses with `payment_method_not_found`. */
  @Get(':id')
  @Allow('payments:read')
  @Answers(METHOD)
  one(@CurrentCaller() { tenant }: Caller, @Param('id') id: string): Promise<Method> {
    return this.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
      const row = await attachedMethod(tx, id);
      if (row === undefined) throw notFound();
      return this.answer(tx, tenant, row);
    });
  }

  /** A merge-patch: `{ "default": true }` charges this one from now on, and what waits for its next attempt at once. Refuses with `payment_method_not_found`, and `default_not_taken_away` false: choose another one. */
  @Patch(':id')
  @Allow('payments:write')
  @Answers(METHOD)
  change(@CurrentCaller() caller: Caller, @Param('id') id: string, @Body() body: MethodChange): Promise<Method> {
    if (!body.default) throw new Refused('default_not_taken_away', 'an account that has a method has a default: choose another one', '/default');
    return this.service.log.transact({ role: 'api', tenant: caller.tenant }, async (tx) => {
      const row = await attachedMethod(tx, id);
      if (row === undefined) throw notFound();
      const { now, clockId } = await clockOfAccount(tx, this.service, caller.tenant, row.accountId);
      const command: ChooseDefault = { type: 'ChooseDefault', methodId: id, accountId: row.accountId, at: now };
      await this.service.log.execute(tx, [{ decider: methodsDecider, command, context: contextOfCaller(caller, now, clockId) }]);
      return this.answer(tx, caller.tenant, row);
    });
  }

  /**
   * It is charged no more, and is taken from the customer at the provider. Where it was the default, the oldest that is left is from now on. An attempt that its order went out for goes on; any other goes to what is left.
   * Removing it again changes nothing. Refuses with `payment_method_not_found`.
   */
  @Delete(':id')
  @Allow('payments:write')
  @HttpCode(204)
  async remove(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<void> {
    const { tenant } = caller;
    await this.service.log.transact({ role: 'api', tenant }, async (tx) => {
      const row = await rowOf<MethodRow>(tx, methodView, id);
      if (row === undefined) throw notFound();
      if (row.removedAt !== undefined) return;
      const { accountId, provider, token } = row;
      const { now, clockId } = await clockOfAccount(tx, this.service, tenant, accountId);
      const command: RemoveMethod = { type: 'RemoveMethod', methodId: id, accountId, at: now };
      await this.service.log.execute(tx, [{ decider: methodsDecider, command, context: contextOfCaller(caller, now, clockId) }]);
      await this.service.jobs.schedule(tx, [detachLook({ tenant, clockId, dueAt: now }, { methodId: id, accountId, provider, token, look: 0 })]);
    });
  }

  private async answer(tx: Tx, tenant: string, row: MethodRow): Promise<Method> {
    return toMethod(row, (await defaultMethods(tx, tenant, [row.accountId])).get(row.accountId)?.methodId === row.id);
  }
}
