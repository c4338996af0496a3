import { ident, roleName, type Database } from '@valueverse/event-log';
import type { Migration } from '@valueverse/platform';
import PostalMime from 'postal-mime';
import { oneLine } from '../messages/domain/templates';

/** Mails that are kept; the oldest go first. */
export const MAILS_KEPT_MAX = 500;
/** The largest mail that is taken. */
export const MAIL_BYTES_MAX = 10 * 1024 * 1024;
const SUBJECT_LENGTH_MAX = 512;

export const INBOX_MAILS: Migration = {
  number: 102, name: 'mails of the inbox', sql: (schema) => `
CREATE TABLE ${ident(schema)}.inbox_mails (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mail_from text NOT NULL, mail_to text NOT NULL, subject text NOT NULL, raw bytea NOT NULL,
  received_at timestamptz NOT NULL DEFAULT clock_timestamp());
GRANT SELECT, INSERT, DELETE ON ${ident(schema)}.inbox_mails TO ${ident(roleName(schema, 'worker'))};`,
};

export interface InboxLine { readonly id: string; readonly from: string; readonly to: string; readonly subject: string; readonly receivedAt: string }
export interface InboxAttachment { readonly fileName: string; readonly bytes: number; readonly content: Buffer }
export interface InboxMail extends InboxLine {
  readonly messageId: string;
  readonly text: string;
  readonly html: string;
  readonly attachments: readonly InboxAttachment[];
}
interface Row { id: bigint; mail_from: string; mail_to: string; subject: string; received_at: string; raw: Buffer }

const RECEIVED = `to_char(received_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS received_at`;
const toLine = (row: Omit<Row, 'raw'>): InboxLine => ({ id: String(row.id), from: row.mail_from, to: row.mail_to, subject: row.subject, receivedAt: row.received_at });
const toMail = async (row: Row): Promise<InboxMail> => {
  const parsed = await PostalMime.parse(row.raw);
  return {
    ...toLine(row), messageId: parsed.messageId ?? '', text: parsed.text ?? '', html: parsed.html ?? '',
    attachments: parsed.attachments.map(({ filename, content }) => {
      const bytes = typeof content === 'string' ? Buffer.from(content) : Buffer.from(content as ArrayBuffer);
      return { fileName: filename ?? 'attachment', bytes: bytes.length, content: bytes };
    }),
  };
};

/** The mails that the inbox took. They are whole mails of customers in plain: this is a mailbox for one machine, not a store of the service. */
export class MailBook {
  constructor(private readonly database: Database) {}

  async add(from: string, to: string, raw: Buffer): Promise<void> {
    const { subject = '' } = await PostalMime.parse(raw);
    await this.database.transaction({ role: 'worker' }, async (tx) => {
      await tx.query('INSERT INTO inbox_mails (mail_from, mail_to, subject, raw) VALUES ($1, $2, $3, $4)', [oneLine(from), oneLine(to), oneLine(subject).slice(0, SUBJECT_LENGTH_MAX), raw]);
      await tx.query('DELETE FROM inbox_mails WHERE id <= (SELECT max(id) FROM inbox_mails) - $1', [MAILS_KEPT_MAX]);
    });
  }

  /** Newest first. */
  list(limit: number): Promise<InboxLine[]> {
    return this.database.transaction({ role: 'worker', readOnly: true }, async (tx) => (await tx.query<Row>(
      `SELECT id, mail_from, mail_to, subject, ${RECEIVED} FROM inbox_mails ORDER BY id DESC LIMIT $1`, [limit])).rows.map(toLine));
  }

  /** Newest first, with their words and attachments. */
  async read(limit: number): Promise<InboxMail[]> {
    const rows = await this.database.transaction({ role: 'worker', readOnly: true }, async (tx) => (await tx.query<Row>(
      `SELECT id, mail_from, mail_to, subject, raw, ${RECEIVED} FROM inbox_mails ORDER BY id DESC LIMIT $1`, [limit])).rows);
    return Promise.all(rows.map(toMail));
  }

  async one(id: string): Promise<InboxMail | undefined> {
    const rows = await this.database.transaction({ role: 'worker', readOnly: true }, async (tx) => (await tx.query<Row>(
      `SELECT id, mail_from, mail_to, subject, raw, ${RECEIVED} FROM inbox_mails WHERE id = $1`, [id])).rows);
    return rows[0] === undefined ? undefined : toMail(rows[0]);
  }
}
