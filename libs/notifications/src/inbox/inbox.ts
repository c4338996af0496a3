import type { AddressInfo } from 'node:net';
import type { Database } from '@valueverse/event-log';
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from 'smtp-server';
import { MAIL_BYTES_MAX, MailBook } from './mail-book';

const LOOPBACK = '127.0.0.1';
const CLIENTS_MAX = 20;
const TOO_LARGE = 552;

export interface InboxOptions {
  /** Of the notifications service. */
  readonly database: Database;
  /** 0 takes a free one. */
  readonly port: number;
}
export interface Inbox {
  readonly port: number;
  /** For `smtpTransport`. */
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * A mail server for one machine: it takes every mail from this machine, keeps the latest ones in the database, and passes nothing on.
 * It says that it took a mail when the mail is stored. Rejects when the port is taken.
 */
export const startInbox = async ({ database, port }: InboxOptions): Promise<Inbox> => {
  const book = new MailBook(database);
  const server = new SMTPServer({
    authOptional: true, disabledCommands: ['AUTH', 'STARTTLS'], disableReverseLookup: true, size: MAIL_BYTES_MAX, maxClients: CLIENTS_MAX, banner: 'ValueVerse inbox',
    onData: (stream, session, callback) => { void take(book, stream, session).then(() => callback(), (error: Error) => callback(error)); },
  });
  // A client that hangs up in the middle of a mail is its own affair; without a listener the error would end the process.
  server.on('error', () => undefined);
  await new Promise<void>((resolve, reject) => {
    server.server.once('error', reject);
    server.listen(port, LOOPBACK, () => {
      server.server.off('error', reject);
      resolve();
    });
  });
  const taken = (server.server.address() as AddressInfo).port;
  return { port: taken, url: `smtp://${LOOPBACK}:${taken}`, stop: () => new Promise((resolve) => { server.close(() => resolve()); }) };
};

const take = async (book: MailBook, stream: SMTPServerDataStream, session: SMTPServerSession): Promise<void> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // The rest is read and thrown away, because the client only listens when it is done.
    if (bytes <= MAIL_BYTES_MAX) chunks.push(chunk);
  }
  if (bytes > MAIL_BYTES_MAX) throw Object.assign(new Error('the mail is too large'), { responseCode: TOO_LARGE });
  const { mailFrom, rcptTo } = session.envelope;
  await book.add(mailFrom === false ? '' : mailFrom.address, rcptTo.map(({ address }) => address).join(', '), Buffer.concat(chunks));
};
