import { microsOf } from '@valueverse/kernel';
import type { DeciderDefinition, ReadModel } from '@valueverse/event-log';
import { message, type MessageCommand, type MessageEvent, type MessageState, type Template } from './domain/message';

/** A message without its words: those are personal, stay sealed in the facts, and are read from there. */
export interface MessageRow {
  readonly id: string;
  readonly accountId: string;
  readonly template: Template;
  readonly status: 'queued' | 'sent' | 'failed';
  readonly invoiceId?: string;
  readonly creditNoteId?: string;
  readonly reason?: string;
  readonly queuedAt: string;
  readonly sentAt?: string;
}

const NONE: MessageRow = { id: '', accountId: '', template: 'invoice_finalized', status: 'queued', queuedAt: '' };
/** Microseconds since 1970 have 16 digits until the year 2286, so as texts they sort as in time. */
const MICROS_DIGITS = 16;

export const messageView: ReadModel<MessageEvent, MessageRow> = {
  table: 'messages', version: 1, key: ({ messageId }) => messageId, initial: NONE,
  on: {
    MessageQueued: ({ messageId, accountId, template, invoiceId, creditNoteId, queuedAt }) =>
      ({ ...NONE, id: messageId, accountId, template, ...(invoiceId === undefined ? {} : { invoiceId }), ...(creditNoteId === undefined ? {} : { creditNoteId }), queuedAt }),
    MessageSent: ({ sentAt }, row) => ({ ...row, status: 'sent', sentAt }),
    MessageFailed: ({ reason }, row) => ({ ...row, status: 'failed', reason }),
  },
  columns: { account_id: ({ accountId }) => accountId }, sortBy: ({ queuedAt }) => (queuedAt === '' ? '' : String(microsOf(queuedAt)).padStart(MICROS_DIGITS, '0')),
};

export const streamOf = (messageId: string): string => `message-${messageId}`;
export const messageDecider: DeciderDefinition<MessageCommand, MessageEvent, MessageState> = {
  name: 'message', decider: message, stream: ({ messageId }) => streamOf(messageId), views: [messageView],
};
