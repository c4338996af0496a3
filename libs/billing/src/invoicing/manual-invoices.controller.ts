import { Body, Controller, Delete, HttpCode, Inject, Param, Post, Req, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { InvoiceItem } from '@valueverse/contracts';
import { follow, instruct, type Instruction, type Reaction, type Tx } from '@valueverse/event-log';
import { currency as currencyOf, Money, type IdSource } from '@valueverse/kernel';
import { Allow, contextOfCaller, CurrentCaller, type Caller } from '@valueverse/auth';
import { answerOnce, Answers, created, heldRow, IDS, invalidRequest, ok, rowOf, type StoredAnswer } from '@valueverse/platform';
import { accountsModel, type AccountRow } from '../accounts/account.model';
import { balanceDecider } from '../balances/balance.model';
import { BillingHost } from '../billing-host';
import { wanted } from '../catalog/items.controller';
import { readAll } from '../catalog/domain/shape';
import { clockTime } from '../clocks/clock-time';
import { giveBackDiscounts } from '../coupons/discounts';
import { entityOf } from '../entities/entity.model';
import { settingsAt } from '../settings/settings.model';
import { refuse } from '../subscriptions/start-subscription';
import { closeJob } from './cycle-jobs';
import { finalizeIn, isAnswered } from './finalize-invoice';
import { invoiceToApi } from './invoice-api';
import { INVOICE } from './invoice-schema';
import { invoiceDecider, invoicesModel, type InvoiceRow } from './invoice.model';
import { addedShape, manualItems, manualShape, voidShape, type ManualLine } from './manual-shapes';

interface Around { readonly row: InvoiceRow; readonly account: AccountRow; readonly now: string }
type Work = (tx: Tx, around: Around) => Promise<Reaction>;

/** Invoices by hand: one-off ones, lines added to drafts, issuing and voiding. */
@ApiTags('billing')
@Controller('api/v1/billing/invoices')
export class ManualInvoicesController {
  constructor(@Inject(BillingHost) private readonly host: BillingHost, @Inject(IDS) private readonly ids: IdSource) {}

  /** An invoice of lines by hand: issued at once, or a draft (`finalize: "by_hand"`) until it is finalized. Refuses with `account_not_found`, `entity_not_found`, `amount_or_unit_amount`, `end_before_start`, `money_precision`. */
  @Post()
  @Allow('billing:write')
  @ApiBody({ schema: manualShape.json })
  @Answers(INVOICE, 201)
  create(@Body() body: unknown, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const spec = wanted(readAll(manualShape, body));
    const { service } = this.host;
    const { tenant } = caller;
    const invoiceId = this.ids.next('inv');
    return answerOnce(service, { tenant, route: 'POST /api/v1/billing/invoices', request, reply }, async (tx) => {
      const account = await rowOf<AccountRow>(tx, accountsModel, spec.accountId);
      if (account === undefined) throw refuse(404, 'account_not_found', '/accountId', `there is no account ${spec.accountId}`);
      if (spec.entityKey !== undefined && await entityOf(tx, tenant, spec.entityKey) === undefined) throw refuse(404, 'entity_not_found', '/entityKey', `there is no billing entity ${spec.entityKey}`);
      const now = await clockTime(tx, service.clock, account.testClockId);
      const { currency = account.currency, entityKey, memo, lines, finalize = 'now' } = spec;
      currencyOf(currency);
      const items = this.itemsOf(lines, currency, now, account.timezone);
      const { rounding } = await settingsAt(tx, tenant, now);
      const context = contextOfCaller(caller, now, account.testClockId);
      await service.log.execute(tx, [instruct(invoiceDecider, {
        type: 'DraftInvoice', invoiceId, accountId: account.accountId, kind: 'one_off', currency, zone: account.timezone, rounding, items, requests: [], finalizeAt: now, ...(entityKey === undefined ? {} : { entityKey }),
        ...(memo === undefined ? {} : { memo }), at: now,
      }, context)]);
      if (finalize === 'now') await service.jobs.schedule(tx, [{ ...closeJob(tenant, { invoiceId, finalizeAt: now }), ...(account.testClockId === undefined ? {} : { clockId: account.testClockId }) }]);
      return created(`/api/v1/billing/invoices/${invoiceId}`, await this.shown(tx, tenant, invoiceId, now));
    });
  }

  /** Adds lines to a draft. Refuses with `invoice_not_found`, `invoice_not_draft`, and the codes of lines. */
  @Post(':id/lines')
  @HttpCode(200)
  @Allow('billing:write')
  @ApiBody({ schema: addedShape.json })
  @Answers(INVOICE)
  add(@Param('id') id: string, @Body() body: unknown, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { lines } = wanted(readAll(addedShape, body));
    return this.change('lines', id, caller, request, reply, async (_, { row, now }) => ({
      commands: [follow(invoiceDecider, { type: 'ChangeItems', invoiceId: id, added: this.itemsOf(lines, row.drafted.currency, now, row.drafted.zone), removed: [], at: now })],
    }));
  }

  /** Takes a line that was added by hand out of a draft; the id is the line's `itemId`. Refuses with `invoice_not_draft`, `item_not_found`. */
  @Delete(':id/lines/:itemId')
  @Allow('billing:write')
  @Answers(INVOICE)
  remove(@Param('id') id: string, @Param('itemId') itemId: string, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return this.change('lines/remove', id, caller, request, reply, async (_, { now }) => ({ commands: [follow(invoiceDecider, { type: 'ChangeItems', invoiceId: id, added: [], removed: [itemId], at: now })] }));
  }

  /** Issues a draft now, where nothing has to be waited for; one with usage is asked for at once. Refuses with `invoice_not_draft`. */
  @Post(':id/finalize')
  @HttpCode(200)
  @Allow('billing:write')
  @Answers(INVOICE)
  finalize(@Param('id') id: string, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return this.change('finalize', id, caller, request, reply, async (tx, { row, account, now }) => {
      if (row.status !== 'draft') throw refuse(409, 'invoice_not_draft', '', `the invoice is ${row.status}`);
      if (!await isAnswered(tx, caller.tenant, row)) {
        const job = closeJob(caller.tenant, { invoiceId: id, finalizeAt: now });
        await this.host.service.jobs.schedule(tx, [{ ...job, id: `${job.id}-now`, ...(account.testClockId === undefined ? {} : { clockId: account.testClockId }) }]);
        return {};
      }
      return finalizeIn(this.host, tx, { tenant: caller.tenant, payload: { invoiceId: id }, clockId: account.testClockId, now });
    });
  }

  /** A draft that will not be issued is dropped; a finalized invoice is void, and its number stays taken. Refuses with `invoice_has_payments`, `invoice_has_credit_notes`, `invoice_gives_back`, `invoice_not_finalized`. */
  @Post(':id/void')
  @HttpCode(200)
  @Allow('billing:write')
  @ApiBody({ schema: voidShape.json })
  @Answers(INVOICE)
  void(@Param('id') id: string, @Body() body: unknown, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { reason } = wanted(readAll(voidShape, body));
    return this.change('void', id, caller, request, reply, async (tx, { row, now }) => {
      if (row.status === 'draft' && row.drafted.items.some(({ kind }) => kind === 'credit')) throw refuse(409, 'invoice_gives_back', '', 'it gives back parts of earlier invoices, which would be lost with it: let it be issued, and give back what it charges by a credit note');
      if (row.status === 'draft') return { commands: [follow(invoiceDecider, { type: 'DropInvoice', invoiceId: id, reason, at: now })] };
      await giveBackDiscounts(tx, caller.tenant, id);
      const { currency } = row.drafted;
      const used = Money.parse(row.issued?.creditApplied ?? '0', currency);
      return {
        commands: [
          follow(invoiceDecider, { type: 'VoidInvoice', invoiceId: id, reason, at: now }),
          // One below zero had credited the account with what it gave back: that goes again, if it is still there.
          ...(used.isNegative() && row.status === 'finalized' ? [follow(balanceDecider, { type: 'UseBalance', accountId: row.accountId, currency, amount: used.negate().toString(), invoiceId: id, at: now })] : []),
          ...(used.isPositive() && row.status === 'finalized' ? [follow(balanceDecider, { type: 'CreditBalance', accountId: row.accountId, currency, amount: used.toString(), source: 'void', sourceId: id, at: now })] : []),
        ],
      };
    });
  }

  private itemsOf(lines: readonly ManualLine[], currency: string, at: string, zone: string): InvoiceItem[] {
    const ids = lines.map(() => this.ids.next('item'));
    const read = manualItems(lines, { currency, at, zone, itemIdOf: (nth) => ids[nth]! });
    if ('errors' in read) throw invalidRequest(read.errors);
    return read.items;
  }

  /** Changes an invoice whose row the transaction holds. */
  private change(name: string, id: string, caller: Caller, request: FastifyRequest, reply: FastifyReply, work: Work): Promise<unknown> {
    const { service } = this.host;
    const { tenant } = caller;
    return answerOnce(service, { tenant, route: `POST /api/v1/billing/invoices/{id}/${name}`, request, reply }, async (tx): Promise<StoredAnswer> => {
      const row = await heldRow<InvoiceRow>(tx, tenant, invoicesModel, id);
      if (row === undefined) throw refuse(404, 'invoice_not_found', '', `there is no invoice ${id}`);
      const account = (await rowOf<AccountRow>(tx, accountsModel, row.accountId))!;
      const now = await clockTime(tx, service.clock, account.testClockId);
      const { commands = [] } = await work(tx, { row, account, now });
      const context = contextOfCaller(caller, now, account.testClockId);
      await service.log.execute(tx, commands.map(({ decider, command }): Instruction => ({ decider, command, context })));
      return ok(await this.shown(tx, tenant, id, now));
    });
  }

  private async shown(tx: Tx, tenant: string, id: string, now: string): Promise<unknown> {
    return invoiceToApi(this.host, (await rowOf<InvoiceRow>(tx, invoicesModel, id))!, tenant, undefined, now, tx);
  }
}
