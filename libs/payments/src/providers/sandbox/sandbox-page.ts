import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Clock, Money } from '@valueverse/kernel';
import type { Database } from '@valueverse/event-log';
import { SandboxBook } from './sandbox-book';
import { SandboxMoney } from './sandbox-money';
import type { Intent } from './sandbox-objects';
import { announce } from './sandbox-webhooks';

/** Who has the id of an intent is its customer: the page at which a bank would ask for a confirmation. */
const PATH = /^\/pay\/(pi_[0-9a-f]{32})(?:\/(complete|fail))?$/;
export const HEADERS = { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', 'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'" };

const amountOf = ({ amount, currency }: Intent): string => `${Money.of(BigInt(amount), currency.toUpperCase()).toString()} ${currency.toUpperCase()}`;
const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
export const escaped = (text: string): string => text.replaceAll(/[&<>"]/g, (one) => ESCAPES[one]!);
const STYLE = 'body{font:1.1rem/1.5 sans-serif;margin:0 auto;max-width:32rem;padding:1.5rem;color:#111;background:#fff}button{font:inherit;margin:0 0 .6rem;padding:.6rem 1rem}';
export const htmlOf = (title: string, main: string): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title><meta name="viewport" content="width=device-width, initial-scale=1"><style>${STYLE}</style></head>\n<body><main><h1>${title}</h1>${main}</main></body></html>`;
const pageOf = (id: string, says: string, open: boolean, back?: string): string => htmlOf('Your bank asks', `<p>${says}</p>${open ? `<form method="post" action="/pay/${id}/complete"><button>Confirm the payment</button></form><form method="post" action="/pay/${id}/fail"><button>Refuse it</button></form>` : back === undefined ? '' : `<p><a href="${escaped(back)}">Back to your invoice</a></p>`}`);

export const payPage = async (database: Database, clock: Clock, message: IncomingMessage, response: ServerResponse): Promise<void> => {
  const [, id, act] = PATH.exec(message.url ?? '') ?? [];
  const owner = id === undefined ? undefined : await database.transaction({ role: 'worker' }, async (tx) => (await tx.query<{ tenant: string }>('SELECT tenant FROM sandbox_objects WHERE id = $1', [id])).rows[0]?.tenant);
  if (id === undefined || owner === undefined) { response.writeHead(404, HEADERS).end(pageOf('', 'There is no such payment.', false)); return; }
  const { intent, back } = await database.transaction({ role: 'api', tenant: owner }, async (tx) => {
    const book = new SandboxBook(tx, owner, clock.now());
    const before = await book.get('payment_intent', id);
    const back = before?.next_action?.redirect_to_url.return_url ?? '';
    if (act === undefined || message.method !== 'POST') return { intent: before, back };
    const done = await new SandboxMoney(book).complete(id, act as 'complete' | 'fail');
    await announce(book);
    return { intent: done, back };
  });
  const isOpen = intent?.status === 'requires_action';
  response.writeHead(200, HEADERS).end(pageOf(id, isOpen ? `Do you confirm a payment of ${amountOf(intent)}?` : 'Thank you. This payment needs nothing more of you.', isOpen, /^https?:\/\//.test(back) ? back : undefined));
};
