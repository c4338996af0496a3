import { Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { InvoiceLine } from '@valueverse/contracts';
import { Allow, CurrentCaller, type Caller } from '@valueverse/auth';
import { Answers, AnswersPage, Cursors, listRows, OneOf, type Page, PageQuery, Problem, Text } from '@valueverse/platform';
import { ident } from '@valueverse/event-log';
import { accountsModel } from '../accounts/account.model';
import { BillingHost } from '../billing-host';
import { CLOCK_OF_ACCOUNT_SQL, timesOfAccounts } from '../clocks/clock-time';
import { explanationOf, verifyLine, type Proof } from './explanation';
import { invoiceToApi, lineToApi } from './invoice-api';
import { EXPLANATION, INVOICE, LINE, PROOF } from './invoice-schema';
import { invoicesModel, type InvoiceRow } from './invoice.model';
import { lateByCharge, lateUsageOf, type LateByCharge, type LateRow } from './late-usage';
import { overdueInvoices } from './overdue-invoices';

class InvoicesQuery extends PageQuery {
  @Text({ optional: true, max: 64 }) accountId?: string;
  @Text({ optional: true, max: 64 }) subscriptionId?: string;
  @Text({ optional: true, max: 64 }) number?: string;
  @OneOf(['draft', 'finalized', 'void', 'dropped'], { optional: true }) status?: string;
  @OneOf(['unpaid', 'partially_paid', 'paid', 'overdue', 'disputed', 'uncollectible'], { optional: true }) paymentStatus?: string;
}

/** Invoices, and why they say what they say. */
@ApiTags('billing')
@Controller('api/v1/billing/invoices')
export class InvoicesController {
  constructor(@Inject(BillingHost) private readonly host: BillingHost, @Inject(Cursors) private readonly cursors: Cursors) {}

  /** By `paymentStatus`: `unpaid` and `partially_paid` are the overdue ones among them as well; `overdue` is these alone. */
  @Get()
  @Allow('billing:read')
  @AnswersPage(INVOICE)
  async list(@Query() query: InvoicesQuery, @CurrentCaller() { tenant }: Caller): Promise<Page<unknown>> {
    const filters = { account_id: query.accountId, subscription_id: query.subscriptionId, number: query.number, status: query.status, payment_status: query.paymentStatus };
    const { page, late, times } = await this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
      const rows = query.paymentStatus === 'overdue' ? await overdueInvoices(tx, tenant, query, this.cursors, this.host.service.clock.now())
        : await listRows<InvoiceRow, InvoiceRow>(tx, { model: invoicesModel, query, cursors: this.cursors, filters, toApi: (row) => row });
      return {
        page: rows, late: await lateUsageOf(tx, tenant, rows.data.map(({ invoiceId }) => invoiceId)),
        times: await timesOfAccounts(tx, this.host.service.clock, rows.data.map(({ accountId }) => accountId)),
      };
    });
    return { ...page, data: await Promise.all(page.data.map((row) => invoiceToApi(this.host, row, tenant, late.get(row.invoiceId), times.get(row.accountId)!))) };
  }

  @Get(':id')
  @Allow('billing:read')
  @Answers(INVOICE)
  async get(@Param('id') id: string, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
    const { row, late, now } = await this.found(tenant, id);
    return invoiceToApi(this.host, row, tenant, late, now);
  }

  @Get(':id/lines')
  @Allow('billing:read')
  @AnswersPage(LINE)
  async lines(@Param('id') id: string, @Query() query: PageQuery, @CurrentCaller() { tenant }: Caller): Promise<Page<unknown>> {
    const { row: { issued }, late } = await this.found(tenant, id);
    const list = JSON.stringify(['lines', tenant, id]);
    const from = Number(this.cursors.read(query.cursor, list)?.[0] ?? 0);
    const lines = (issued?.lines ?? []).map((line, index) => ({ line, index })).slice(from, from + query.limit + 1);
    return this.cursors.page(lines, query, list, ({ index }) => [String(index + 1)], ({ line }) => lineToApi(line, late));
  }

  @Get(':id/lines/:lineId/explanation')
  @Allow('billing:read')
  @Answers(EXPLANATION)
  async explain(@Param('id') id: string, @Param('lineId') lineId: string, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
    const row = await this.find(tenant, id);
    return explanationOf(row, lineOf(row, lineId));
  }

  /** The line computed again from the log. */
  @Post(':id/lines/:lineId/verify')
  @HttpCode(200)
  @Allow('billing:read')
  @Answers(PROOF)
  async verify(@Param('id') id: string, @Param('lineId') lineId: string, @CurrentCaller() { tenant }: Caller): Promise<Proof> {
    const row = await this.find(tenant, id);
    const proof = await verifyLine(row, lineOf(row, lineId), tenant, this.host.usage);
    if (proof === undefined) throw new Problem(404, 'statement_not_found', 'metering has no statement behind this line');
    return proof;
  }

  private async find(tenant: string, id: string): Promise<InvoiceRow> { return (await this.found(tenant, id)).row; }

  /** With what its answer needs beside its row: what came late to it, and the time of its account. In one statement, because this is read more often than anything else. */
  private found(tenant: string, id: string): Promise<{ row: InvoiceRow; late: LateByCharge | undefined; now: string }> {
    return this.host.service.database.transaction({ role: 'api', tenant, isOneStatement: true }, async (tx) => {
      const { rows: [known] } = await tx.query<{ row: InvoiceRow; now: string | null; late: LateRow[] | null }>(
        `SELECT i.row, c.row->>'now' AS now, (SELECT json_agg(l) FROM (SELECT charge_key, events, since FROM late_usage WHERE tenant = i.tenant AND invoice_id = i.key) l) AS late
         FROM ${ident(invoicesModel.table)} i JOIN ${ident(accountsModel.table)} a ON a.tenant = i.tenant AND a.key = i.account_id ${CLOCK_OF_ACCOUNT_SQL}
         WHERE i.tenant = $1 AND i.key = $2`, [tenant, id]);
      if (known === undefined) throw new Problem(404, 'invoice_not_found', `there is no invoice ${id}`);
      return { row: known.row, late: known.late === null ? undefined : lateByCharge(known.late), now: known.now ?? this.host.service.clock.now() };
    });
  }
}

const lineOf = ({ issued }: InvoiceRow, lineId: string): InvoiceLine => {
  if (issued === undefined) throw new Problem(409, 'invoice_is_draft', 'the lines of a draft are not final yet');
  const line = issued.lines.find((candidate) => candidate.lineId === lineId);
  if (line === undefined) throw new Problem(404, 'line_not_found', `the invoice has no line ${lineId}`);
  return line;
};
