import { parseInstant } from '@valueverse/kernel';
import type { InvoiceDocuments, IssuedDocument, MessageQueued } from '@valueverse/contracts';
import { ERASED, ident, tenantPolicySql, grantSql } from '@valueverse/event-log';
import { type Job, type JobHandler, type JobResult, type Migration, type Service } from '@valueverse/platform';
import { MailNotSent, type Mail, type MailTransport } from '../transport/mail-transport';
import type { MessageCommand, MessageEvent } from './domain/message';
import { htmlOf } from './domain/templates';
import { messageDecider, streamOf } from './messages';

export const SEND_MESSAGE = 'notifications.send';
export interface SendPayload { readonly messageId: string }

export const MAILS_UNDER_WAY: Migration = {
  number: 101, name: 'mails that were begun', sql: (schema) => `
CREATE TABLE ${ident(schema)}.mails_under_way (tenant text NOT NULL, message_id text NOT NULL, transport_id text, PRIMARY KEY (tenant, message_id));
${tenantPolicySql(schema, 'mails_under_way')}
${grantSql(schema, 'mails_under_way', 'SELECT, INSERT, UPDATE, DELETE')}`,
};

/** One mailbox, without names, comments or lists: what we put behind `RCPT TO`. */
const ADDRESS = /^[^\s\u0000-\u001f\u007f@<>(),;:"[\]\\]{1,64}@[^\s\u0000-\u001f\u007f@<>(),;:"[\]\\]{1,255}$/;

/**
 * Hands a message to the mail server. That it is about to be sent is stored before, and removed where the server surely did not take it: a run that finds the mark
 * of an earlier one does not know what became of it, and sends nothing, because a customer gets a message once. The mark stays: a runner that slept through
 * the end of its job finds it too. What the server answered is written beside it at once, for a run whose end could not be recorded.
 */
export const sendJob = ({ service, transport, documents }: { service: Service; transport: MailTransport; documents: InvoiceDocuments }): JobHandler => {
  const done = (command: MessageCommand): JobResult => ({ outcome: 'done', reaction: { commands: [{ decider: messageDecider, command }] } });
  /** `begun`, or what an earlier run left: what the server answered it, `undefined` where nobody knows. */
  const begin = (tenant: string, messageId: string): Promise<'begun' | { readonly transportId: string | undefined }> => service.database.transaction({ role: 'api', tenant }, async (tx) => {
    const { rowCount } = await tx.query('INSERT INTO mails_under_way (tenant, message_id) VALUES ($1, $2) ON CONFLICT DO NOTHING', [tenant, messageId]);
    if (rowCount === 1) return 'begun';
    const { rows } = await tx.query<{ transport_id: string | null }>('SELECT transport_id FROM mails_under_way WHERE tenant = $1 AND message_id = $2', [tenant, messageId]);
    return { transportId: rows[0]?.transport_id ?? undefined };
  });
  const keepAnswer = (tenant: string, messageId: string, transportId: string): Promise<unknown> => service.database.transaction({ role: 'api', tenant }, (tx) =>
    tx.query('UPDATE mails_under_way SET transport_id = $3 WHERE tenant = $1 AND message_id = $2', [tenant, messageId, transportId]));
  const unmark = (tenant: string, messageId: string): Promise<unknown> => service.database.transaction({ role: 'api', tenant }, (tx) =>
    tx.query('DELETE FROM mails_under_way WHERE tenant = $1 AND message_id = $2', [tenant, messageId]));

  const run = async (job: Job<SendPayload>): Promise<JobResult> => {
    const { tenant, payload: { messageId }, attempt } = job;
    const at = parseInstant(job.now);
    const failed = (reason: string): JobResult => done({ type: 'RecordFailure', messageId, reason, at });
    const facts = await service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => service.log.store.read<MessageEvent>(tx, tenant, streamOf(messageId)));
    const [queued, ...ends] = facts.map(({ event }) => event);
    if (queued?.type !== 'MessageQueued') throw new Error(`the message ${messageId} is not there`);
    if (ends.length > 0) return { outcome: 'done' };
    if (queued.to === ERASED) return failed('erased');
    if (!ADDRESS.test(queued.to)) return failed('invalid_address');
    const mail = await mailOf(queued, tenant);
    const sent = (transportId: string): JobResult => done({ type: 'RecordSent', messageId, transportId, attempt, at });
    const earlier = await begin(tenant, messageId);
    if (earlier !== 'begun') return earlier.transportId === undefined ? failed('answer_lost') : sent(earlier.transportId);
    const answer = await handOver(mail, tenant);
    if (typeof answer === 'string') return failed(answer);
    // Taken is taken, also when this cannot be written: then the end of the job says it alone.
    await keepAnswer(tenant, messageId, answer.transportId).catch(() => undefined);
    return sent(answer.transportId);
  };

  /** What the server answered, or why the message has failed for good. Throws where it may be tried again. */
  const handOver = async (mail: Mail, tenant: string): Promise<{ readonly transportId: string } | 'answer_lost' | 'refused'> => {
    try {
      return await transport.send(mail);
    } catch (error) {
      if (!(error instanceof MailNotSent)) return 'answer_lost';
      await unmark(tenant, mail.messageId);
      if (error.isFinal) return 'refused';
      throw error;
    }
  };

  /** What is attached; a message about something else has nothing. Throws where it cannot be had yet. */
  const documentOf = async ({ template, invoiceId, creditNoteId }: MessageQueued, tenant: string): Promise<IssuedDocument | undefined> => {
    if (template !== 'invoice_finalized' && template !== 'credit_note_issued') return undefined;
    const document = await (template === 'invoice_finalized' ? documents.pdf(tenant, invoiceId!) : documents.creditNotePdf(tenant, creditNoteId!));
    if (document === undefined) throw new Error(`the PDF of ${String(creditNoteId ?? invoiceId)} is not there`);
    return document;
  };

  const mailOf = async (message: MessageQueued, tenant: string): Promise<Mail> => {
    const { messageId, to, subject, body, language = 'en' } = message;
    const document = await documentOf(message, tenant);
    return {
      messageId, to, subject, text: body, html: htmlOf({ subject, body }, language), sentAt: service.clock.now(),
      attachments: document === undefined ? [] : [{ ...document, contentType: 'application/pdf' }],
    };
  };
  return { kind: SEND_MESSAGE, run };
};
