import { Controller, Get, Inject, Param, Res } from '@nestjs/common';
import { ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Allow, CurrentCaller, type Caller } from '@valueverse/auth';
import type { IssuedDocument } from '@valueverse/contracts';
import { Problem } from '@valueverse/platform';
import { Documents } from './documents';

const send = (reply: FastifyReply, type: string, { fileName, content }: IssuedDocument): FastifyReply => reply.type(type).header('Content-Disposition', `inline; filename="${fileName}"`).send(content);

/** What is issued, to be looked at and kept. */
@ApiTags('billing')
@Controller('api/v1/billing')
export class DownloadsController {
  constructor(@Inject(Documents) private readonly documents: Documents) {}

  /** The invoice as it was issued: in the language of the account, with the seller and the paper of that moment; one that is void says so across each page. Refuses with `invoice_not_found`, `invoice_is_draft`. */
  @Get('invoices/:id/pdf')
  @ApiProduces('application/pdf')
  @Allow('billing:read')
  async pdf(@Param('id') id: string, @CurrentCaller() { tenant }: Caller, @Res() reply: FastifyReply): Promise<void> {
    await send(reply, 'application/pdf', await this.documents.ofInvoice(tenant, id, 'pdf'));
  }

  /**
   * The lines of an issued invoice as CSV (RFC 4180), with every column of a line. Amounts have a point whatever the language; a text that a spreadsheet would run as a formula has an apostrophe before it. Refuses with
   * `invoice_not_found`, `invoice_is_draft`.
   */
  @Get('invoices/:id/lines.csv')
  @ApiProduces('text/csv')
  @Allow('billing:read')
  async lines(@Param('id') id: string, @CurrentCaller() { tenant }: Caller, @Res() reply: FastifyReply): Promise<void> {
    await send(reply, 'text/csv; charset=utf-8', await this.documents.ofInvoice(tenant, id, 'lines'));
  }

  /** A receipt for money that came in, by the id of its payment: in the language of the account and the look of the invoice; for what was paid ahead too, as the account stands now. Refuses with `payment_not_found`. */
  @Get('payments/:id/receipt')
  @ApiProduces('application/pdf')
  @Allow('billing:read')
  async receipt(@Param('id') id: string, @CurrentCaller() { tenant }: Caller, @Res() reply: FastifyReply): Promise<void> {
    await send(reply, 'application/pdf', await this.documents.receiptPdf(tenant, id));
  }

  /** The credit note as it was issued, in the look of its invoice. Refuses with `credit_note_not_found`. */
  @Get('credit-notes/:id/pdf')
  @ApiProduces('application/pdf')
  @Allow('billing:read')
  async creditNote(@Param('id') id: string, @CurrentCaller() { tenant }: Caller, @Res() reply: FastifyReply): Promise<void> {
    const document = await this.documents.creditNotePdf(tenant, id);
    if (document === undefined) throw new Problem(404, 'credit_note_not_found', `there is no credit note ${id}`);
    await send(reply, 'application/pdf', document);
  }
}
