import { Body, Controller, Get, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { creditNoteLine, decimal, instant, list, object, oneOf, optional, text } from '@valueverse/contracts';
import { instruct } from '@valueverse/event-log';
import type { IdSource } from '@valueverse/kernel';
import { Allow, contextOfCaller, CurrentCaller, type Caller } from '@valueverse/auth';
import { answerOnce, Answers, AnswersPage, created, Cursors, heldRow, IDS, listRows, type Page, PageQuery, Problem, rowOf, Text } from '@valueverse/platform';
import { accountsModel, billToOf, personalOf, type AccountRow } from '../accounts/account.model';
import { BillingHost } from '../billing-host';
import { decimal as decimalShape, list as listShape, object as objectShape, oneOf as oneOfShape, optional as optionalField, readAll, required, text as textShape, type Shape } from '../catalog/domain/shape';
import { wanted } from '../catalog/items.controller';
import { clockTime } from '../clocks/clock-time';
import { invoicesModel, type InvoiceRow } from '../invoicing/invoice.model';
import { refuse } from '../subscriptions/start-subscription';
import { creditNotesModel, type CreditNoteRow } from './credit-note.model';
import { noteLinesFor, type NoteRequest } from './domain/note-request';
import { issueNote } from './issue-note';

interface NoteSpec { readonly invoiceId: string; readonly lines?: readonly { readonly lineId: string; readonly amount: string }[]; readonly amount?: string; readonly reason: string; readonly settlement?: 'balance' | 'refund' | 'offset' }
const ID_LENGTH_MAX = 64;
const LINES_MAX = 1_000;
const REASON_LENGTH_MAX = 512;
const lineShape = objectShape<{ lineId: string; amount: string }>({ lineId: required(textShape(ID_LENGTH_MAX)), amount: required(decimalShape('0')) });
const noteShape: Shape<NoteSpec> = objectShape<NoteSpec>({
  invoiceId: required(textShape(ID_LENGTH_MAX)), lines: optionalField(listShape(lineShape, LINES_MAX, 1)), amount: optionalField(decimalShape('0')), reason: required(textShape(REASON_LENGTH_MAX)),
  settlement: optionalField(oneOfShape('balance', 'refund', 'offset')),
});

class NotesQuery extends PageQuery {
  @Text({ optional: true, max: 64 }) accountId?: string;
  @Text({ optional: true, max: 64 }) invoiceId?: string;
  @Text({ optional: true, max: 64 }) number?: string;
}
const NOTE = object({
  id: text(), number: text(), invoiceId: text(), accountId: text(), currency: text(3), entityKey: optional(text()), lines: list(creditNoteLine), netTotal: decimal(), taxTotal: decimal(), total: decimal(), applied: decimal(), toBalance: decimal(),
  toRefund: decimal(), settlement: oneOf('balance', 'refund', 'offset'), reason: text(), issuedAt: instant(),
});
const toApi = ({ creditNoteId, ...row }: CreditNoteRow): unknown => ({ id: creditNoteId, ...row });

/** What is given back of finalized invoices. */
@ApiTags('billing')
@Controller('api/v1/billing/credit-notes')
export class CreditNotesController {
  constructor(@Inject(BillingHost) private readonly host: BillingHost, @Inject(Cursors) private readonly cursors: Cursors, @Inject(IDS) private readonly ids: IdSource) {}

  /**
   * Gives back parts of lines, or so much of the whole invoice. It first lowers what is still due there; the rest goes to the account's balance, is to be refunded, or, with `offset`, is refused with `credit_exceeds_due`. Refuses
   * with `invoice_not_found`, `invoice_not_finalized`, `line_not_found`, `credit_exceeds_line`, `credit_exceeds_invoice`, `amount_not_positive`, `lines_or_amount`.
   */
  @Post()
  @Allow('billing:write')
  @ApiBody({ schema: noteShape.json })
  @Answers(NOTE, 201)
  issue(@Body() body: unknown, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const spec = wanted(readAll(noteShape, body));
    if ((spec.lines === undefined) === (spec.amount === undefined)) throw refuse(400, 'lines_or_amount', '/lines', 'either lines or an amount');
    const { service } = this.host;
    const { tenant } = caller;
    return answerOnce(service, { tenant, route: 'POST /api/v1/billing/credit-notes', request, reply, keyRequired: true }, async (tx) => {
      const row = await heldRow<InvoiceRow>(tx, tenant, invoicesModel, spec.invoiceId);
      if (row === undefined) throw refuse(404, 'invoice_not_found', '/invoiceId', `there is no invoice ${spec.invoiceId}`);
      if (row.status !== 'finalized') throw refuse(409, 'invoice_not_finalized', '/invoiceId', `the invoice is ${row.status}`);
      const account = (await rowOf<AccountRow>(tx, accountsModel, row.accountId))!;
      const at = await clockTime(tx, service.clock, account.testClockId);
      const lines = noteLinesFor({ currency: row.drafted.currency, lines: row.issued!.lines, credited: row.credited }, spec.lines === undefined ? { amount: spec.amount! } : { lines: spec.lines } satisfies NoteRequest);
      const creditNoteId = this.ids.next('cn');
      const { settlement = 'balance', reason } = spec;
      const note = await issueNote(tx, tenant, row, { creditNoteId, lines, settlement, reason, billTo: billToOf(await personalOf(service, tx, tenant, row.accountId), account) }, { at, clockId: account.testClockId });
      if (settlement === 'offset' && note.toBalance.isPositive()) throw refuse(409, 'credit_exceeds_due', '/settlement', `${note.applied.toString()} is due; the rest cannot be offset`);
      await service.log.execute(tx, note.commands.map(({ decider, command }) => instruct(decider, command as never, contextOfCaller(caller, at, account.testClockId))));
      return created(`/api/v1/billing/credit-notes/${creditNoteId}`, toApi((await rowOf<CreditNoteRow>(tx, creditNotesModel, creditNoteId))!));
    });
  }

  @Get()
  @Allow('billing:read')
  @AnswersPage(NOTE)
  list(@Query() query: NotesQuery, @CurrentCaller() { tenant }: Caller): Promise<Page<unknown>> {
    const filters = { account_id: query.accountId, invoice_id: query.invoiceId, number: query.number };
    return this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => listRows<CreditNoteRow, unknown>(tx, { model: creditNotesModel, query, cursors: this.cursors, filters, toApi }));
  }

  @Get(':id')
  @Allow('billing:read')
  @Answers(NOTE)
  async get(@Param('id') id: string, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
    const row = await this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => rowOf<CreditNoteRow>(tx, creditNotesModel, id));
    if (row === undefined) throw new Problem(404, 'credit_note_not_found', `there is no credit note ${id}`);
    return toApi(row);
  }
}
