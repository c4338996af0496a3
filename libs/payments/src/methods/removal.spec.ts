import { eventually } from '@valueverse/testing';
import { type Answered, paymentsSpec } from '../payments-bed.spec-kit';

// A card that is removed is never charged again, and what waits goes to what is left.
const AT = '2026-03-01T00:00:00Z';
const day = (days: number, minutes = 0): string => new Date(Date.parse(AT) + days * 86_400_000 + minutes * 60_000).toISOString().replace('.000', '');
const TIMEOUT_MS = 60_000;
const spec = paymentsSpec({ each: true });

const attach = async (accountId: string, token: string, more: object = {}): Promise<string> => String((await spec.ask('POST', '/methods', { accountId, provider: 'sandbox', token, ...more })).body['id']);
const bill = ({ accountId, clockId }: { accountId: string; clockId: string }, total = '49.00'): Promise<string> => spec.bed.finalize(spec.acme.tenant, accountId, { total, at: AT, clockId });
const methods = async (accountId: string): Promise<Answered[]> => (await spec.ask('GET', `/methods?accountId=${accountId}`)).body['data'] as Answered[];
/** Which tokens took money, newest first. */
const takenBy = async (): Promise<string[]> => (await spec.taken()).map(({ payment_method: card }) => card.replace(/^pm_(\w+)_[0-9a-f]{32}$/, 'tok_$1'));
/** Whose customers' cards are at the sandbox; nobody's where one was let go. */
const ownersAtSandbox = async (): Promise<(string | null)[]> => {
  const { rows } = await spec.process.service.database.transaction({ role: 'worker' }, (tx) => tx.query<{ body: string }>(`SELECT body FROM sandbox_objects WHERE tenant = $1 AND kind = 'payment_method' ORDER BY nth`, [spec.acme.tenant]));
  return rows.map(({ body }) => (JSON.parse(body) as { customer: string | null }).customer);
};
const detached = (count: number) => eventually(`${count} cards to be let go at the provider`, async (saw) => {
  const owners = await ownersAtSandbox();
  saw(owners);
  return owners.filter((owner) => owner === null).length === count || undefined;
});
const waits = (invoiceId: string) => eventually('the next attempt to be scheduled', async (saw) => {
  const row = await spec.payment(invoiceId, 'pending', 'processing', 'failed');
  saw(row);
  return row.nextAttemptAt === null ? undefined : row;
});

test('a method is removed once, here and at the provider, also where the provider fails first; the oldest that is left is charged then', async () => {
  const { accountId } = await spec.customer(AT);
  const [first, second, third] = [await attach(accountId, 'tok_slow'), await attach(accountId, 'tok_ok'), await attach(accountId, 'tok_ok')];
  expect((await methods(accountId)).map(({ id, default: isDefault }) => [id, isDefault])).toEqual([[third, false], [second, false], [first, true]]);
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'fail_before', operation: 'any', times: 1 });
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'lose_reply', operation: 'any', times: 2 });
  for (let times = 0; times < 2; times++) expect((await spec.ask('DELETE', `/methods/${first}`)).status).toBe(204);
  expect((await methods(accountId)).map(({ id, default: isDefault }) => [id, isDefault])).toEqual([[third, false], [second, true]]);
  expect(await spec.ask('GET', `/methods/${first}`)).toMatchObject({ status: 404, body: { code: 'payment_method_not_found' } });
  expect(await spec.ask('PATCH', `/methods/${first}`, { default: true })).toMatchObject({ status: 404, body: { code: 'payment_method_not_found' } });
  await detached(1);
  expect((await spec.facts(`methods-${accountId}`)).slice(3)).toMatchObject([{ type: 'PaymentMethodRemoved', methodId: first, detached: false }, { type: 'PaymentMethodDefaultChosen', methodId: second, chosenBy: 'rule' }]);
  const stranger = await spec.bed.tenant(spec.process);
  for (const method of ['DELETE', 'PATCH'] as const) expect(await spec.ask(method, `/methods/${second}`, method === 'PATCH' ? { default: true } : undefined, { as: stranger })).toMatchObject({ status: 404, body: { code: 'payment_method_not_found' } });
  expect((await spec.ask('DELETE', '/methods/pm_none')).status).toBe(404);
}, TIMEOUT_MS);

