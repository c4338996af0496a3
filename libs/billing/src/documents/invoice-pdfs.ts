import type { InvoiceDocuments, InvoiceFinalized } from '@valueverse/contracts';
import type { Service } from '@valueverse/platform';
import { invoiceStream } from '../invoicing/invoice.model';
import type { InvoiceEvent } from '../invoicing/domain/invoice.decider';
import { invoicePdf } from './invoice-pdf';

/** The documents of issued invoices, made when they are asked for, from the fact alone. */
export class InvoicePdfs implements InvoiceDocuments {
  constructor(private readonly service: Service) {}

  async pdf(tenant: string, invoiceId: string): Promise<{ fileName: string; content: Buffer } | undefined> {
    const facts = await this.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => this.service.log.store.read<InvoiceEvent>(tx, tenant, invoiceStream(invoiceId)));
    const issued = facts.map(({ event }) => event).find((event): event is InvoiceFinalized => event.type === 'InvoiceFinalized');
    return issued === undefined ? undefined : { fileName: `${issued.number}.pdf`, content: await invoicePdf(issued) };
  }
}
