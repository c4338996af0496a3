import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '@valueverse/kernel';
import type { Database } from '@valueverse/event-log';
import { SandboxBook } from './sandbox-book';
import { attachCard, chooseCard, detachCard } from './sandbox-cards';
import { type Card, type PortalSession, WireError } from './sandbox-objects';
import { escaped, HEADERS, htmlOf } from './sandbox-page';
import { SANDBOX_TOKENS, tokenOf } from './sandbox-tokens';
import { announce } from './sandbox-webhooks';

/** Who has the id of a session is its customer: the page at which cards are added, removed and chosen. */
const PATH = /^\/portal\/(bps_[0-9a-f]{32})(?:\/(add|remove|choose)\/(\w+))?$/;
const CARDS_MAX = 100;
interface Portal { readonly session: PortalSession; readonly cards: readonly Card[]; readonly chosen: string | null | undefined }

const button = (action: string, says: string): string => `<form method="post" action="${action}"><button>${says}</button></form>`;
const pageOf = ({ session: { id, return_url: back }, cards, chosen }: Portal): string => htmlOf('Your cards', [
  ...cards.map(({ id: card, card: { last4 } }) => `<p>${tokenOf(card)}, ends in ${escaped(last4)}${card === chosen ? ', is charged' : ''}</p>${button(`/portal/${id}/remove/${card}`, 'Remove')}${card === chosen ? '' : button(`/portal/${id}/choose/${card}`, 'Charge this one')}`),
  '<h2>Another card</h2>', ...SANDBOX_TOKENS.map((token) => button(`/portal/${id}/add/${token}`, token)), /^https?:\/\//.test(back) ? `<p><a href="${escaped(back)}">Back</a></p>` : '',
].join(''));

const act = async (book: SandboxBook, { customer }: PortalSession, how: string, name: string): Promise<void> => {
  if (how === 'add') await attachCard(book, name, customer);
  else if ((await book.get('payment_method', name))?.customer !== customer) return;
  else if (how === 'remove') await detachCard(book, name);
  else await chooseCard(book, customer, name);
};

export const portalPage = async (database: Database, clock: Clock, message: IncomingMessage, response: ServerResponse): Promise<void> => {
  const [, id, how, name] = PATH.exec(message.url ?? '') ?? [];
  const owner = id === undefined ? undefined : await database.transaction({ role: 'worker' }, async (tx) => (await tx.query<{ tenant: string }>('SELECT tenant FROM sandbox_objects WHERE id = $1', [id])).rows[0]?.tenant);
  const portal = id === undefined || owner === undefined ? undefined : await database.transaction({ role: 'api', tenant: owner }, async (tx): Promise<Portal | undefined> => {
    const book = new SandboxBook(tx, owner, clock.now());
    const session = await book.get('billing_portal.session', id);
    if (session === undefined) return undefined;
    if (how !== undefined && message.method === 'POST') await act(book, session, how, name!);
    await announce(book, (await book.standing()).faults);
    const cards = (await book.list('payment_method', { parent: session.customer, limit: CARDS_MAX })).filter(({ customer }) => customer === session.customer);
    return { session, cards, chosen: (await book.get('customer', session.customer))?.invoice_settings?.default_payment_method };
  }).catch((error: unknown) => {
    if (error instanceof WireError) return undefined;
    throw error;
  });
  if (portal === undefined) { response.writeHead(404, HEADERS).end(htmlOf('Your cards', '<p>There is no such page.</p>')); return; }
  response.writeHead(200, HEADERS).end(pageOf(portal));
};
