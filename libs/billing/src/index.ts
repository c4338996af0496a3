export * from './billing.context';
export { RemoteBillingReader } from './subscriptions/remote-billing-reader';
export { InvoicePdfs } from './documents/invoice-pdfs';
