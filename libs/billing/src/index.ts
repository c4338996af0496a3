export * from './billing.context';
export { RemoteBillingReader } from './subscriptions/remote-billing-reader';
export { Documents } from './documents/documents';
export { invoicePdf } from './documents/pdfs';
export { CATALOG_FILE_SCHEMA } from './catalog/domain/catalog-file';
