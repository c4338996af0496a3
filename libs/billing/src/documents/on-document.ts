import type { InvoiceFinalized } from '@valueverse/contracts';
import type { AccountRow } from '../accounts/account.model';
import type { EntityRow } from '../entities/entity.model';

const DEFAULT_LANGUAGE = 'en';
const DEFAULT_PAGE_SIZE = 'A4';

const untaxedOf = ({ taxExemption, reverseCharge }: AccountRow): Pick<InvoiceFinalized, 'untaxed'> => {
  if (taxExemption !== undefined) return { untaxed: { reason: 'exempt', detail: taxExemption.reason } };
  return reverseCharge === true ? { untaxed: { reason: 'reverse_charge' } } : {};
};

/** What is kept with an invoice for its document, as it is at the moment of issue: a later change of account or seller changes no document. The account's language comes before the seller's. */
export const onDocument = (account: AccountRow, seller: EntityRow | undefined): Pick<InvoiceFinalized, 'document' | 'untaxed'> => ({
  document: {
    language: account.language ?? seller?.language ?? DEFAULT_LANGUAGE, pageSize: seller?.pageSize ?? DEFAULT_PAGE_SIZE, ...(seller?.accentColor === undefined ? {} : { accentColor: seller.accentColor }),
  },
  ...untaxedOf(account),
});
