import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type AccountOpened, anyOf, instant, list, mapOf, object, optional, postalAddress, text } from '@valueverse/contracts';
import { instruct, type Tx } from '@valueverse/event-log';
import type { IdSource } from '@valueverse/kernel';
import { Allow, contextOfCaller, CurrentCaller, type Caller } from '@valueverse/auth';
import {
  answerOnce, Answers, AnswersPage, created, CurrencyField, Cursors, IDS, listRows, Metadata, Nested, ok, type Page, PageQuery, Problem, rowOf, Text, ZoneField,
} from '@valueverse/platform';
import { BillingHost } from '../billing-host';
import { Subjects, takeSubjects } from '../subscriptions/subjects';
import { clockTime } from '../clocks/clock-time';
import type { OpenAccount } from './domain/account.decider';
import { accountDecider, accountsModel, accountStream, type AccountRow } from './account.model';

const COUNTRY = /^[A-Z]{2}$/;
const EMAIL = /^[^\s@<>]+@[^\s@<>]+$/;

export class AddressDto {
  @Text({ optional: true }) line1?: string;
  @Text({ optional: true }) line2?: string;
  @Text({ optional: true }) city?: string;
  @Text({ optional: true, max: 64 }) postalCode?: string;
  @Text({ optional: true, max: 64 }) state?: string;
  @Text({ max: 2, pattern: COUNTRY, description: 'ISO 3166 alpha-2', example: 'US' }) country!: string;
}
export class OpenAccountDto {
  @Text() name!: string;
  @Text({ optional: true, max: 320, pattern: EMAIL }) email?: string;
  @CurrencyField() currency!: string;
  @ZoneField({ description: 'IANA zone; local dates of the account are in it' }) timezone!: string;
  @Nested(() => AddressDto, { optional: true }) address?: AddressDto;
  @Text({ optional: true, max: 64, description: 'A test clock that moves this account; in `test` only' }) testClockId?: string;
  @Text({ optional: true }) externalId?: string;
  @Subjects('Identifiers on usage events that are billed by the one subscription of the account that has the meter') subjects?: string[];
  @Metadata() metadata?: Record<string, string>;
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
  subjects: list(text()), metadata: mapOf(text()), createdAt: instant(),
});

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
      const { metadata = {}, address, subjects: named = [], ...fields } = body;
      const subjects = await takeSubjects(tx, caller.tenant, named, { accountId });
      const command: OpenAccount = { ...fields, type: 'OpenAccount', accountId, metadata, at, ...(subjects.length === 0 ? {} : { subjects }), ...(address === undefined ? {} : { address: { ...address } }) };
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

  private async account(tx: Tx, accountId: string): Promise<unknown> {
    const row = await rowOf<AccountRow>(tx, accountsModel, accountId);
    if (row === undefined) throw new Problem(404, 'account_not_found', `there is no account ${accountId}`);
    return this.withPersonal(tx, row);
  }

  /** Name, e-mail and address are read from the log, where erasing the account's key makes them unreadable. */
  private async withPersonal(tx: Tx, { accountId, openedAt, subjects = [], ...row }: AccountRow): Promise<unknown> {
    const [fact] = await this.host.service.log.store.read<AccountOpened>(tx, tx.tenant!, accountStream(accountId));
    const { name, email, address } = fact!.event;
    return { id: accountId, name, email, address, ...row, subjects, createdAt: openedAt };
  }

  private async refuseTaken(tx: Tx, externalId: string | undefined): Promise<void> {
    if (externalId === undefined) return;
    const { rowCount } = await tx.query('SELECT FROM accounts WHERE tenant = $1 AND external_id = $2', [tx.tenant, externalId]);
    if (rowCount !== 0) throw externalIdTaken(externalId);
  }
}
