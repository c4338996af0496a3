import type { SandboxBook } from './sandbox-book';
import { type Fields, textOf, textsOf } from './sandbox-form';
import { type Card, type Charge, type CheckoutSession, type Customer, type Intent, invalid, type Kind, missing, type OfKind, type PortalSession, type SandboxObject, WireError } from './sandbox-objects';
import type { SandboxMoney } from './sandbox-money';
import { attachCard, detachCard, newCard } from './sandbox-cards';
import { type Behaviour, behaviourOf, isCard } from './sandbox-tokens';
import type { ArmedFault, Operation } from './sandbox-faults';

/** One request as its route sees it. */
export interface Asked {
  readonly book: SandboxBook;
  readonly money: SandboxMoney;
  readonly fields: Fields;
  readonly id: string;
  readonly key: string | undefined;
  readonly url: string;
  readonly faults: readonly ArmedFault[];
}
export interface Route { readonly method: 'GET' | 'POST'; readonly path: RegExp; readonly operation: Operation; readonly run: (asked: Asked) => Promise<unknown> }

const LIMIT_DEFAULT = 10;
const LIMIT_MAX = 100;
const AMOUNT_MAX = 99_999_999_999;
const DAYS_DEFAULT = 3;
const PAYOUT_LINES_MAX = 100_000;

const known = async <K extends Kind>({ book, id }: Pick<Asked, 'book' | 'id'>, kind: K): Promise<OfKind<K>> => {
  const found = await book.get(kind, id);
  if (found === undefined) throw missing(kind, 'id');
  return found;
};
const chargeOf = async ({ book, id }: Asked): Promise<Charge> => {
  const { latest_charge: latest } = await known({ book, id }, 'payment_intent');
  const found = latest === null ? undefined : await book.get('charge', latest, true);
  if (found === undefined) throw missing('charge', 'id');
  return found;
};
const list = async <K extends Kind>({ book, fields }: Asked, kind: K, parent?: string): Promise<unknown> => {
  const limit = Math.min(Number(textOf(fields, 'limit') ?? LIMIT_DEFAULT), LIMIT_MAX);
  const created = textsOf(fields, 'created');
  const data = await book.list(kind, {
    parent, limit: limit + 1, after: textOf(fields, 'starting_after'), since: created['gte'] === undefined ? undefined : Number(created['gte']), until: created['lt'] === undefined ? undefined : Number(created['lt']),
  });
  return { object: 'list', url: `/v1/${kind}s`, has_more: data.length > limit, data: data.slice(0, limit) };
};
const amountOf = (fields: Fields, name: string): number => {
  const amount = Number(textOf(fields, name));
  if (!Number.isSafeInteger(amount) || amount <= 0 || amount > AMOUNT_MAX) throw invalid('Invalid positive integer', name, 'parameter_invalid_integer');
  return amount;
};
const behaviourFor = (token: string, faults: readonly ArmedFault[]): Behaviour => {
  const own = behaviourOf(token);
  if (own === undefined) throw new WireError(400, { type: 'invalid_request_error', code: 'resource_missing', message: `No such PaymentMethod: '${token}'`, param: 'payment_method' });
  return faults.reduce<Behaviour>((before, { fault, code, days }) => {
    if (fault === 'decline') return { ...before, decline: code ?? 'insufficient_funds' };
    if (fault === 'processing') return { ...before, settlesAfterDays: days ?? DAYS_DEFAULT };
    if (fault === 'requires_action') return { ...before, needsAction: true };
    return fault === 'dispute' ? { ...before, disputedAfterDays: days ?? 1 } : before;
  }, own);
};
/** With its charge and the line of the balance inside, where that was asked for. */
const expanded = async (book: SandboxBook, intent: Intent, fields: Fields): Promise<unknown> => {
  const wanted = Object.values(textsOf(fields, 'expand'));
  if (intent.latest_charge === null || !wanted.some((one) => one.startsWith('latest_charge'))) return intent;
  const charge = (await book.get('charge', intent.latest_charge)) as Charge;
  return { ...intent, latest_charge: wanted.includes('latest_charge.balance_transaction') ? { ...charge, balance_transaction: await book.get('balance_transaction', charge.balance_transaction) } : charge };
};

