import { smtpTransport, type Mail } from '../index';
import { FROM, NotificationsBed } from '../notifications-bed.spec-kit';
import { MAIL_BYTES_MAX } from './mail-book';

const EVIL = `<script>alert('1')</script>"><img src=x onerror=alert(1)>`;
const mail: Mail = {
  messageId: 'msg_1', to: 'eve@example.com', subject: `Hello ${EVIL}`, text: `Text ${EVIL}`, html: `<p>Fine</p>${EVIL}`, sentAt: '2026-03-01T00:00:00Z',
  attachments: [{ fileName: `Rechnung "März"\r\nX-Evil: 1.pdf`, content: Buffer.from('%PDF'), contentType: 'application/pdf' }],
};
let bed: NotificationsBed;
beforeAll(async () => {
  bed = await NotificationsBed.make();
  await smtpTransport(bed.inbox.url, FROM).send(mail);
}, 60_000);
afterAll(() => bed.close(), 30_000);

const open = (url: string, host = 'localhost:8000') => bed.host.app.inject({ method: 'GET', url, headers: { host } });
const idOf = async (): Promise<string> => (await open('/mail.json')).json<{ data: { id: string }[] }>().data[0]!.id;

test('the page shows what came, and nothing in a mail becomes part of it', async () => {
  for (const page of [await open('/mail'), await open(`/mail/${await idOf()}`)]) {
    expect(page.statusCode).toBe(200);
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha256-[^']+'; base-uri 'none'/);
    expect(page.body).toContain('Hello &lt;script&gt;');
    expect(page.body).not.toMatch(/<script|<img/);
  }
  const { body } = await open(`/mail/${await idOf()}`);
  expect(body).toContain('<iframe title="The HTML of this mail" sandbox="" srcdoc="');
  expect(body).toContain('Text &lt;script&gt;');
});

test('an attachment is downloaded, never shown, under a name that is no header', async () => {
  const answer = await open(`/mail/${await idOf()}/attachments/0`);
  expect(answer.headers).toMatchObject({ 'content-type': 'application/octet-stream', 'x-content-type-options': 'nosniff' });
  expect(answer.headers['content-disposition']).toMatch(/^attachment; filename="Rechnung _M_rz_ X-Evil_ 1\.pdf"; filename\*=UTF-8''Rechnung%20%22M%C3%A4rz%22/);
  expect(answer.headers['x-evil']).toBeUndefined();
  expect(answer.body).toBe('%PDF');
});

test('programs read it as JSON', async () => {
  expect((await open('/mail.json')).json()).toMatchObject({ data: [{
    to: 'eve@example.com', from: 'billing@valueverse.example', subject: mail.subject, messageId: '<msg_1@valueverse.example>', text: expect.stringContaining('Text') as string, attachments: [{ bytes: 4 }],
  }] });
});

test('a name that is not of this machine is refused, and what is not there is not found', async () => {
  for (const host of ['mail.example.com', 'localhost.example.com', '127.0.0.1.example.com', '10.0.0.1:8000']) {
    expect((await open('/mail', host)).json()).toMatchObject({ status: 403, code: 'loopback_only' });
    expect((await open('/mail.json', host)).statusCode).toBe(403);
  }
  for (const host of ['127.0.0.1:8000', '[::1]:8000', 'localhost']) expect((await open('/mail', host)).statusCode).toBe(200);
  for (const path of ['/mail/999', '/mail/x', `/mail/${await idOf()}/attachments/9`]) expect((await open(path)).statusCode).toBe(404);
});

test('a mail that is too large is refused for good', async () => {
  const large = { ...mail, attachments: [{ fileName: 'large', content: Buffer.alloc(MAIL_BYTES_MAX), contentType: 'application/octet-stream' }] };
  await expect(smtpTransport(bed.inbox.url, FROM).send(large)).rejects.toMatchObject({ isFinal: true, message: 'the mail server refused at DATA: 552' });
}, 30_000);
