import type { InvoiceDocuments, InvoiceFinalized } from '@valueverse/contracts';
import { Problem, type Service } from '@valueverse/platform';
import { invoiceStream } from '../invoicing/invoice.model';
import type { InvoiceEvent } from '../invoicing/domain/invoice.decider';
import { linesCsv } from './domain/lines-csv';
import { invoicePdf } from './invoice-pdf';

export interface Document { readonly fileName: string; readonly content: Buffer }

/** The documents of what was issued, made when they are asked for, from the facts alone. */
export class Documents implements InvoiceDocuments {
  constructor(private readonly service: Service) {}

  async pdf(tenant: string, invoiceId: string): Promise<Document | undefined> {
    const issued = issuedOf(await this.facts(tenant, invoiceId));
    return issued === undefined ? undefined : { fileName: `${issued.number}.pdf`, content: await invoicePdf(issued) };
  }

  /** The document of an invoice that somebody asks for by its id. Refuses with `invoice_not_found`, and `invoice_is_draft` before it is issued. */
  async of(tenant: string, invoiceId: string, kind: 'pdf' | 'lines'): Promise<Document> {
    const facts = await this.facts(tenant, invoiceId);
    if (facts.length === 0) throw new Problem(404, 'invoice_not_found', `there is no invoice ${invoiceId}`);
    const issued = issuedOf(facts);
    if (issued === undefined) throw new Problem(409, 'invoice_is_draft', 'a draft has no document yet');
    return kind === 'pdf' ? { fileName: `${issued.number}.pdf`, content: await invoicePdf(issued) } : { fileName: `${issued.number}-lines.csv`, content: Buffer.from(linesCsv(issued)) };
  }

  private facts(tenant: string, invoiceId: string): Promise<readonly InvoiceEvent[]> {
    return this.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => (await this.service.log.store.read<InvoiceEvent>(tx, tenant, invoiceStream(invoiceId))).map(({ event }) => event));
  }
}

const issuedOf = (facts: readonly InvoiceEvent[]): InvoiceFinalized | undefined => facts.find((event): event is InvoiceFinalized => event.type === 'InvoiceFinalized');
