import type { CreditNoteIssued, InvoiceDocuments, InvoiceFinalized, IssuedDocument } from '@valueverse/contracts';
import type { DomainEvent } from '@valueverse/event-log';
import { Problem, type Service } from '@valueverse/platform';
import { creditNoteStream } from '../credit-notes/credit-note.model';
import { invoiceStream } from '../invoicing/invoice.model';
import type { InvoiceEvent } from '../invoicing/domain/invoice.decider';
import type { InvoiceToPrint } from './domain/invoice-pages';
import { linesCsv } from './domain/lines-csv';
import { creditNotePdf, invoicePdf } from './pdfs';

/** The documents of what was issued, made when they are asked for, from the facts alone. */
export class Documents implements InvoiceDocuments {
  constructor(private readonly service: Service) {}

  async pdf(tenant: string, invoiceId: string): Promise<IssuedDocument | undefined> {
    const issued = issuedOf(await this.facts<InvoiceEvent>(tenant, invoiceStream(invoiceId)));
    return issued === undefined ? undefined : pdfOf(issued);
  }

  async creditNotePdf(tenant: string, creditNoteId: string): Promise<IssuedDocument | undefined> {
    const [note] = await this.facts<CreditNoteIssued>(tenant, creditNoteStream(creditNoteId));
    if (note === undefined) return undefined;
    const { invoice } = issuedOf(await this.facts<InvoiceEvent>(tenant, invoiceStream(note.invoiceId)))!;
    return { fileName: `${note.number}.pdf`, content: creditNotePdf({ note, invoice }) };
  }

  /** The document of an invoice that somebody asks for by its id. Refuses with `invoice_not_found`, and `invoice_is_draft` before it is issued. */
  async ofInvoice(tenant: string, invoiceId: string, kind: 'pdf' | 'lines'): Promise<IssuedDocument> {
    const facts = await this.facts<InvoiceEvent>(tenant, invoiceStream(invoiceId));
    if (facts.length === 0) throw new Problem(404, 'invoice_not_found', `there is no invoice ${invoiceId}`);
    const issued = issuedOf(facts);
    if (issued === undefined) throw new Problem(409, 'invoice_is_draft', 'a draft has no document yet');
    return kind === 'pdf' ? pdfOf(issued) : { fileName: `${issued.invoice.number}-lines.csv`, content: Buffer.from(linesCsv(issued.invoice)) };
  }

  private facts<E extends DomainEvent>(tenant: string, stream: string): Promise<readonly E[]> {
    return this.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => (await this.service.log.store.read<E>(tx, tenant, stream)).map(({ event }) => event));
  }
}

const pdfOf = (issued: InvoiceToPrint): IssuedDocument => ({ fileName: `${issued.invoice.number}.pdf`, content: invoicePdf(issued) });

/** An invoice as it was issued, and since when it is void; `undefined` before it is issued. */
const issuedOf = (facts: readonly InvoiceEvent[]): InvoiceToPrint | undefined => {
  const invoice = facts.find((event): event is InvoiceFinalized => event.type === 'InvoiceFinalized');
  return invoice === undefined ? undefined : { invoice, voidedAt: facts.find((event) => event.type === 'InvoiceVoided')?.voidedAt };
};
