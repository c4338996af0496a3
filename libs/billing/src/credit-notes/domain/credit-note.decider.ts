import { dispatch, type Decider } from '@valueverse/kernel';
import type { CreditNoteIssued } from '@valueverse/contracts';

/** Its lines were checked by the invoice, in the same transaction; its number comes from its series there. */
export type IssueCreditNote = { readonly type: 'IssueCreditNote'; readonly at: string } & Omit<CreditNoteIssued, 'type' | 'issuedAt'>;
export interface CreditNote { readonly isIssued: boolean }

export const creditNote: Decider<IssueCreditNote, CreditNoteIssued, CreditNote> = {
  initial: { isIssued: false },
  decide: dispatch<IssueCreditNote, CreditNote, readonly CreditNoteIssued[]>({ IssueCreditNote: ({ at, type: _, ...facts }, { isIssued }) => (isIssued ? [] : [{ ...facts, type: 'CreditNoteIssued', issuedAt: at }]) }),
  evolve: dispatch<CreditNoteIssued, CreditNote, CreditNote>({ CreditNoteIssued: () => ({ isIssued: true }) }),
};
