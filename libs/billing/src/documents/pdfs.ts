import { ERASED } from '@valueverse/event-log';
import { creditNotePages, type NoteToPrint } from './domain/credit-note-pages';
import { invoicePages, lookOf, type InvoiceToPrint } from './domain/invoice-pages';
import { receiptPages, type ReceiptToPrint } from './domain/receipt-pages';
import { measure } from './pdf/embedded-fonts';
import { pdfFile } from './pdf/pdf-file';

/** Of someone who was erased the whole field reads so. */
const known = <T extends { readonly billTo: { readonly name: string } }>(fact: T): T => ((fact.billTo as unknown) === ERASED ? { ...fact, billTo: { name: ERASED } } : fact);
const authorOf = ({ seller }: Pick<InvoiceToPrint['invoice'], 'seller'>): string => seller?.name ?? 'ValueVerse';

/** An issued invoice as a PDF. Everything on it comes from the facts, its creation date too, so the same invoice gives the same document. */
export const invoicePdf = ({ invoice, voidedAt }: InvoiceToPrint): Buffer => {
  const { words, pageSize } = lookOf(invoice);
  const { number, issuedAt } = invoice;
  return pdfFile({ pages: invoicePages({ invoice: known(invoice), voidedAt }, measure), pageSize, title: `${words.invoice} ${number}`, author: authorOf(invoice), language: words.language, createdAt: issuedAt });
};

/** A credit note as a PDF, in the look of its invoice. */
export const creditNotePdf = ({ note, invoice }: NoteToPrint): Buffer => {
  const { words, pageSize } = lookOf(invoice);
  const { number, issuedAt } = note;
  return pdfFile({ pages: creditNotePages({ note: known(note), invoice }, measure), pageSize, title: `${words.creditNote} ${number}`, author: authorOf(invoice), language: words.language, createdAt: issuedAt });
};

/** A receipt as a PDF, in the look of its invoice, or of the account where it is of none. */
export const receiptPdf = (print: ReceiptToPrint): Buffer => {
  const paper = known(print.paper);
  const { words, pageSize } = lookOf(paper);
  return pdfFile({ pages: receiptPages({ ...print, paper }, measure), pageSize, title: `${words.receipt} ${print.paymentId}`, author: authorOf(paper), language: words.language, createdAt: print.receivedAt });
};
