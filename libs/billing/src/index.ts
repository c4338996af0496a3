export * from './billing.context';
export { InvoicePdfs } from './documents/invoice-pdfs';
