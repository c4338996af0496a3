import { given } from '@valueverse/testing';
import { message, type MessageEvent, type QueueMessage } from './message';

const AT = '2023-12-01T01:00:00Z';
const queue: QueueMessage = { type: 'QueueMessage', messageId: 'msg_1', accountId: 'acc_1', template: 'invoice_finalized', to: 'a@b.example', subject: 'Invoice', body: 'Hello', invoiceId: 'inv_1', at: AT };
const queued: MessageEvent = { type: 'MessageQueued', messageId: 'msg_1', accountId: 'acc_1', template: 'invoice_finalized', to: 'a@b.example', subject: 'Invoice', body: 'Hello', invoiceId: 'inv_1', queuedAt: AT };
const sent: MessageEvent = { type: 'MessageSent', messageId: 'msg_1', transportId: '250 ok', attempt: 1, sentAt: AT };
const failed: MessageEvent = { type: 'MessageFailed', messageId: 'msg_1', reason: 'refused', failedAt: AT };

test('a message is queued once', () => {
  given(message).when(queue).then(queued);
  given(message, queued).when(queue).then();
  given(message, queued, sent).when(queue).then();
});
test('it comes to one end', () => {
  given(message, queued).when({ type: 'RecordSent', messageId: 'msg_1', transportId: '250 ok', attempt: 1, at: AT }).then(sent);
  given(message, queued).when({ type: 'RecordFailure', messageId: 'msg_1', reason: 'refused', at: AT }).then(failed);
  given(message, queued, sent).when({ type: 'RecordFailure', messageId: 'msg_1', reason: 'refused', at: AT }).then();
  given(message, queued, failed).when({ type: 'RecordSent', messageId: 'msg_1', transportId: '250 ok', attempt: 2, at: AT }).then();
});
test('nothing ends that was not queued', () => {
  given(message).when({ type: 'RecordSent', messageId: 'msg_1', transportId: '250 ok', attempt: 1, at: AT }).thenRefused('message_not_found');
  given(message).when({ type: 'RecordFailure', messageId: 'msg_1', reason: 'refused', at: AT }).thenRefused('message_not_found');
});
