import { dispatch, Refused, type Decider } from '@valueverse/kernel';
import type { MessageFailed, MessageQueued, MessageSent } from '@valueverse/contracts';

export type Template = MessageQueued['template'];
export type MessageEvent = MessageQueued | MessageSent | MessageFailed;

/** `at` is the instant of the clock that the message lives on. */
export interface QueueMessage {
  readonly type: 'QueueMessage'; readonly messageId: string; readonly accountId: string; readonly template: Template;
  readonly to: string; readonly subject: string; readonly body: string; readonly invoiceId?: string; readonly creditNoteId?: string; readonly language?: string; readonly at: string;
}
/** The mail server took it, at this attempt. */
export interface RecordSent { readonly type: 'RecordSent'; readonly messageId: string; readonly transportId: string; readonly attempt: number; readonly at: string }
/** It will not be sent (again). `reason` is a stable code. */
export interface RecordFailure { readonly type: 'RecordFailure'; readonly messageId: string; readonly reason: string; readonly at: string }
export type MessageCommand = QueueMessage | RecordSent | RecordFailure;
export interface MessageState { readonly status: 'none' | 'queued' | 'sent' | 'failed' }

/** One message to one customer. It is queued once and comes to one end. Refuses with `message_not_found`. */
export const message: Decider<MessageCommand, MessageEvent, MessageState> = {
  initial: { status: 'none' },
  decide: dispatch<MessageCommand, MessageState, readonly MessageEvent[]>({
    QueueMessage: ({ at, ...command }, { status }) => (status === 'none' ? [{ ...command, type: 'MessageQueued', queuedAt: at }] : []),
    RecordSent: ({ messageId, transportId, attempt, at }, { status }) => {
      if (status === 'none') throw new Refused('message_not_found', 'there is no message with this id');
      return status === 'queued' ? [{ type: 'MessageSent', messageId, transportId, attempt, sentAt: at }] : [];
    },
    RecordFailure: ({ messageId, reason, at }, { status }) => {
      if (status === 'none') throw new Refused('message_not_found', 'there is no message with this id');
      return status === 'queued' ? [{ type: 'MessageFailed', messageId, reason, failedAt: at }] : [];
    },
  }),
  evolve: dispatch<MessageEvent, MessageState, MessageState>({
    MessageQueued: () => ({ status: 'queued' }),
    MessageSent: () => ({ status: 'sent' }),
    MessageFailed: () => ({ status: 'failed' }),
  }),
};
