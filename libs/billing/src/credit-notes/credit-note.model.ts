import type { CreditNoteIssued } from '@valueverse/contracts';
import type { DeciderDefinition, ReadModel } from '@valueverse/event-log';
import { creditNote, type CreditNote, type IssueCreditNote } from './domain/credit-note.decider';

/** A credit note without the one it is made out to: that is sealed in the log. */
export type CreditNoteRow = Omit<CreditNoteIssued, 'type' | 'billTo'>;

export const creditNotesModel: ReadModel<CreditNoteIssued, CreditNoteRow> = {
  table: 'credit_notes', version: 1, key: ({ creditNoteId }) => creditNoteId, initial: {} as CreditNoteRow,
  on: { CreditNoteIssued: ({ type: _, billTo: __, ...row }) => row },
  columns: { account_id: ({ accountId }) => accountId, invoice_id: ({ invoiceId }) => invoiceId, number: ({ number }) => number }, sortBy: ({ issuedAt }) => issuedAt,
};

export const creditNoteStream = (creditNoteId: string): string => `credit-note-${creditNoteId}`;
export const creditNoteDecider: DeciderDefinition<IssueCreditNote, CreditNoteIssued, CreditNote> = {
  name: 'credit-note', decider: creditNote, stream: ({ creditNoteId }) => creditNoteStream(creditNoteId), views: [creditNotesModel],
};