const charge = async ({ book, money, fields, key, url, faults }: Asked): Promise<unknown> => {
  const token = textOf(fields, 'payment_method');
  if (token === undefined) throw invalid('Missing required param: payment_method.', 'payment_method', 'parameter_missing');
  const currency = textOf(fields, 'currency');
  if (currency === undefined || !/^[a-z]{3}$/.test(currency)) throw invalid('Invalid currency', 'currency');
  const customer = textOf(fields, 'customer') ?? null;
  const known = await book.some(customer === null ? [token] : [customer, token]);
  if (customer !== null && known.get(customer)?.object !== 'customer') throw missing('customer', 'customer');
  if (isCard(token) && (known.get(token) as Card | undefined)?.customer !== customer) throw invalid('The provided PaymentMethod does not belong to the customer, or was detached from it.', 'payment_method');
  const intent = await money.charge({
    amount: amountOf(fields, 'amount'), currency, customer, token, description: textOf(fields, 'description') ?? null, metadata: textsOf(fields, 'metadata'), key,
    offSession: textOf(fields, 'off_session') === 'true', returnUrl: textOf(fields, 'return_url') ?? null, actionUrl: (id) => `${url}/pay/${id}`,
  }, behaviourFor(token, faults));
  return intent instanceof WireError ? intent : expanded(book, intent, fields);
};
const confirm = async ({ money, fields, id, url }: Asked): Promise<unknown> => {
  const token = textOf(fields, 'payment_method') ?? '';
  behaviourFor(token, []);
  return money.confirm(id, token, { returnUrl: textOf(fields, 'return_url') ?? null, actionUrl: (one) => `${url}/pay/${one}` });
};
const customer = async ({ book, fields, key }: Asked): Promise<Customer> => {
  const made: Customer = { id: book.id('cus'), object: 'customer', created: book.seconds, livemode: false, metadata: textsOf(fields, 'metadata'), invoice_settings: { default_payment_method: null } };
  await book.put({ object: made, key });
  return made;
};
/** A card, or what one that is made of a token would be. */
const method = async ({ id, book }: Pick<Asked, 'id' | 'book'>): Promise<Card> => {
  const found = await book.get('payment_method', id) ?? (isCard(id) ? undefined : newCard(book, id, null));
  if (found === undefined) throw missing('PaymentMethod', 'payment_method');
  return { ...found, id };
};
/** A bank sends a new card in the place of an old one, and providers are told. */
const replaceCard = async (asked: Asked): Promise<Card> => {
  const before = await method(asked);
  const { last4, expires } = asked.fields as { last4?: string; expires?: string };
  const [year, month] = (expires ?? '').split('-').map(Number);
  const replaced: Card = { ...before, card: { ...before.card, last4: last4 ?? before.card.last4, ...(year === undefined || month === undefined ? {} : { exp_year: year, exp_month: month }) } };
  await asked.book.put({ object: replaced });
  asked.book.happened('payment_method.automatically_updated', replaced);
  return replaced;
};
const checkout = async ({ book, fields, url, key }: Asked): Promise<CheckoutSession> => {
  const customerId = textOf(fields, 'customer') ?? '';
  if (textOf(fields, 'mode') !== 'setup') throw invalid('The sandbox has pages for cards only', 'mode');
  if (await book.get('customer', customerId) === undefined) throw missing('customer', 'customer');
  const id = book.id('cs');
  const session: CheckoutSession = { id, object: 'checkout.session', created: book.seconds, livemode: false, mode: 'setup', status: 'open', url: `${url}/setup/${id}`, customer: customerId, success_url: textOf(fields, 'success_url') ?? '', metadata: textsOf(fields, 'metadata'), setup_intent: null };
  await book.put({ object: session, parent: customerId, key });
  return session;
};
const portal = async ({ book, fields, url }: Asked): Promise<PortalSession> => {
  const customerId = textOf(fields, 'customer') ?? '';
  if (await book.get('customer', customerId) === undefined) throw missing('customer', 'customer');
  const id = book.id('bps');
  const session: PortalSession = { id, object: 'billing_portal.session', created: book.seconds, livemode: false, customer: customerId, return_url: textOf(fields, 'return_url') ?? '', url: `${url}/portal/${id}` };
  await book.put({ object: session, parent: customerId });
  return session;
};
const readCheckout = async (asked: Asked): Promise<unknown> => {
  const session = await known(asked, 'checkout.session');
  if (session.setup_intent === null) return session;
  return { ...session, setup_intent: { ...session.setup_intent, payment_method: await method({ ...asked, id: session.setup_intent.payment_method }) } };
};
const refund = async ({ money, fields, key, faults }: Asked): Promise<unknown> => {
  const failsLater = faults.find(({ fault }) => fault === 'refund_fails_later');
  return money.refund(textOf(fields, 'payment_intent') ?? '', fields['amount'] === undefined ? undefined : amountOf(fields, 'amount'), {
    reason: textOf(fields, 'reason') ?? null, metadata: textsOf(fields, 'metadata'), key, failsLater: failsLater === undefined ? undefined : failsLater.days ?? DAYS_DEFAULT,
  });
};

