export * from './billing.context';
export { RemoteBillingReader } from './subscriptions/remote-billing-reader';
export { InvoicePdfs } from './documents/invoice-pdfs';
export { CATALOG_FILE_SCHEMA } from './catalog/domain/catalog-file';
