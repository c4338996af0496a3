import { defineEvent, type EventOf } from './event-definition';
import { instant, object, oneOf, optional, personal, text, whole } from './schema';

export const MessageQueued = defineEvent({
  name: 'MessageQueued', topic: 'notifications.messages', fact: 'message.queued', personalKey: 'accountId', version: 3,
  data: object({
    messageId: text(), accountId: text(), template: oneOf('invoice_finalized', 'credit_note_issued', 'payment_succeeded', 'payment_failed', 'payment_retrying', 'payment_action_required', 'payment_method_expiring'),
    to: personal(text(320)), subject: personal(text(512)), body: personal(text(20_000)), invoiceId: optional(text()), creditNoteId: optional(text()),
    /** A tag of the language that it is written in; English where it is not given. */
    language: optional(text(16)), queuedAt: instant(),
  }),
  // There were no credit notes to write about, then nothing before the end of a payment.
  history: [{ version: 1, upcast: (data) => data }, { version: 2, upcast: (data) => data }],
});
/** The mail server took it. */
export const MessageSent = defineEvent({
  name: 'MessageSent', topic: 'notifications.messages', fact: 'message.sent', data: object({ messageId: text(), transportId: text(512), attempt: whole(1), sentAt: instant() }),
});
export const MessageFailed = defineEvent({
  name: 'MessageFailed', topic: 'notifications.messages', fact: 'message.failed', data: object({ messageId: text(), reason: text(), failedAt: instant() }),
});
export type MessageQueued = EventOf<typeof MessageQueued>;
export type MessageSent = EventOf<typeof MessageSent>;
export type MessageFailed = EventOf<typeof MessageFailed>;

export const NOTIFICATION_EVENTS = [MessageQueued, MessageSent, MessageFailed] as const;
