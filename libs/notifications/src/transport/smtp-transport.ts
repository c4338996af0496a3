import { Readable } from 'node:stream';
import MailComposer from 'nodemailer/lib/mail-composer';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import { inSpan, SpanKind } from '@valueverse/event-log';
import { oneLine } from '../messages/domain/templates';
import { MailNotSent, type Mail, type MailTransport } from './mail-transport';

const CONNECT_TIMEOUT_MS = 5_000;
/** Below the lease of a job, so that a server that hangs is our own failure and not a second runner's. */
const SILENCE_TIMEOUT_MS = 20_000;
const REFUSED_MIN = 500;
/** A refusal here is about this address or this mail; one at another place is about us, and somebody will set it right. */
const REFUSED_FOR_GOOD: ReadonlySet<string | undefined> = new Set(['RCPT TO', 'DATA']);
const TRANSPORT_ID_LENGTH_MAX = 512;
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'smtp:': 587, 'smtps:': 465 };

interface SmtpError extends Error { readonly code?: string; readonly command?: string; readonly responseCode?: number }

/**
 * Mail over SMTP: `smtp://user:password@host:port`, or `smtps://` for TLS from the start. `from` is an address, or a name with an address in angle brackets.
 * Throws at once where the URL is not one of SMTP.
 */
export const smtpTransport = (url: string, from: string): MailTransport => {
  const { protocol, hostname, port, username, password } = new URL(url);
  const defaultPort = DEFAULT_PORTS[protocol];
  if (defaultPort === undefined) throw new Error('a mail server is smtp:// or smtps://');
  const options: SMTPConnection.Options = {
    host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? defaultPort : Number(port), secure: protocol === 'smtps:',
    // A password is shown over TLS only, or to this machine.
    requireTLS: username !== '' && !LOOPBACK.test(hostname),
    connectionTimeout: CONNECT_TIMEOUT_MS, greetingTimeout: CONNECT_TIMEOUT_MS, socketTimeout: SILENCE_TIMEOUT_MS,
  };
  const credentials = username === '' ? undefined : { user: decodeURIComponent(username), pass: decodeURIComponent(password) };
  return {
    send: (mail) => inSpan('smtp send', { kind: SpanKind.CLIENT, attributes: { 'server.address': options.host!, 'server.port': options.port! } }, async () => {
      const composed = compose(mail, from);
      const { from: sender } = composed.getEnvelope();
      const content = await composed.build();
      const connection = new SMTPConnection(options);
      try {
        await open(connection, credentials);
        return await deliver(connection, { from: sender, to: mail.to }, content);
      } finally {
        connection.close();
      }
    }),
  };
};

/** The domain of the sender, for the right side of a `Message-ID`. */
const domainOf = (from: string): string => /@([A-Za-z0-9.-]+)/.exec(from)?.[1] ?? 'localhost';

const compose = (mail: Mail, from: string) => new MailComposer({
  from, to: { name: '', address: mail.to }, subject: oneLine(mail.subject), text: mail.text, html: mail.html, date: new Date(mail.sentAt),
  messageId: `<${mail.messageId}@${domainOf(from)}>`, headers: { 'Auto-Submitted': 'auto-generated' },
  attachments: mail.attachments.map(({ fileName, content, contentType }) => ({ filename: oneLine(fileName), content, contentType })),
  // Nothing in a mail of ours is a path or an address to fetch from.
  disableFileAccess: true, disableUrlAccess: true,
}).compile();

const open = (connection: SMTPConnection, credentials: { user: string; pass: string } | undefined): Promise<void> => new Promise((resolve, reject) => {
  // What fails here fails before the mail is handed over.
  const fail = (error: Error): void => reject(new MailNotSent(error.message, false));
  connection.on('error', fail);
  connection.connect((failure) => {
    if (failure) return fail(failure);
    if (credentials === undefined) return resolve();
    connection.login({ credentials, user: credentials.user } as SMTPConnection.AuthenticationType, (refused) => (refused ? fail(refused) : resolve()));
  });
});

const deliver = (connection: SMTPConnection, envelope: { from: string | false; to: string }, content: Buffer): Promise<{ transportId: string }> => new Promise((resolve, reject) => {
  let isHandedOver = false;
  // The first read comes when the server has said that it wants the mail; before that it cannot have it.
  const stream = Readable.from((function* () { isHandedOver = true; yield content; })());
  connection.removeAllListeners('error');
  const fail = (error: SmtpError): void => {
    const { responseCode, command } = error;
    if (isHandedOver && !responseCode) return reject(error);
    // What servers say repeats the address that they refuse, and reasons are kept in plain.
    reject(new MailNotSent(`the mail server refused at ${command ?? 'an unknown step'}: ${responseCode ?? error.code ?? 'no code'}`, (responseCode ?? 0) >= REFUSED_MIN && REFUSED_FOR_GOOD.has(command)));
  };
  connection.on('error', fail);
  connection.send(envelope as never, stream, (failure, info) => {
    if (failure) return fail(failure as SmtpError);
    connection.quit();
    resolve({ transportId: oneLine(info.response.replace(/\S+@\S+/g, '')).slice(0, TRANSPORT_ID_LENGTH_MAX) });
  });
});
