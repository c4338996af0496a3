import type { CreditNoteIssued, InvoiceDocuments, InvoiceFinalized, InvoicePaymentApplied, InvoicePaymentUnmatched, IssuedDocument } from '@valueverse/contracts';
import type { DomainEvent } from '@valueverse/event-log';
import { isId, Money } from '@valueverse/kernel';
import { Problem, rowOf, type Service } from '@valueverse/platform';
import { accountsModel, billToOf, personalOf, type AccountRow } from '../accounts/account.model';
import { entityOf, sellerOf } from '../entities/entity.model';
import { onDocument } from './on-document';
import { receivedPaymentsModel, type ReceivedPaymentRow } from '../received/received-payment.model';
import { creditNoteStream } from '../credit-notes/credit-note.model';
import { invoiceStream } from '../invoicing/invoice.model';
import type { InvoiceEvent } from '../invoicing/domain/invoice.decider';
import type { InvoiceToPrint } from './domain/invoice-pages';
import { linesCsv } from './domain/lines-csv';
import { creditNotePdf, invoicePdf, receiptPdf } from './pdfs';
import type { ReceiptToPrint } from './domain/receipt-pages';

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

  /** The receipt for money that came in for an invoice, or was paid ahead: that names the account, and looks, as an invoice of it would now. Refuses with `payment_not_found`, also while it is still being collected. */
  async receiptPdf(tenant: string, paymentId: string): Promise<IssuedDocument> {
    const row = await this.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => rowOf<ReceivedPaymentRow>(tx, receivedPaymentsModel, paymentId));
    const receipt = row === undefined ? undefined : isId('crd', row.invoiceId) ? await this.ofPrepaid(tenant, row) : receiptOf(await this.facts<InvoiceEvent>(tenant, invoiceStream(row.invoiceId)), paymentId);
    if (receipt === undefined) throw new Problem(404, 'payment_not_found', `no payment ${paymentId} of an issued invoice, and none ahead, has come in`);
    return { fileName: receipt.invoice === undefined ? `${paymentId}.pdf` : `${receipt.invoice.number}-${paymentId}.pdf`, content: receiptPdf(receipt) };
  }

  private ofPrepaid(tenant: string, { paymentId, accountId, currency, unapplied, receivedAt }: ReceivedPaymentRow): Promise<ReceiptToPrint | undefined> {
    return this.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
      const account = accountId === undefined ? undefined : await rowOf<AccountRow>(tx, accountsModel, accountId);
      if (account === undefined || currency === undefined || unapplied === undefined) return undefined;
      const seller = await entityOf(tx, tenant, account.entityKey);
      const { document } = onDocument(account, seller);
      const paper = { currency, zone: account.timezone, billTo: billToOf(await personalOf(this.service, tx, tenant, account.accountId), account), ...(document === undefined ? {} : { document }), ...(seller === undefined ? {} : { seller: sellerOf(seller) }) };
      return { paper, paymentId, receivedAt, unapplied, unappliedCurrency: currency };
    });
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

/** What came in under a payment, from the facts of its invoice alone: what is due afterwards is what was due then. `undefined` where the invoice was never issued. */
const receiptOf = (facts: readonly InvoiceEvent[], paymentId: string): ReceiptToPrint | undefined => {
  const invoice = issuedOf(facts)?.invoice;
  const own = facts.filter((event): event is InvoicePaymentApplied | InvoicePaymentUnmatched => (event.type === 'InvoicePaymentApplied' || event.type === 'InvoicePaymentUnmatched') && event.paymentId === paymentId);
  if (invoice === undefined || own.length === 0) return undefined;
  const { currency } = invoice;
  const applied = own.find((event) => event.type === 'InvoicePaymentApplied');
  const over = own.find((event) => event.type === 'InvoicePaymentUnmatched');
  const nothing = Money.zero(currency);
  const remaining = facts.slice(0, facts.indexOf(own.at(-1)!) + 1).reduce((due, event) => {
    if (event.type === 'InvoiceReopened') return due.add(Money.parse(event.amount, currency));
    if (event.type !== 'InvoicePaymentApplied' && event.type !== 'InvoiceCredited' && event.type !== 'InvoiceRecovered') return due;
    const left = due.subtract(Money.parse(event.amount, currency));
    return left.isNegative() ? nothing : left;
  }, Money.parse(invoice.amountDue, currency));
  return {
    paper: invoice, invoice: { number: invoice.number, issuedAt: invoice.issuedAt, applied: applied?.amount ?? nothing.toString(), remaining: remaining.toString() },
    paymentId, receivedAt: applied?.appliedAt ?? over!.unmatchedAt, unapplied: over?.amount ?? nothing.toString(), unappliedCurrency: over?.currency ?? currency,
  };
};