test('the default is chosen by a patch; it is not taken away, and what waits for another card does not wait any more', async () => {
  const who = await spec.customer(AT);
  const [, second] = [await attach(who.accountId, 'tok_declined_insufficient_funds'), await attach(who.accountId, 'tok_ok')];
  const invoiceId = await bill(who);
  await waits(invoiceId);
  expect(await spec.ask('PATCH', `/methods/${second}`, { default: false })).toMatchObject({ status: 400, body: { code: 'default_not_taken_away', errors: [{ pointer: '/default' }] } });
  expect((await spec.ask('PATCH', `/methods/${second}`, {})).status).toBe(400);
  for (let times = 0; times < 2; times++) expect(await spec.ask('PATCH', `/methods/${second}`, { default: true })).toMatchObject({ status: 200, body: { id: second, default: true } });
  expect((await spec.payment(invoiceId, 'succeeded')).attempts).toMatchObject([{ status: 'declined' }, { status: 'succeeded', methodId: second }]);
  expect((await spec.facts(`methods-${who.accountId}`)).filter(({ type }) => type === 'PaymentMethodDefaultChosen')).toMatchObject([{ chosenBy: 'tenant' }]);
}, TIMEOUT_MS);

test('a token that the account has already is answered as it is; one that was removed has to be entered again', async () => {
  const { accountId } = await spec.customer(AT);
  const [first, second] = [await attach(accountId, 'tok_slow'), await attach(accountId, 'tok_ok')];
  const { rows: [card] } = await spec.process.service.database.transaction({ role: 'worker' }, (tx) => tx.query<{ token: string }>('SELECT token FROM payment_methods WHERE key = $1', [second]));
  expect(await attach(accountId, card!.token, { default: true })).toBe(second);
  expect((await methods(accountId)).map(({ id, default: isDefault }) => [id, isDefault])).toEqual([[second, true], [first, false]]);
  await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'rate_limit', operation: 'any' });
  await spec.ask('DELETE', `/methods/${second}`);
  await spec.bed.disarm(spec.process, spec.acme.tenant);
  const again = await spec.ask('POST', '/methods', { accountId, provider: 'sandbox', token: card!.token });
  expect([again.status, ['payment_method_removed', 'token_refused'].includes(String(again.body['code']))]).toEqual([again.body['code'] === 'token_refused' ? 400 : 409, true]);
  await detached(1);
  expect(await spec.ask('POST', '/methods', { accountId, provider: 'sandbox', token: card!.token })).toMatchObject({ status: 400, body: { code: 'token_refused' } });
  expect(await methods(accountId)).toHaveLength(1);
}, TIMEOUT_MS);

test('a retry that was scheduled for a card that is removed goes to what is left: at once to one that was not tried, on its day to one that was declined for a while; the removed card is not charged', async () => {
  const who = await spec.customer(AT);
  const first = await attach(who.accountId, 'tok_declined_insufficient_funds');
  const [tried, atOnce] = [await bill(who), await bill(who, '7.00')];
  await Promise.all([tried, atOnce].map(waits));
  const second = await attach(who.accountId, 'tok_ok_after_2', { default: true });
  for (const invoiceId of [tried, atOnce]) await eventually('the second card to be declined', async () => ((await spec.payment(invoiceId, 'pending', 'processing')).attempts.length === 2 ? await waits(invoiceId) : undefined));
  await spec.ask('DELETE', `/methods/${second}`);
  await spec.bed.step(spec.acme.tenant, who.clockId, day(1, 1));
  const row = await eventually('the first card to be tried again', async (saw) => {
    const found = await spec.payment(tried, 'pending', 'processing');
    saw(found);
    return found.attempts.length === 4 && found.nextAttemptAt !== null ? found : undefined;
  });
  expect(row.attempts).toMatchObject([{ methodId: first, declineClass: 'soft' }, { methodId: second, declineClass: 'soft' }, { methodId: second, declineCode: 'payment_method_removed', declineClass: 'hard' }, { methodId: first, declineClass: 'soft' }]);
  const third = await attach(who.accountId, 'tok_ok');
  expect((await methods(who.accountId)).find(({ id }) => id === third)!['default']).toBe(false);
  await spec.ask('DELETE', `/methods/${first}`);
  for (const invoiceId of [tried, atOnce]) expect((await spec.payment(invoiceId, 'succeeded')).attempts.at(-1)).toMatchObject({ methodId: third });
  expect(await takenBy()).toEqual(['tok_ok', 'tok_ok']);
  // The second card was asked once for each invoice, before it was removed.
  expect((await spec.bed.book(spec.process, spec.acme.tenant)).filter(({ payment_method: card }) => card.startsWith('pm_ok_after_2_'))).toHaveLength(2);
}, TIMEOUT_MS);

