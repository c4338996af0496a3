import { join } from 'node:path';
import PDFDocument from 'pdfkit';
import { localDateOf } from '@valueverse/kernel';
import type { InvoiceFinalized } from '@valueverse/contracts';
import { ERASED } from '@valueverse/event-log';

const FONTS = join(__dirname, 'fonts');
const MARGIN = 50;
const PAGE_WIDTH = 595.28;
const RIGHT = PAGE_WIDTH - MARGIN;
const PAGE_BOTTOM = 770;
const GREY = '#667085';
const BLACK = '#101828';
const RULE = '#d0d5dd';
const COLUMNS = { description: MARGIN, quantity: 330, amount: 440 } as const;

type Pdf = InstanceType<typeof PDFDocument>;

/** The local date of an instant in the zone of the subscription. */
const dateIn = (zone: string) => (instant: string): string => localDateOf(instant, zone);
/** "1234567.5" -> "1,234,567.5": for people only. */
const grouped = (decimal: string): string => {
  const [whole = '', fraction] = decimal.split('.');
  const digits = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
  return fraction === undefined ? digits : `${digits}.${fraction}`;
};

/**
 * An issued invoice as a PDF, A4, with an embedded font. Everything on it comes from the fact, its creation date too, so the same invoice
 * gives the same document. Dates are local to the zone of the subscription.
 */
export const invoicePdf = (invoice: InvoiceFinalized): Promise<Buffer> => new Promise((resolve, reject) => {
  const pdf = new PDFDocument({
    size: 'A4', margin: MARGIN, bufferPages: true, lang: 'en', displayTitle: true,
    info: { Title: `Invoice ${invoice.number}`, Author: 'ValueVerse', CreationDate: new Date(invoice.issuedAt) },
  });
  const chunks: Buffer[] = [];
  pdf.on('data', (chunk: Buffer) => chunks.push(chunk));
  pdf.on('end', () => resolve(Buffer.concat(chunks)));
  pdf.on('error', reject);
  pdf.registerFont('text', join(FONTS, 'DejaVuSans.subset.ttf')).registerFont('bold', join(FONTS, 'DejaVuSans-Bold.subset.ttf'));
  head(pdf, invoice);
  lines(pdf, invoice);
  totals(pdf, invoice);
  pageNumbers(pdf, invoice);
  pdf.end();
});

const head = (pdf: Pdf, { number, issuedAt, dueAt, servicePeriod, billTo, zone = 'UTC' }: InvoiceFinalized): void => {
  const dateOf = dateIn(zone);
  pdf.font('bold').fontSize(22).fillColor(BLACK).text('Invoice', MARGIN, MARGIN);
  const facts = [['Number', number], ['Issued', dateOf(issuedAt)], ['Due', dateOf(dueAt)], ['Period', `${dateOf(servicePeriod.from)} to ${dateOf(servicePeriod.to)}`]] as const;
  let y = 90;
  for (const [name, value] of facts) {
    pdf.font('text').fontSize(9).fillColor(GREY).text(name, MARGIN, y).fillColor(BLACK).text(value, MARGIN + 60, y);
    y += 14;
  }
  // Of someone who was erased the whole field reads so.
  const { name, address, email } = (billTo as unknown) === ERASED ? { name: ERASED } as InvoiceFinalized['billTo'] : billTo;
  const receiver = [name, address?.line1, address?.line2, [address?.postalCode, address?.city].filter(Boolean).join(' '), [address?.state, address?.country].filter(Boolean).join(', '), email];
  pdf.fontSize(9).fillColor(GREY).text('Billed to', 330, 90);
  pdf.fillColor(BLACK);
  let line = 104;
  for (const text of receiver) if (text) { pdf.text(text, 330, line, { width: RIGHT - 330 }); line = pdf.y + 1; }
  pdf.y = Math.max(y, line) + 24;
};

const tableHead = (pdf: Pdf): void => {
  const { y } = pdf;
  pdf.font('bold').fontSize(8.5).fillColor(GREY).text('Description', COLUMNS.description, y).text('Quantity', COLUMNS.quantity, y, { width: 90, align: 'right' })
    .text('Amount', COLUMNS.amount, y, { width: RIGHT - COLUMNS.amount, align: 'right' });
  rule(pdf, y + 14);
  pdf.y = y + 22;
};

const lines = (pdf: Pdf, invoice: InvoiceFinalized): void => {
  const dateOf = dateIn(invoice.zone ?? 'UTC');
  tableHead(pdf);
  for (const line of invoice.lines) {
    if (pdf.y > PAGE_BOTTOM - 40) { pdf.addPage(); pdf.y = MARGIN; tableHead(pdf); }
    const { y } = pdf;
    pdf.font('text').fontSize(9.5).fillColor(BLACK).text(line.description, COLUMNS.description, y, { width: COLUMNS.quantity - COLUMNS.description - 10 });
    const below = pdf.y;
    pdf.text(grouped(line.quantity), COLUMNS.quantity, y, { width: 90, align: 'right' });
    pdf.text(grouped(line.amount), COLUMNS.amount, y, { width: RIGHT - COLUMNS.amount, align: 'right' });
    pdf.fontSize(8).fillColor(GREY).text(`${dateOf(line.servicePeriod.from)} to ${dateOf(line.servicePeriod.to)}`, COLUMNS.description, below + 1);
    pdf.y += 8;
  }
};

const totals = (pdf: Pdf, { subtotal, discountTotal, taxTotal, total, currency }: InvoiceFinalized): void => {
  if (pdf.y > PAGE_BOTTOM - 90) { pdf.addPage(); pdf.y = MARGIN; }
  rule(pdf, pdf.y);
  pdf.y += 10;
  for (const [name, amount] of [['Subtotal', subtotal], ['Discount', discountTotal], ['Tax', taxTotal]] as const) {
    if (name !== 'Subtotal' && /^0(\.0+)?$/.test(amount)) continue;
    sum(pdf, name, grouped(amount), 'text', 9.5);
  }
  sum(pdf, 'Total', `${currency} ${grouped(total)}`, 'bold', 12);
};

const sum = (pdf: Pdf, name: string, amount: string, font: string, size: number): void => {
  const { y } = pdf;
  pdf.font(font).fontSize(size).fillColor(BLACK).text(name, 330, y).text(amount, 400, y, { width: RIGHT - 400, align: 'right' });
  pdf.y = y + size + 8;
};

const rule = (pdf: Pdf, y: number): void => { pdf.moveTo(MARGIN, y).lineTo(RIGHT, y).lineWidth(0.7).strokeColor(RULE).stroke(); };

const pageNumbers = (pdf: Pdf, { number }: InvoiceFinalized): void => {
  const { start, count } = pdf.bufferedPageRange();
  for (let page = start; page < start + count; page++) {
    pdf.switchToPage(page);
    pdf.font('text').fontSize(8).fillColor(GREY).text(`${number} · page ${page + 1} of ${count}`, MARGIN, PAGE_BOTTOM + 5, { width: RIGHT - MARGIN, align: 'center', lineBreak: false });
  }
};
