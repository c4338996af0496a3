import { Body, Controller, Get, HttpCode, Inject, Param, Patch, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { anyOf, decimal, flag, instant, list, mapOf, object, optional, postalAddress, text } from '@valueverse/contracts';
import { ident, instruct, tableOf, type Tx } from '@valueverse/event-log';
import { isBefore, type IdSource } from '@valueverse/kernel';
import { Allow, contextOfCaller, CurrentCaller, type Caller } from '@valueverse/auth';
import {
  answerOnce, Answers, AnswersPage, created, CurrencyField, Cursors, Flag, heldRow, IDS, InstantField, invalidRequest, Key, listRows, Metadata, Nested, ok, type Page, PageQuery, Problem, rowOf, Text, TextList, textRule, validationPipe, ZoneField,
} from '@valueverse/platform';
import { pointerTo } from '@valueverse/rating';
import { balancesModel, type BalanceRow } from '../balances/balance.model';
import { BillingHost } from '../billing-host';
import { TAX_RATE_KEYS_MAX } from '../catalog/domain/charges';
import { termsDays } from '../settings/domain/settings.decider';
import { refuse } from '../subscriptions/start-subscription';
import { Subjects, takeSubjects } from '../subscriptions/subjects';
import { clockTime } from '../clocks/clock-time';
import type { OpenAccount } from './domain/account.decider';
import { accountDecider, accountsModel, personalOf, type AccountRow } from './account.model';

const COUNTRY = /^[A-Z]{2}$/;
const EMAIL = /^[^\s@<>]+@[^\s@<>]+$/;
const LANGUAGE = /^[a-z]{2}(-[A-Z]{2})?$/;
const KEY_LENGTH_MAX = 256;

export class AddressDto {
  @Text({ optional: true }) line1?: string;
  @Text({ optional: true }) line2?: string;
  @Text({ optional: true }) city?: string;
  @Text({ optional: true, max: 64 }) postalCode?: string;
  @Text({ optional: true, max: 64 }) state?: string;
  @Text({ max: 2, pattern: COUNTRY, description: 'ISO 3166 alpha-2', example: 'US' }) country!: string;
}
export class TaxExemptionDto {
  @Text({ description: 'Why, such as the number of a certificate' }) reason!: string;
}
/** What an account says of itself, and may say otherwise later. */
class AccountDto {
  @Text() name!: string;
  @Text({ optional: true, max: 320, pattern: EMAIL }) email?: string;
  @ZoneField({ description: 'IANA zone; local dates of the account are in it' }) timezone!: string;
  @Nested(() => AddressDto, { optional: true }) address?: AddressDto;
  @Key({ optional: true, description: 'The seller that its invoices name; the tenant\'s default if not given' }) entityKey?: string;
  @TextList({ optional: true, max: TAX_RATE_KEYS_MAX, each: textRule(KEY_LENGTH_MAX, 1) }) taxRateKeys?: string[];
  @Nested(() => TaxExemptionDto, { optional: true }) taxExemption?: TaxExemptionDto;
  @Flag({ optional: true, description: 'The customer accounts for the tax itself' }) reverseCharge?: boolean;
  @Text({ optional: true, max: 64, description: 'A VAT number or the like' }) taxId?: string;
  @Flag({ optional: true, description: 'What closes at the same moment goes on one invoice' }) consolidate?: boolean;
  @Text({ optional: true, max: 32, description: 'Days until an invoice is due, such as `P14D`; the settings\' if not given' }) paymentTerms?: string;
  @Text({ optional: true, max: 16, pattern: LANGUAGE, description: 'Of its documents, such as `de`' }) language?: string;
  @Metadata() metadata?: Record<string, string>;
}
export class OpenAccountDto extends AccountDto {
  @CurrencyField() currency!: string;
  @Text({ optional: true, max: 64, description: 'A test clock that moves this account; in `test` only' }) testClockId?: string;
  @Text({ optional: true }) externalId?: string;
  @Subjects('Identifiers on usage events that are billed by the one subscription of the account that has the meter') subjects?: string[];
  @InstantField({ optional: true, description: 'When it was opened, if that was elsewhere and before; now if not given. No subscription starts before it' }) openedAt?: string;
}
class AccountsQuery extends PageQuery {
  @Text({ optional: true }) externalId?: string;
}

const UNIQUE_VIOLATION = '23505';
const isTaken = (error: unknown): boolean => {
  const { code, constraint } = error as { code?: string; constraint?: string };
  return code === UNIQUE_VIOLATION && constraint?.endsWith('_external_id') === true;
};
const externalIdTaken = (externalId: string | undefined): Problem =>
  new Problem(409, 'external_id_taken', `another account has the externalId ${externalId}`, { errors: [{ pointer: '/externalId', code: 'external_id_taken', detail: 'is taken' }] });

const ACCOUNT = object({
  id: text(), name: text(), email: optional(text()), address: optional(anyOf(postalAddress, text())), currency: text(3), timezone: text(), testClockId: optional(text()), externalId: optional(text()),
  subjects: list(text()), metadata: mapOf(text()), createdAt: instant(), entityKey: optional(text()), taxRateKeys: optional(list(text())), taxExemption: optional(object({ reason: text() })), reverseCharge: optional(flag()),
  taxId: optional(text()), consolidate: optional(flag()), paymentTerms: optional(text()), language: optional(text()),
});
const BALANCES = object({ data: list(object({ currency: text(3), amount: decimal() })) });
/** What a merge-patch may name. The rest of an account never changes. */
const PATCHED = ['name', 'email', 'address', 'timezone', 'entityKey', 'taxRateKeys', 'taxExemption', 'reverseCharge', 'taxId', 'consolidate', 'paymentTerms', 'language', 'metadata'] as const;

/** Accounts: the ones who are billed. */
@ApiTags('billing')
@Controller('api/v1/billing/accounts')
export class AccountsController {
  constructor(@Inject(BillingHost) private readonly host: BillingHost, @Inject(Cursors) private readonly cursors: Cursors, @Inject(IDS) private readonly ids: IdSource) {}

  @Post()
  @Allow('billing:write')
  @Answers(ACCOUNT, 201)
  open(@Body() body: OpenAccountDto, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { service } = this.host;
    const opened = answerOnce(service, { tenant: caller.tenant, route: 'POST /api/v1/billing/accounts', request, reply }, async (tx) => {
      const accountId = this.ids.next('acc');
      const at = await clockTime(tx, service.clock, body.testClockId);
      await this.refuseTaken(tx, body.externalId);
      await service.keys.create(tx, caller.tenant, accountId);
      const { metadata = {}, address, taxExemption, subjects: named = [], openedAt = at, ...fields } = body;
      if (isBefore(at, openedAt)) throw refuse(400, 'opened_in_future', '/openedAt', 'an account is opened now at the latest');
      this.refuseTerms(fields.paymentTerms);
      const subjects = await takeSubjects(tx, caller.tenant, named, { accountId });
      const command: OpenAccount = {
        ...fields, type: 'OpenAccount', accountId, metadata, openedAt, at, ...(subjects.length === 0 ? {} : { subjects }), ...(address === undefined ? {} : { address: { ...address } }), ...(taxExemption === undefined ? {} : { taxExemption: { ...taxExemption } }),
      };
      await service.log.execute(tx, [instruct(accountDecider, command, contextOfCaller(caller, at, body.testClockId))]);
      return created(`/api/v1/billing/accounts/${accountId}`, await this.account(tx, accountId));
    });
    // Of two that come at once the table's key decides.
    return opened.catch((error: unknown) => { throw isTaken(error) ? externalIdTaken(body.externalId) : error; });
  }

  @Get()
  @Allow('billing:read')
  @AnswersPage(ACCOUNT)
  list(@Query() query: AccountsQuery, @CurrentCaller() caller: Caller): Promise<Page<unknown>> {
    return this.host.service.database.transaction({ role: 'api', tenant: caller.tenant, readOnly: true }, async (tx) => {
      const page = await listRows<AccountRow, AccountRow>(tx, { model: accountsModel, query, cursors: this.cursors, filters: { external_id: query.externalId }, toApi: (row) => row });
      return { ...page, data: await Promise.all(page.data.map((row) => this.withPersonal(tx, row))) };
    });
  }

  @Get(':id')
  @Allow('billing:read')
  @Answers(ACCOUNT)
  get(@Param('id') id: string, @CurrentCaller() caller: Caller): Promise<unknown> {
    return this.host.service.database.transaction({ role: 'api', tenant: caller.tenant, readOnly: true }, (tx) => this.account(tx, id));
  }

  /** A merge-patch (RFC 7396): what is named changes, null takes away. Currency, test clock, externalId and subjects stay; a zone holds for new subscriptions. */
  @Patch(':id')
  @Allow('billing:write')
  @Answers(ACCOUNT)
  patch(@Param('id') id: string, @Body() body: Record<string, unknown>, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { service } = this.host;
    return answerOnce(service, { tenant: caller.tenant, route: 'PATCH /api/v1/billing/accounts/{id}', request, reply }, async (tx) => {
      // Held, so that of patches that come at once each sees what the others have changed.
      const row = (await heldRow<AccountRow>(tx, caller.tenant, accountsModel, id)) ?? await this.wanted(tx, id);
      const at = await clockTime(tx, service.clock, row.testClockId);
      const { accountId, timezone, metadata, currency: _, testClockId: __, externalId: ___, openedAt: ____, subjects: _____, ...terms } = row;
      const now = { ...await personalOf(service, tx, caller.tenant, id), timezone, metadata, ...terms };
      const { name, timezone: zone, metadata: said = {}, ...rest } = await this.patched(now, body);
      this.refuseTerms(rest.paymentTerms);
      const { address, taxExemption, ...fields } = rest;
      await service.log.execute(tx, [instruct(accountDecider, {
        type: 'ChangeAccount', accountId, name, timezone: zone, metadata: said, ...fields, ...(address === undefined ? {} : { address: { ...address } }), ...(taxExemption === undefined ? {} : { taxExemption: { ...taxExemption } }), at,
      }, contextOfCaller(caller, at, row.testClockId))]);
      return ok(await this.account(tx, id));
    });
  }

  /** What it has to its credit, in each currency: from credit notes, used by the next invoices. */
  @Get(':id/balances')
  @Allow('billing:read')
  @Answers(BALANCES)
  balances(@Param('id') id: string, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
    return this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
      await this.wanted(tx, id);
      const { rows } = await tx.query<{ row: BalanceRow }>(`SELECT row FROM ${ident(tableOf(balancesModel))} WHERE tenant = $1 AND account_id = $2 ORDER BY key`, [tenant, id]);
      return { data: rows.map(({ row: { currency, amount } }) => ({ currency, amount })) };
    });
  }

  /**
   * Destroys the key of the account's personal data: name, e-mail and address read `[erased]` from then on, here and in every other service, in every copy of the
   * log. Amounts and numbers stay. It cannot be undone.
   */
  @Post(':id/erase-personal-data')
  @HttpCode(200)
  @Allow('billing:write')
  @Answers(ACCOUNT)
  erase(@Param('id') id: string, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { service } = this.host;
    return answerOnce(service, { tenant: caller.tenant, route: 'POST /api/v1/billing/accounts/{id}/erase-personal-data', request, reply }, async (tx) => {
      await this.account(tx, id);
      await service.keys.erase(tx, caller.tenant, id);
      return ok(await this.account(tx, id));
    });
  }

  private async wanted(tx: Tx, accountId: string): Promise<AccountRow> {
    const row = await rowOf<AccountRow>(tx, accountsModel, accountId);
    if (row === undefined) throw new Problem(404, 'account_not_found', `there is no account ${accountId}`);
    return row;
  }

  private async account(tx: Tx, accountId: string): Promise<unknown> { return this.withPersonal(tx, await this.wanted(tx, accountId)); }

  /** Name, e-mail and address are read from the log, where erasing the account's key makes them unreadable. */
  private async withPersonal(tx: Tx, { accountId, openedAt, subjects = [], ...row }: AccountRow): Promise<unknown> {
    return { id: accountId, ...await personalOf(this.host.service, tx, tx.tenant!, accountId), ...row, subjects, createdAt: openedAt };
  }

  /** What an account says with a patch in it, checked by the rules of a new one. */
  private async patched(now: object, patch: Record<string, unknown>): Promise<AccountDto> {
    const unknown = Object.keys(patch).filter((name) => !(PATCHED as readonly string[]).includes(name));
    if (unknown.length > 0) throw invalidRequest(unknown.map((name) => ({ pointer: pointerTo('', name), code: 'unknown_field', detail: 'does not change' })));
    const merged = Object.fromEntries(Object.entries({ ...now, ...patch }).filter(([, value]) => value !== null && value !== undefined));
    return await validationPipe().transform(merged, { type: 'body', metatype: AccountDto }) as AccountDto;
  }

  /** Refuses with `invalid_duration`. */
  private refuseTerms(paymentTerms: string | undefined): void {
    if (paymentTerms !== undefined && termsDays(paymentTerms) === undefined) throw refuse(400, 'invalid_duration', '/paymentTerms', 'days, such as "P14D"');
  }

  private async refuseTaken(tx: Tx, externalId: string | undefined): Promise<void> {
    if (externalId === undefined) return;
    const { rowCount } = await tx.query('SELECT FROM accounts WHERE tenant = $1 AND external_id = $2', [tx.tenant, externalId]);
    if (rowCount !== 0) throw externalIdTaken(externalId);
  }
}