/** The lines that a payout is made of: what came on the balance of its currency since the payout before it. */
const linesOfPayout = async ({ book }: Asked, id: string): Promise<unknown> => {
  const all = await book.list('balance_transaction', { limit: PAYOUT_LINES_MAX });
  const own = all.findIndex(({ source }) => source === id);
  if (own === -1) throw missing('payout', 'payout');
  const older = all.slice(own + 1).filter(({ currency }) => currency === all[own]!.currency);
  const before = older.findIndex(({ type }) => type === 'payout');
  return { object: 'list', url: '/v1/balance_transactions', has_more: false, data: [all[own]!, ...(before === -1 ? older : older.slice(0, before))] };
};
/** With their payments inside, where that was asked for. */
const ofPayments = async (asked: Asked, kind: 'refund' | 'dispute'): Promise<unknown> => {
  const page = await list(asked, kind, textOf(asked.fields, 'payment_intent')) as { data: OfKind<'refund' | 'dispute'>[] };
  if (!Object.values(textsOf(asked.fields, 'expand')).includes('data.payment_intent')) return page;
  const intents = await asked.book.some(page.data.map(({ payment_intent: id }) => id));
  return { ...page, data: page.data.map((one) => ({ ...one, payment_intent: intents.get(one.payment_intent) ?? one.payment_intent })) };
};
/** With what it names inside, where that was asked for; what is there of a line of the balance is the line, and not what was copied of it. */
const retrieved = async (asked: Asked, kind: 'refund' | 'dispute' | 'payout'): Promise<unknown> => {
  const found: Readonly<Record<string, unknown>> = { ...await known(asked, kind) };
  const wanted = Object.values(textsOf(asked.fields, 'expand')).filter((name) => typeof found[name] === 'string');
  const lines = (found['balance_transactions'] as readonly { readonly id: string }[] | undefined) ?? [];
  const inside = await asked.book.some([...wanted.map((name) => found[name] as string), ...lines.map(({ id }) => id)]);
  return { ...found, ...Object.fromEntries(wanted.map((name) => [name, inside.get(found[name] as string) ?? found[name]])), ...(lines.length === 0 ? {} : { balance_transactions: lines.map((line) => inside.get(line.id) ?? line) }) };
};
/** Whoever works there gives money back at the provider's own pages: under no key of ours. */
const refundByHand = ({ money, fields, id }: Asked): Promise<unknown> =>
  money.refund(id, fields['amount'] === undefined ? undefined : amountOf(fields, 'amount'), { reason: 'requested_by_customer', metadata: {}, key: undefined, failsLater: fields['days'] === undefined ? undefined : Number(fields['days']) });
