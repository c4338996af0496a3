import { Body, Controller, Get, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, contextOfCaller, CurrentCaller } from '@valueverse/auth';
import { type IdSource, Refused } from '@valueverse/kernel';
import { answerOnce, Answers, AnswersPage, created, Cursors, Flag, IDS, listRows, type Page, PageQuery, rowOf, Service, Text } from '@valueverse/platform';
import { flag, instant, object, optional, text } from '@valueverse/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { accountOf } from '../accounts/known-accounts';
import { attachAt } from '../providers/attach';
import { Providers } from '../providers/provider';
import type { AttachMethod } from './domain/payment-methods';
import { defaultMethods, methodsDecider, methodView, type MethodRow } from './methods';
import { PAYMENTS_SERVICE } from '../tokens';

class NewMethod {
  @Text({ description: 'The account that pays with it' }) accountId!: string;
  @Text({ max: 64, description: 'Where the token comes from', example: 'sandbox' }) provider!: string;
  @Text({ description: "The provider's token of the card or account", example: 'tok_ok' }) token!: string;
  @Flag({ optional: true, description: 'Charge this one from now on; the first method of an account is charged in any case' }) default?: boolean;
}
class MethodsQuery extends PageQuery {
  @Text({ optional: true }) accountId?: string;
}

/** A method as it is answered. `tokenHint` is the end of the token: enough to tell two apart, not enough to charge. */
interface Method { readonly id: string; readonly accountId: string; readonly provider: string; readonly tokenHint: string; readonly brand?: string; readonly last4?: string; readonly expires?: string; readonly default: boolean; readonly createdAt: string }

const METHOD = object({ id: text(), accountId: text(), provider: text(), tokenHint: text(), brand: optional(text(64)), last4: optional(text(4)), expires: optional(text(7)), default: flag(), createdAt: instant() });

const HINT_LENGTH_MAX = 4;
const hintOf = (token: string): string => `…${token.slice(token.length - Math.min(HINT_LENGTH_MAX, Math.floor(token.length / 3)))}`;
const toMethod = ({ token, createdAt, ...row }: MethodRow, isDefault: boolean): Method => ({ ...row, tokenHint: hintOf(token), default: isDefault, createdAt });

/** How the customers of a tenant pay. */
@ApiTags('payments')
@Controller('api/v1/payments/methods')
export class MethodsController {
  constructor(
    @Inject(PAYMENTS_SERVICE) private readonly service: Service, @Inject(Providers) private readonly providers: Providers,
    @Inject(Cursors) private readonly cursors: Cursors, @Inject(IDS) private readonly ids: IdSource,
  ) {}

  /** Refuses with `unknown_provider`, `unknown_token`, `account_not_found`, and 503 `provider_unavailable` while the provider does not answer. */
  @Post()
  @Allow('payments:write')
  @Answers(METHOD, 201)
  async attach(@CurrentCaller() caller: Caller, @Body() body: NewMethod, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { tenant } = caller;
    const provider = this.providers.find(body.provider);
    if (provider === undefined) throw new Refused('unknown_provider', `there is no such provider here, there is ${this.providers.names.join(', ')}`, '/provider');
    const account = await accountOf(this.service, tenant, body.accountId);
    const attached = await attachAt(this.service, provider, { tenant, account, token: body.token });
    return answerOnce(this.service, { tenant, route: 'POST /api/v1/payments/methods', request, reply }, async (tx) => {
      const command: AttachMethod = {
        type: 'AttachMethod', methodId: this.ids.next('pm'), accountId: account.accountId, provider: provider.name, ...attached, makeDefault: body.default === true, at: account.now,
      };
      await this.service.log.execute(tx, [{ decider: methodsDecider, command, context: contextOfCaller(caller, account.now, account.clockId) }]);
      const isDefault = (await defaultMethods(tx, tenant, [account.accountId])).get(account.accountId)?.methodId === command.methodId;
      const row: MethodRow = { id: command.methodId, accountId: account.accountId, provider: provider.name, ...attached, createdAt: account.now };
      return created(`/api/v1/payments/methods/${command.methodId}`, toMethod(row, isDefault));
    });
  }

  @Get()
  @Allow('payments:read')
  @AnswersPage(METHOD)
  list(@CurrentCaller() { tenant }: Caller, @Query() query: MethodsQuery): Promise<Page<Method>> {
    return this.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
      const page = await listRows<MethodRow, MethodRow>(tx, {
        model: methodView, query, cursors: this.cursors, toApi: (row) => row, ...(query.accountId === undefined ? {} : { filters: { account_id: query.accountId } }),
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
      const row = await rowOf<MethodRow>(tx, methodView, id);
      if (row === undefined) throw new Refused('payment_method_not_found', 'there is no payment method with this id');
      return toMethod(row, (await defaultMethods(tx, tenant, [row.accountId])).get(row.accountId)?.methodId === id);
    });
  }
}
