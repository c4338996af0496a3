import { createServer, type AddressInfo, type Server } from 'node:net';
import { systemIds } from '@valueverse/platform';
import type { AccountOpened, CreditNoteIssued } from '@valueverse/contracts';
import { type DomainEvent, rebuildAndCompare } from '@valueverse/event-log';
import { eventually } from '@valueverse/testing';
import { notificationsShape, smtpTransport, startInbox } from '../index';
import { AT, FROM, NotificationsBed } from '../notifications-bed.spec-kit';
import { messageIdOf } from './writer';

const ACME = { name: 'Acme', email: 'billing@acme.example' };
let bed: NotificationsBed;
let closeMore: (() => Promise<void>)[] = [];
afterEach(async () => {
  await bed.close();
  for (const close of closeMore) await close();
  closeMore = [];
}, 30_000);

/** A mail server that breaks off as soon as it has the whole mail. */
const breakingServer = async (): Promise<{ port: number; mailsTaken: () => number }> => {
  let mailsTaken = 0;
  const server: Server = createServer((socket) => {
    let text = '';
    let isData = false;
    socket.on('error', () => undefined);
    socket.write('220 ready\r\n');
    socket.on('data', (chunk) => {
      text += chunk.toString();
      if (isData) {
        if (text.endsWith('\r\n.\r\n')) { mailsTaken += 1; socket.destroy(); }
        return;
      }
      for (const line of text.split('\r\n').slice(0, -1)) {
        isData = line === 'DATA';
        socket.write(isData ? '354 go on\r\n' : '250 ok\r\n');
      }
      text = '';
    });
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  closeMore.push(() => new Promise((resolve) => { server.close(() => resolve()); }));
  return { port: (server.address() as AddressInfo).port, mailsTaken: () => mailsTaken };
};

test('an invoice, its payment and a failure are each mailed once, however often they are told', async () => {
  bed = await NotificationsBed.make();
  const { tenant, key } = await bed.tenant();
  const accountId = await bed.account(tenant);
  const payment = { paymentId: systemIds.next('pay'), accountId, amount: '49.00', currency: 'USD' };
  const invoiceId = await bed.finalize(tenant, accountId, ACME, 2);
  const succeeded = { type: 'PaymentSucceeded', ...payment, invoiceId, attempt: 1, providerReference: 'ref', succeededAt: AT };
  const failed = { type: 'PaymentFailed', ...payment, paymentId: systemIds.next('pay'), invoiceId, declineCode: 'insufficient_funds', failedAt: AT };
  for (const event of [succeeded, succeeded, failed]) await bed.say('payments', tenant, `payment-${event.paymentId}`, event);
  const messages = await bed.messages(key, accountId, 3);
  expect(messages.map(({ template, status, to }) => [template, status, to])).toEqual(expect.arrayContaining([
    ['invoice_finalized', 'sent', ACME.email], ['payment_succeeded', 'sent', ACME.email], ['payment_failed', 'sent', ACME.email]]));
  const mails = await bed.mails();
  expect(mails.map(({ subject }) => subject).sort()).toEqual(['Invoice INV-7 of USD 49.00', 'Payment for invoice INV-7 failed', 'Receipt for invoice INV-7: USD 49.00']);
  const mail = mails.find(({ subject }) => subject.startsWith('Invoice'))!;
  const message = messages.find(({ template }) => template === 'invoice_finalized')!;
  expect(mail).toMatchObject({ to: ACME.email, messageId: `<${String(message['id'])}@valueverse.example>`, attachments: [{ fileName: `${invoiceId}.pdf`, content: Buffer.from(`%PDF-1.7 ${invoiceId}`) }] });
  expect(mail.text).toContain('Hello Acme,');
  expect(mail.html).toContain('<p>Hello Acme,</p>');
  const { live, rebuilt } = await rebuildAndCompare(bed.notifications.log.store, 'notifications', notificationsShape.readModels[0]!);
  expect(rebuilt).toBe(live);
}, 60_000);

test('what is paid ahead is of no invoice: the account is told of it, once, and what comes after it on its partition is heard', async () => {
  bed = await NotificationsBed.make();
  const { tenant, key } = await bed.tenant();
  const accountId = await bed.account(tenant);
  await bed.say('billing', tenant, `account-${accountId}`, { type: 'AccountOpened', accountId, ...ACME, currency: 'USD', timezone: 'UTC', metadata: {}, openedAt: AT } as AccountOpened);
  const ahead = (nth: number) => ({ paymentId: systemIds.next('pay'), invoiceId: systemIds.next('crd'), accountId, amount: `${nth}0.00`, currency: 'USD' });
  const told = [
    { type: 'PaymentSucceeded', ...ahead(6), attempt: 1, providerReference: 'ref', succeededAt: AT }, { type: 'PaymentFailed', ...ahead(5), declineCode: 'insufficient_funds', failedAt: AT },
    { type: 'PaymentActionRequired', ...ahead(4), attempt: 1, providerReference: 'ref', url: 'https://bank.example/confirm', requiredAt: AT },
  ];
  for (const { amount, currency, ...event } of [...told, ...told]) await bed.say('payments', tenant, `payment-${event.paymentId}`, (event.type === 'PaymentActionRequired' ? event : { ...event, amount, currency }) as DomainEvent);
  await bed.messages(key, accountId, 3);
  expect((await bed.mails()).map(({ subject }) => subject).sort()).toEqual(['Payment for your credit failed', 'Please confirm your payment for your credit', 'Receipt for your credit: USD 60.00']);
}, 60_000);

test('an invoice and its credit note are mailed in the language of the invoice, each with its PDF; the note to whom it is made out', async () => {
  bed = await NotificationsBed.make();
  const { tenant, key } = await bed.tenant();
  const accountId = await bed.account(tenant);
  const creditNoteId = systemIds.next('cn');
  // Late on the 14th in UTC it is the 15th in Berlin.
  const invoiceId = await bed.finalize(tenant, accountId, ACME, 1, undefined, { document: { language: 'de', pageSize: 'A4' }, zone: 'Europe/Berlin', dueAt: '2026-03-14T23:30:00Z', creditApplied: '9.00', amountDue: '40.00' });
  const note: CreditNoteIssued = {
    type: 'CreditNoteIssued', creditNoteId, number: 'CN-3', invoiceId, accountId, currency: 'USD', lines: [], netTotal: '30.00', taxTotal: '0.00', total: '30.00', applied: '10.00', toBalance: '20.00', toRefund: '0.00', settlement: 'balance', reason: 'late',
    issuedAt: AT, billTo: { name: 'Acme', email: 'new@acme.example' },
  };
  for (let nth = 0; nth < 2; nth++) await bed.say('billing', tenant, `credit-note-${creditNoteId}`, note);
  const messages = await bed.messages(key, accountId, 2);
  expect(messages.map(({ template, to, creditNoteId: about }) => [template, to, about])).toEqual(expect.arrayContaining([['invoice_finalized', ACME.email, undefined], ['credit_note_issued', 'new@acme.example', creditNoteId]]));
  const mails = await bed.mails();
  expect(mails.map(({ subject, attachments }) => [subject, ...attachments.map(({ fileName }) => fileName)]).sort()).toEqual([['Rechnung INV-7 über 49,00 USD', `${invoiceId}.pdf`], ['Rechnungskorrektur CN-3 über 30,00 USD', `${creditNoteId}.pdf`]]);
  expect(mails.find(({ subject }) => subject.startsWith('Rechnung '))!.text).toContain('40,00 USD ist am 15.03.2026 fällig.');
}, 60_000);

test('customers are told to confirm at their bank, of a card that ends, and of another try: once each, in the language of their documents, and nobody who was erased', async () => {
  bed = await NotificationsBed.make();
  const { tenant, key } = await bed.tenant();
  const [accountId, erased] = [await bed.opened(tenant, { timezone: 'Europe/Berlin' }), await bed.opened(tenant)];
  const invoiceId = await bed.finalize(tenant, accountId, ACME, 1, undefined, { document: { language: 'de', pageSize: 'A4' } });
  const [payment, card] = [{ paymentId: systemIds.next('pay'), invoiceId, accountId }, { methodId: systemIds.next('pm'), accountId, brand: 'visa', last4: '4242', expires: '2026-03', toldAt: AT }];
  const action = { ...payment, type: 'PaymentActionRequired', attempt: 1, providerReference: 'ref', url: 'https://bank.example/confirm?order=1', requiredAt: AT };
  // Late on the 4th in UTC it is the 5th in Berlin.
  const retry = { ...payment, type: 'PaymentRetryScheduled', attempt: 2, retryAt: '2026-03-04T23:30:00Z', methodId: card.methodId, provider: 'sandbox', declineClass: 'soft', declineCode: 'insufficient_funds', amount: '49.00', currency: 'USD', scheduledAt: AT };
  // Tried at once with another card, soon because a provider failed, said before anybody knew what it is about, and at no page.
  const silent = [{ ...retry, attempt: 3, retryAt: AT }, { ...retry, attempt: 4, declineClass: 'technical' }, { ...retry, attempt: 5, invoiceId: undefined, amount: undefined }, { ...action, attempt: 2, url: 'javascript:alert(1)' }];
  for (const event of [action, action, retry, retry, ...silent]) await bed.say('payments', tenant, `payment-${payment.paymentId}`, JSON.parse(JSON.stringify(event)) as never);
  for (let nth = 0; nth < 2; nth++) await bed.say('payments', tenant, `methods-${accountId}`, { ...card, type: 'PaymentMethodExpiryAnnounced' } as never);
  await bed.erase(tenant, erased);
  await eventually('the key to be erased', async () => (await bed.notifications.database.transaction({ role: 'worker' }, (tx) => tx.query(`SELECT FROM personal_keys WHERE key_id = $1 AND state = 'erased'`, [erased]))).rowCount || undefined);
  await bed.say('payments', tenant, `methods-${erased}`, { ...card, type: 'PaymentMethodExpiryAnnounced', methodId: systemIds.next('pm'), accountId: erased } as never);
  // What comes after them has been written to: then there is nothing more to come.
  await bed.say('payments', tenant, `payment-${payment.paymentId}`, { ...payment, type: 'PaymentFailed', amount: '49.00', currency: 'USD', declineCode: 'expired_card', failedAt: AT } as never);
  const messages = await bed.messages(key, accountId, 5);
  expect(messages.map(({ template, status }) => `${String(template)} ${String(status)}`).sort()).toEqual(['invoice_finalized sent', 'payment_action_required sent', 'payment_failed sent', 'payment_method_expiring sent', 'payment_retrying sent']);
  const mails = await bed.mails();
  const textOf = (subject: string): string => mails.find((mail) => mail.subject === subject)!.text;
  expect(textOf('Bitte bestätigen Sie Ihre Zahlung zur Rechnung INV-7')).toContain('https://bank.example/confirm?order=1');
  expect(textOf('Zahlung zur Rechnung INV-7 fehlgeschlagen, wir versuchen es erneut')).toContain('am 05.03.2026 erneut');
  expect(textOf('Ihre Karte visa mit den Endziffern 4242 läuft bald ab')).toContain('bis Ende 03/2026');
  expect(mails).toHaveLength(5);
  expect((await bed.get(key, `/api/v1/notifications/messages?accountId=${erased}`)).body.data).toEqual([]);
  const { rows } = await bed.notifications.database.transaction({ role: 'worker' }, (tx) => tx.query('SELECT * FROM account_contacts'));
  expect(rows).toHaveLength(2);
  expect(JSON.stringify(rows)).not.toMatch(/acme/i);
}, 60_000);

test('mail about an account goes to whom it names now, in the language that it names itself', async () => {
  bed = await NotificationsBed.make();
  const { tenant, key } = await bed.tenant();
  const accountId = await bed.opened(tenant, { language: 'de' });
  await bed.finalize(tenant, accountId, ACME);
  await bed.say('billing', tenant, `account-${accountId}`, { type: 'AccountChanged', accountId, name: 'New Acme', email: 'new@acme.example', timezone: 'Asia/Tokyo', metadata: {}, language: 'de', changedAt: AT } as never);
  await eventually('the change to have come', async () => (await bed.notifications.database.transaction({ role: 'worker' }, (tx) => tx.query(`SELECT FROM account_contacts WHERE account_id = $1 AND timezone = 'Asia/Tokyo'`, [accountId]))).rowCount || undefined);
  await bed.say('payments', tenant, `methods-${accountId}`, { type: 'PaymentMethodExpiryAnnounced', methodId: 'pm_1', accountId, expires: '2026-03', toldAt: AT } as never);
  expect((await bed.messages(key, accountId, 2)).find(({ template }) => template === 'payment_method_expiring')).toMatchObject({ to: 'new@acme.example', subject: 'Ihre Karte läuft bald ab' });
}, 60_000);

test('who left no address gets no mail; one that is none is not sent to; no header can be made of a name', async () => {
  bed = await NotificationsBed.make();
  const { tenant, key } = await bed.tenant();
  const accountId = await bed.account(tenant);
  await bed.finalize(tenant, accountId, { name: 'Silent' });
  await bed.finalize(tenant, accountId, { name: 'Eve', email: 'eve@example.com\r\nBcc: all@example.com' });
  await bed.finalize(tenant, accountId, { name: 'Eve\r\nBcc: all@example.com', email: 'eve@example.com' });
  const messages = await bed.messages(key, accountId, 2);
  expect(messages.find(({ status }) => status === 'failed')).toMatchObject({ reason: 'invalid_address' });
  expect(await bed.notifications.metrics.text()).toContain('valueverse_notifications_mails_total{outcome="failed"} 1');
  expect(await bed.mails()).toMatchObject([{ to: 'eve@example.com' }]);
}, 60_000);

test('a payment that is heard of before its invoice waits for it', async () => {
  bed = await NotificationsBed.make();
  const { tenant, key } = await bed.tenant();
  const accountId = await bed.account(tenant);
  const [invoiceId, paymentId] = [systemIds.next('inv'), systemIds.next('pay')];
  const succeeded = { type: 'PaymentSucceeded', paymentId, invoiceId, accountId, amount: '49.00', currency: 'USD', attempt: 1, providerReference: 'ref', succeededAt: AT };
  await bed.say('payments', tenant, `payment-${paymentId}`, succeeded);
  await eventually('payments to be assigned', () => bed.notifications.reads.isAssigned || undefined);
  await bed.finalize(tenant, accountId, ACME, 1, invoiceId);
  expect((await bed.messages(key, accountId, 2)).map(({ status }) => status)).toEqual(['sent', 'sent']);
}, 60_000);

test('a server that is down is tried until it is up', async () => {
  const closed = createServer();
  await new Promise<void>((resolve) => { closed.listen(0, '127.0.0.1', resolve); });
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => { closed.close(resolve); });
  bed = await NotificationsBed.make(() => smtpTransport(`smtp://127.0.0.1:${port}`, FROM));
  const { tenant, key } = await bed.tenant();
  const accountId = await bed.account(tenant);
  await bed.finalize(tenant, accountId, ACME);
  await eventually('a job that failed', async (saw) => {
    const { rows } = await bed.notifications.database.transaction({ role: 'worker' }, (tx) => tx.query<{ waits_for: string | null }>(`SELECT waits_for FROM jobs WHERE kind = 'notifications.send'`));
    saw(rows);
    return rows[0]?.waits_for?.includes('ECONNREFUSED') ? true : undefined;
  });
  const later = await startInbox({ database: bed.notifications.database, port });
  closeMore.push(() => later.stop());
  expect(await bed.messages(key, accountId, 1)).toMatchObject([{ status: 'sent' }]);
  expect(await bed.mails()).toHaveLength(1);
}, 60_000);

test('a mail whose answer was lost is not sent again', async () => {
  const server = await breakingServer();
  bed = await NotificationsBed.make(() => smtpTransport(`smtp://127.0.0.1:${server.port}`, FROM));
  const { tenant, key } = await bed.tenant();
  const accountId = await bed.account(tenant);
  await bed.finalize(tenant, accountId, ACME);
  expect(await bed.messages(key, accountId, 1)).toMatchObject([{ status: 'failed', reason: 'answer_lost' }]);
  expect(server.mailsTaken()).toBe(1);
}, 60_000);

test('a run that finds the mark of one that ended in the middle sends nothing', async () => {
  bed = await NotificationsBed.make();
  const { tenant, key } = await bed.tenant();
  const accountId = await bed.account(tenant);
  const invoiceId = systemIds.next('inv');
  await bed.notifications.database.transaction({ role: 'worker' }, (tx) =>
    tx.query('INSERT INTO mails_under_way (tenant, message_id) VALUES ($1, $2)', [tenant, messageIdOf(tenant, 'invoice_finalized', invoiceId)]));
  await bed.finalize(tenant, accountId, ACME, 1, invoiceId);
  expect(await bed.messages(key, accountId, 1)).toMatchObject([{ status: 'failed', reason: 'answer_lost' }]);
  const taken = systemIds.next('inv');
  await bed.notifications.database.transaction({ role: 'worker' }, (tx) =>
    tx.query('INSERT INTO mails_under_way (tenant, message_id, transport_id) VALUES ($1, $2, $3)', [tenant, messageIdOf(tenant, 'invoice_finalized', taken), '250 ok']));
  await bed.finalize(tenant, accountId, ACME, 1, taken);
  expect((await bed.messages(key, accountId, 2)).map(({ status }) => status).sort()).toEqual(['failed', 'sent']);
  expect(await bed.mails()).toEqual([]);
}, 60_000);

test('nothing personal lies in a table in plain, another tenant sees nothing, and an erased customer is erased here', async () => {
  bed = await NotificationsBed.make();
  const { tenant, key } = await bed.tenant();
  const other = await bed.tenant();
  const accountId = await bed.account(tenant);
  const invoiceId = await bed.finalize(tenant, accountId, ACME);
  const [message] = await bed.messages(key, accountId, 1);
  const own = `/api/v1/notifications/messages/${String(message!['id'])}`;
  expect((await bed.get(key, own)).body).toEqual(message);
  expect(message).toMatchObject({ to: ACME.email, subject: 'Invoice INV-7 of USD 49.00', invoiceId, sentAt: expect.any(String) as string });
  expect(await bed.get(other.key, own)).toMatchObject({ status: 404, body: { code: 'message_not_found' } });
  expect((await bed.get(other.key, '/api/v1/notifications/messages')).body.data).toEqual([]);
  const kept = await bed.notifications.database.transaction({ role: 'worker' }, async (tx) => JSON.stringify([
    (await tx.query('SELECT * FROM messages')).rows, (await tx.query('SELECT * FROM invoice_contacts')).rows, (await tx.query('SELECT body FROM events')).rows,
    (await tx.query('SELECT id, kind, payload FROM jobs')).rows]));
  expect(kept).not.toMatch(/acme/i);
  await bed.erase(tenant, accountId);
  await eventually('the words to be erased', async () => (await bed.get(key, own)).body['to'] === '[erased]' || undefined);
  await bed.say('payments', tenant, 'payment-late', {
    type: 'PaymentSucceeded', paymentId: 'pay_late', invoiceId, accountId, amount: '49.00', currency: 'USD', attempt: 1, providerReference: 'ref', succeededAt: AT,
  } as never);
  const next = await bed.account(tenant);
  await bed.finalize(tenant, next, { name: 'Next', email: 'next@example.com' });
  await bed.messages(key, next, 1);
  expect((await bed.get(key, `/api/v1/notifications/messages?accountId=${accountId}`)).body.data).toHaveLength(1);
}, 60_000);