/** Lines of the balance with what they are of inside, where that was asked for. */
const balance = async (asked: Asked): Promise<unknown> => {
  const payout = textOf(asked.fields, 'payout');
  const page = await (payout === undefined ? list(asked, 'balance_transaction') : linesOfPayout(asked, payout)) as { data: OfKind<'balance_transaction'>[] };
  if (!Object.values(textsOf(asked.fields, 'expand')).includes('data.source')) return page;
  const sources = await asked.book.some(page.data.map(({ source }) => source));
  return { ...page, data: page.data.map((entry) => ({ ...entry, source: sources.get(entry.source) ?? entry.source })) };
};

/** The part of Stripe's interface that the sandbox speaks. */
export const ROUTES: readonly Route[] = [
  { method: 'POST', path: /^\/v1\/customers$/, operation: 'any', run: customer },
  { method: 'GET', path: /^\/v1\/customers\/(\w+)$/, operation: 'read', run: (asked) => known(asked, 'customer') },
  { method: 'POST', path: /^\/v1\/payment_methods\/(\w+)\/attach$/, operation: 'any', run: ({ book, id, fields, key }) => attachCard(book, id, textOf(fields, 'customer') ?? '', key) },
  { method: 'POST', path: /^\/v1\/payment_methods\/(\w+)\/detach$/, operation: 'any', run: ({ book, id }) => detachCard(book, id) },
  { method: 'GET', path: /^\/v1\/payment_methods\/(\w+)$/, operation: 'read', run: (asked) => method(asked) },
  { method: 'POST', path: /^\/v1\/payment_intents$/, operation: 'charge', run: charge },
  { method: 'GET', path: /^\/v1\/payment_intents$/, operation: 'read', run: (asked) => list(asked, 'payment_intent', textOf(asked.fields, 'customer')) },
  { method: 'GET', path: /^\/v1\/payment_intents\/(\w+)$/, operation: 'read', run: async (asked) => expanded(asked.book, await known(asked, 'payment_intent'), asked.fields) },
  { method: 'POST', path: /^\/v1\/payment_intents\/(\w+)\/confirm$/, operation: 'charge', run: confirm },
  { method: 'POST', path: /^\/v1\/payment_intents\/(\w+)\/cancel$/, operation: 'any', run: ({ money, id }) => money.complete(id, 'cancel') },
  { method: 'POST', path: /^\/v1\/checkout\/sessions$/, operation: 'any', run: checkout },
  { method: 'GET', path: /^\/v1\/checkout\/sessions\/(\w+)$/, operation: 'read', run: readCheckout },
  { method: 'POST', path: /^\/v1\/billing_portal\/sessions$/, operation: 'any', run: portal },
  { method: 'POST', path: /^\/v1\/refunds$/, operation: 'refund', run: refund },
  { method: 'GET', path: /^\/v1\/refunds$/, operation: 'read', run: (asked) => ofPayments(asked, 'refund') },
  { method: 'GET', path: /^\/v1\/refunds\/(\w+)$/, operation: 'read', run: (asked) => retrieved(asked, 'refund') },
  { method: 'GET', path: /^\/v1\/disputes$/, operation: 'read', run: (asked) => ofPayments(asked, 'dispute') },
  { method: 'GET', path: /^\/v1\/disputes\/(\w+)$/, operation: 'read', run: (asked) => retrieved(asked, 'dispute') },
  { method: 'GET', path: /^\/v1\/balance_transactions$/, operation: 'read', run: balance },
  { method: 'GET', path: /^\/v1\/payouts$/, operation: 'read', run: (asked) => list(asked, 'payout') },
  { method: 'GET', path: /^\/v1\/payouts\/(\w+)$/, operation: 'read', run: (asked) => retrieved(asked, 'payout') },
  {
    method: 'POST', path: /^\/v1\/webhook_endpoints$/, operation: 'any', run: async ({ book, fields }) => {
      const [id, secret] = [book.id('we'), book.id('whsec')];
      await book.register({ id, url: textOf(fields, 'url') ?? '', secrets: [secret] });
      return { id, object: 'webhook_endpoint', url: textOf(fields, 'url'), secret, enabled_events: ['*'], status: 'enabled', livemode: false, created: book.seconds, api_version: null, metadata: {} };
    },
  },
];
/** What only a sandbox has: faults, and what customers and banks do by themselves. */
export const CONTROLS: readonly Route[] = [
  { method: 'POST', path: /^\/sandbox\/faults$/, operation: 'any', run: async ({ book, fields }) => { const fault = { ...fields, id: book.id('flt') } as unknown as ArmedFault; await book.arm(fault); return fault; } },
  { method: 'POST', path: /^\/sandbox\/faults\/none$/, operation: 'any', run: async ({ book }) => { await book.disarm(); return {}; } },
  { method: 'POST', path: /^\/sandbox\/endpoints$/, operation: 'any', run: async ({ book, fields }) => {
    const { url, secrets } = fields as unknown as { url: string; secrets: string[] };
    await book.register({ id: book.id('we'), url, secrets });
    return {};
  } },
  { method: 'POST', path: /^\/sandbox\/intents\/(\w+)\/(?:complete)$/, operation: 'any', run: ({ money, id }) => money.complete(id, 'complete') },
  { method: 'POST', path: /^\/sandbox\/intents\/(\w+)\/(?:fail)$/, operation: 'any', run: ({ money, id }) => money.complete(id, 'fail') },
  { method: 'POST', path: /^\/sandbox\/intents\/(\w+)\/(?:dispute)$/, operation: 'any', run: async (asked) => { await asked.money.openDispute(await chargeOf(asked)); return {}; } },
  { method: 'POST', path: /^\/sandbox\/intents\/(\w+)\/(?:inquire)$/, operation: 'any', run: async (asked) => { await asked.money.inquire(await chargeOf(asked)); return {}; } },
  { method: 'POST', path: /^\/sandbox\/intents\/(\w+)\/(?:win_dispute)$/, operation: 'any', run: async (asked) => asked.money.decideDispute(await chargeOf(asked), 'won') },
  { method: 'POST', path: /^\/sandbox\/intents\/(\w+)\/(?:lose_dispute)$/, operation: 'any', run: async (asked) => asked.money.decideDispute(await chargeOf(asked), 'lost') },
  { method: 'POST', path: /^\/sandbox\/intents\/(\w+)\/(?:refund)$/, operation: 'any', run: refundByHand },
  { method: 'POST', path: /^\/sandbox\/refunds\/(\w+)\/(?:return)$/, operation: 'any', run: ({ money, id }) => money.returnRefund(id) },
  { method: 'POST', path: /^\/sandbox\/disputes\/(\w+)\/(?:won)$/, operation: 'any', run: ({ money, id }) => money.closeDispute(id, 'won') },
  { method: 'POST', path: /^\/sandbox\/disputes\/(\w+)\/(?:lost)$/, operation: 'any', run: ({ money, id }) => money.closeDispute(id, 'lost') },
  { method: 'POST', path: /^\/sandbox\/announce$/, operation: 'any', run: ({ book, fields }) => { book.happened(textOf(fields, 'type') ?? '', JSON.parse(textOf(fields, 'object') ?? '{}') as SandboxObject); return Promise.resolve({}); } },
  { method: 'POST', path: /^\/sandbox\/cards\/(\w+)$/, operation: 'any', run: replaceCard },
  { method: 'POST', path: /^\/sandbox\/payouts$/, operation: 'any', run: async ({ money, fields }) => { await money.payOut(textOf(fields, 'currency') ?? 'usd', fields['amount'] === undefined ? undefined : Number(fields['amount'])); return {}; } },
];
