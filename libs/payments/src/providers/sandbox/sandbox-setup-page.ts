import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '@valueverse/kernel';
import type { Database } from '@valueverse/event-log';
import { SandboxBook } from './sandbox-book';
import { attachCard } from './sandbox-cards';
import type { CheckoutSession } from './sandbox-objects';
import { escaped, HEADERS, htmlOf } from './sandbox-page';
import { SANDBOX_TOKENS } from './sandbox-tokens';
import { announce } from './sandbox-webhooks';

/** Who has the id of a session is its customer: the page at which a card is entered. At the sandbox a card is a token. */
const PATH = /^\/setup\/(cs_[0-9a-f]{32})(?:\/(tok_\w+))?$/;

const pageOf = ({ id, status, success_url: back }: CheckoutSession): string => htmlOf('Your card', status === 'open'
  ? `<p>Which card is yours? We may charge it later.</p>${SANDBOX_TOKENS.map((token) => `<form method="post" action="/setup/${id}/${token}"><button>${token}</button></form>`).join('')}`
  : `<p>Thank you. Your card is saved.</p>${/^https?:\/\//.test(back) ? `<p><a href="${escaped(back)}">Back</a></p>` : ''}`);

export const setupPage = async (database: Database, clock: Clock, message: IncomingMessage, response: ServerResponse): Promise<void> => {
  const [, id, token] = PATH.exec(message.url ?? '') ?? [];
  const owner = id === undefined ? undefined : await database.transaction({ role: 'worker' }, async (tx) => (await tx.query<{ tenant: string }>('SELECT tenant FROM sandbox_objects WHERE id = $1', [id])).rows[0]?.tenant);
  const session = id === undefined || owner === undefined ? undefined : await database.transaction({ role: 'api', tenant: owner }, async (tx) => {
    const book = new SandboxBook(tx, owner, clock.now());
    const before = await book.get('checkout.session', id, true);
    if (before?.status !== 'open' || token === undefined || !SANDBOX_TOKENS.includes(token) || message.method !== 'POST') return before;
    const card = await attachCard(book, token, before.customer);
    const done: CheckoutSession = { ...before, status: 'complete', setup_intent: { id: book.id('seti'), object: 'setup_intent', status: 'succeeded', payment_method: card.id } };
    await book.put({ object: done, parent: before.customer });
    book.happened('checkout.session.completed', done);
    await announce(book, (await book.standing()).faults);
    return done;
  });
  if (session === undefined) { response.writeHead(404, HEADERS).end(htmlOf('Your card', '<p>There is no such page.</p>')); return; }
  response.writeHead(200, HEADERS).end(pageOf(session));
};