test('an attempt that is under way is not disturbed: the customer confirms it, and only then the card is let go', async () => {
  const who = await spec.customer(AT);
  const card = await attach(who.accountId, 'tok_requires_action');
  const invoiceId = await bill(who);
  const { id } = await spec.payment(invoiceId, 'requires_action');
  expect((await spec.ask('DELETE', `/methods/${card}`)).status).toBe(204);
  await spec.bed.step(spec.acme.tenant, who.clockId, day(0, 5));
  expect(await ownersAtSandbox()).toEqual([expect.stringMatching(/^cus_/)]);
  expect((await spec.ask('POST', `/sandbox/actions/${id}/complete`)).status).toBe(204);
  expect((await spec.payment(invoiceId, 'succeeded')).attempts).toHaveLength(1);
  for (const minutes of [11, 75]) await spec.bed.step(spec.acme.tenant, who.clockId, day(0, minutes));
  await detached(1);
}, TIMEOUT_MS);

test('neither by hand nor by a link is a removed card charged; where none is left, invoices wait for the next one', async () => {
  const who = await spec.customer(AT);
  const card = await attach(who.accountId, 'tok_ok');
  await spec.ask('DELETE', `/methods/${card}`);
  const invoiceId = await bill(who);
  await eventually('the invoice to wait', async () => ((await spec.process.service.database.transaction({ role: 'worker' }, (tx) => tx.query('SELECT FROM waiting_invoices WHERE tenant = $1', [spec.acme.tenant]))).rowCount === 1 || undefined));
  expect(await spec.ask('POST', '', { invoiceId })).toMatchObject({ status: 409, body: { code: 'no_payment_method' } });
  expect(await spec.ask('POST', '', { invoiceId, methodId: card })).toMatchObject({ status: 404, body: { code: 'payment_method_not_found', errors: [{ pointer: '/methodId' }] } });
  const { path } = (await spec.ask('POST', '/links', { invoiceId })).body as { path: string };
  expect((await spec.host.app.inject({ method: 'GET', url: path })).body).toMatch(/There is no payment method on file/);
  expect((await spec.host.app.inject({ method: 'POST', url: path, headers: { 'content-type': 'application/x-www-form-urlencoded' }, payload: '' })).statusCode).toBe(303);
  expect(await spec.bed.book(spec.process, spec.acme.tenant)).toEqual([]);
  const next = await attach(who.accountId, 'tok_ok');
  expect((await spec.payment(invoiceId, 'succeeded')).attempts).toMatchObject([{ methodId: next }]);
}, TIMEOUT_MS);

test('a card that is removed while invoices come: each is paid once, and none that comes after by that card', async () => {
  const who = await spec.customer(AT);
  const [first, second] = [await attach(who.accountId, 'tok_ok'), await attach(who.accountId, 'tok_ok')];
  const [invoices] = await Promise.all([Promise.all(Array.from({ length: 8 }, (_, nth) => bill(who, `${nth + 1}.00`))), spec.ask('DELETE', `/methods/${first}`)]);
  const after = [await bill(who, '100.00'), await bill(who, '101.00')];
  for (const invoiceId of [...invoices, ...after]) await spec.payment(invoiceId, 'succeeded');
  for (const invoiceId of after) expect((await spec.payment(invoiceId, 'succeeded')).attempts.map(({ methodId }) => methodId)).toEqual([second]);
  expect((await spec.taken()).map(({ amount }) => amount).sort((a, b) => a - b)).toEqual([100, 200, 300, 400, 500, 600, 700, 800, 10_000, 10_100]);
}, TIMEOUT_MS);
