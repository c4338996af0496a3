import type { InvoiceDocuments, IssuedDocument, ServiceName, ServiceReports } from '@valueverse/contracts';
import { RemoteReports, ServiceClient } from '@valueverse/auth';

/** Billing's documents from another process. */
export class RemoteInvoiceDocuments implements InvoiceDocuments {
  constructor(private readonly client: ServiceClient) {}

  pdf(tenant: string, invoiceId: string): Promise<IssuedDocument | undefined> { return this.document('invoices', invoiceId, tenant); }
  creditNotePdf(tenant: string, creditNoteId: string): Promise<IssuedDocument | undefined> { return this.document('credit-notes', creditNoteId, tenant); }

  private async document(kind: string, id: string, tenant: string): Promise<IssuedDocument | undefined> {
    const answer = await this.client.bytes(`/internal/v1/${kind}/${encodeURIComponent(id)}/pdf?tenant=${encodeURIComponent(tenant)}`);
    if (answer === undefined) return undefined;
    return { fileName: /filename="([^"]+)"/.exec(answer.headers.get('content-disposition') ?? '')?.[1] ?? `${id}.pdf`, content: answer.content };
  }
}

/** The other services' reports, by their addresses. */
export const remoteReports = (urls: Readonly<Record<ServiceName, string>>, own: ServiceName, serviceToken: string): ServiceReports[] =>
  (Object.entries(urls) as [ServiceName, string][]).filter(([name]) => name !== own).map(([name, url]) => new RemoteReports(name, new ServiceClient(url, serviceToken)));
