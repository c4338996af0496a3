import { eventually } from '@valueverse/testing';
import { paymentsSpec } from '../payments-bed.spec-kit';
import { Sandbox } from '../providers/sandbox/sandbox';

const AT = '2026-03-01T00:00:00Z';
const TIMEOUT_MS = 60_000;
const spec = paymentsSpec();
beforeAll(() => spec.hearWebhooks(), TIMEOUT_MS);
const tokenOf = async (methodId: string): Promise<string> => (await spec.process.service.database.transaction({ role: 'api', tenant: spec.acme.tenant }, (tx) => tx.query<{ token: string }>('SELECT token FROM payment_methods WHERE tenant = $1 AND key = $2', [spec.acme.tenant, methodId]))).rows[0]!.token;

test('a card that a bank replaced is taken over by webhook; its end is told 30 days before, once, and that of the old one never', async () => {
  const { accountId, clockId } = await spec.customer(AT);
  const { body: card } = await spec.ask('POST', '/methods', { accountId, provider: 'sandbox', token: 'tok_ok' });
  expect(card).toMatchObject({ brand: 'visa', last4: '4242', expires: '2034-12', default: true });
  const bank = spec.host.app.get(Sandbox);
  const token = await tokenOf(String(card['id']));
  const factsOf = () => spec.facts(`methods-${accountId}`);
  const replaced = (last4: string, expires: string) => eventually(`the card that ends in ${last4}`, async (saw) => {
    const { body } = await spec.ask('GET', `/methods/${String(card['id'])}`);
    saw(body);
    return (body['last4'] === last4 && body['expires'] === expires) || undefined;
  });
  await bank.control(spec.acme.tenant, `cards/${token}`, { last4: '1881', expires: '2026-04' });
  await replaced('1881', '2026-04');
  await spec.bed.step(spec.acme.tenant, clockId, '2026-03-31T12:00:00Z');
  expect((await factsOf()).map(({ type }) => type)).toEqual(['PaymentMethodAttached', 'PaymentMethodUpdated']);
  await spec.bed.step(spec.acme.tenant, clockId, '2026-04-01T00:00:00Z');
  expect((await factsOf()).at(-1)).toMatchObject({ type: 'PaymentMethodExpiryAnnounced', last4: '1881', expires: '2026-04', toldAt: '2026-04-01T00:00:00Z' });
  await bank.control(spec.acme.tenant, `cards/${token}`, { last4: '1999', expires: '2026-05' });
  await replaced('1999', '2026-05');
  await bank.control(spec.acme.tenant, `cards/${token}`, { last4: '2000', expires: '2030-05' });
  await replaced('2000', '2030-05');
  // The card that would have ended in May is gone.
  await spec.bed.step(spec.acme.tenant, clockId, '2026-06-01T12:00:00Z');
  expect((await factsOf()).map(({ type }) => type)).toEqual(['PaymentMethodAttached', 'PaymentMethodUpdated', 'PaymentMethodExpiryAnnounced', 'PaymentMethodUpdated', 'PaymentMethodUpdated']);
}, TIMEOUT_MS);

test('news of a method that nobody here pays with is noted', async () => {
  await spec.host.app.get(Sandbox).control(spec.acme.tenant, 'cards/tok_slow', { last4: '0001' });
  await eventually('it to be noted', async (saw) => {
    const { body } = await spec.ask('GET', '/webhook-events?status=noted');
    saw(body);
    return (body['data'] as { reason: string }[]).some(({ reason }) => reason === 'no account here pays with this method') || undefined;
  });
}, TIMEOUT_MS);

test('a customer enters a card at the page of the provider, and may be charged later: the bank asks no more; without a webhook the page is looked at', async () => {
  const { accountId, clockId } = await spec.customer(AT);
  const invoiceId = await spec.bed.finalize(spec.acme.tenant, accountId, { total: '12.00', at: AT, clockId });
  const setUp = async () => (await spec.ask('POST', '/methods/setups', { accountId, provider: 'sandbox', default: true, returnUrl: 'https://shop.example.com/account?a=1&b=2' })).body as { id: string; url: string };
  const methods = (count: number) => eventually(`${count} methods`, async (saw) => {
    const { body } = await spec.ask('GET', `/methods?accountId=${accountId}`);
    saw(body);
    return (body['data'] as unknown[]).length === count ? body['data'] as { default: boolean; last4: string }[] : undefined;
  });
  const { id, url } = await setUp();
  expect([id, url]).toEqual([expect.stringMatching(/^set_/), expect.stringMatching(/^http:\/\/127.*\/setup\/cs_/)]);
  expect(await (await fetch(url)).text()).toMatch(/<button>tok_authentication_required<\/button>/);
  const enter = async (at: string, token: string): Promise<string> => (await fetch(`${at}/${token}`, { method: 'POST' })).text();
  for (let times = 0; times < 2; times++) expect(await enter(url, 'tok_authentication_required')).toMatch(/Your card is saved.*href="https:\/\/shop.example.com\/account\?a=1&amp;b=2"/);
  expect(await methods(1)).toMatchObject([{ default: true, last4: '4242' }]);
  expect((await spec.payment(invoiceId, 'succeeded')).attempts).toHaveLength(1);
  await spec.ask('POST', '/sandbox/faults', { fault: 'webhook_dropped' });
  await enter((await setUp()).url, 'tok_ok');
  await spec.bed.step(spec.acme.tenant, clockId, '2026-03-01T00:10:00Z');
  expect((await methods(2)).filter((one) => one.default)).toHaveLength(1);
  await spec.ask('DELETE', '/sandbox/faults');
  expect((await fetch(`${url}0`)).status).toBe(404);
  expect(await spec.ask('POST', '/methods/setups', { accountId, provider: 'sandbox', returnUrl: 'javascript:alert(1)' })).toMatchObject({ status: 400, body: { errors: [{ pointer: '/returnUrl' }] } });
  expect(await spec.ask('POST', '/portal', { accountId, provider: 'nobody' })).toMatchObject({ status: 400, body: { code: 'unknown_provider' } });
  expect(await spec.ask('POST', '/portal', { accountId, provider: 'sandbox' })).toMatchObject({ status: 201, body: { url: expect.stringMatching(/\/portal\/bps_/) as string } });
}, TIMEOUT_MS);

describe('what a customer changes at the page of the provider', () => {
  const portal = async (accountId: string) => {
    const { url } = (await spec.ask('POST', '/portal', { accountId, provider: 'sandbox', returnUrl: 'https://shop.example.com/account' })).body as { url: string };
    return { url, act: async (how: 'add' | 'remove' | 'choose', name: string): Promise<number> => (await fetch(`${url}/${how}/${name}`, { method: 'POST' })).status };
  };
  const methodsOf = async (accountId: string) => (await spec.ask('GET', `/methods?accountId=${accountId}`)).body['data'] as { id: string; default: boolean }[];
  const tokensOf = async (accountId: string): Promise<{ token: string; isDefault: boolean }[]> => (await Promise.all((await methodsOf(accountId)).map(async ({ id, default: isDefault }) => ({ token: await tokenOf(id), isDefault })))).sort((a, b) => (a.token < b.token ? -1 : 1));
  const until = (accountId: string, wanted: readonly (readonly [string, boolean])[]) => eventually(`${wanted.length} methods`, async (saw) => {
    const found = await tokensOf(accountId);
    saw(found);
    return found.length === wanted.length && found.every(({ token, isDefault }, nth) => token.startsWith(wanted[nth]![0]) && isDefault === wanted[nth]![1]) ? found.map(({ token }) => token) : undefined;
  });
  /** Nothing that an event asked for is still to be looked at. */
  const quiet = () => eventually('every look to be done', async (saw) => {
    const { rows } = await spec.process.service.database.transaction({ role: 'worker' }, (tx) => tx.query(`SELECT kind, payload FROM jobs WHERE tenant = $1 AND kind IN ('payments.handle-webhook', 'payments.look-at-method') UNION ALL SELECT 'delivery', id FROM sandbox_deliveries WHERE tenant = $1`, [spec.acme.tenant]));
    saw(rows);
    return rows.length === 0 || undefined;
  });

  test('a card that is added, chosen and removed there is added, chosen and removed here', async () => {
    const { accountId } = await spec.customer(AT);
    const { url, act } = await portal(accountId);
    await act('add', 'tok_ok');
    await until(accountId, [['pm_ok_', true]]);
    await act('add', 'tok_slow');
    const [first, second] = await until(accountId, [['pm_ok_', true], ['pm_slow_', false]]) as [string, string];
    expect(await (await fetch(url)).text()).toMatch(/tok_slow, ends in 4242.*href="https:\/\/shop.example.com\/account"/);
    await act('choose', second);
    await until(accountId, [['pm_ok_', false], ['pm_slow_', true]]);
    await act('remove', second);
    await until(accountId, [['pm_ok_', true]]);
    expect((await spec.facts(`methods-${accountId}`)).map(({ type, chosenBy, detached }) => [type, chosenBy ?? detached])).toEqual([
      ['PaymentMethodAttached', undefined], ['PaymentMethodAttached', undefined], ['PaymentMethodDefaultChosen', 'customer'], ['PaymentMethodRemoved', true], ['PaymentMethodDefaultChosen', 'rule'],
    ]);
    await act('remove', first);
    await until(accountId, []);
    // Nothing of another customer's can be reached from there.
    const other = await spec.customer(AT);
    const { body: { id } } = await spec.ask('POST', '/methods', { accountId: other.accountId, provider: 'sandbox', token: 'tok_slow' });
    for (const how of ['remove', 'choose'] as const) await act(how, await tokenOf(String(id)));
    await quiet();
    expect(await methodsOf(other.accountId)).toMatchObject([{ id, default: true }]);
  }, TIMEOUT_MS);

  test('M28: whatever the order, however late and however often it is told: the end is what the customer has', async () => {
    for (const fault of ['webhook_twice', 'webhook_permuted'] as const) await spec.ask('POST', '/sandbox/faults', { fault, milliseconds: 400, seed: 11 });
    const ends = await Promise.all([1, 2, 3, 4].map(async (nth) => {
      const { accountId } = await spec.customer(AT);
      const { act, url } = await portal(accountId);
      for (const token of ['tok_ok', 'tok_slow', 'tok_ok_after_2']) await act('add', token);
      const [last, middle, first] = [...(await (await fetch(url)).text()).matchAll(/remove\/(pm_\w+)/g)].map(([, card]) => card!) as [string, string, string];
      // Nobody chooses: the oldest is charged, of those of one second the one whose name comes first.
      if (nth === 4) {
        const { rows } = await spec.process.service.database.transaction({ role: 'worker' }, (tx) => tx.query<{ id: string }>(`SELECT id FROM sandbox_objects WHERE id = ANY($1) ORDER BY (body::json->>'created')::bigint, id COLLATE "C"`, [[first, middle, last]]));
        return { accountId, wanted: rows.map(({ id }, place) => [id, place === 0]) };
      }
      await act('choose', first);
      await act('choose', last);
      await act('remove', first);
      await act('choose', middle);
      if (nth === 2) await act('remove', middle);
      return { accountId, wanted: nth === 2 ? [[last, true]] : [[middle, true], [last, false]] };
    }));
    await quiet();
    for (const { accountId, wanted } of ends) expect((await tokensOf(accountId)).map(({ token, isDefault }) => [token, isDefault]).sort()).toEqual(wanted.sort());
    await spec.ask('DELETE', '/sandbox/faults');
  }, TIMEOUT_MS);

  test('our own attaching that is told of at the same moment makes no second method; ten at once are ten', async () => {
    const { accountId } = await spec.customer(AT);
    const answers = await Promise.all(Array.from({ length: 10 }, (_, nth) => spec.ask('POST', '/methods', { accountId, provider: 'sandbox', token: 'tok_ok', default: nth === 7 })));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
    await quiet();
    expect((await methodsOf(accountId)).map(({ id }) => id).sort()).toEqual(answers.map(({ body }) => String(body['id'])).sort());
    expect((await methodsOf(accountId)).filter((one) => one.default)).toMatchObject([{ id: answers[7]!.body['id'] }]);
    // What is sent again under its key attaches nothing, at the provider too.
    const once = { once: 'attached-once' };
    const [one, again] = [await spec.ask('POST', '/methods', { accountId, provider: 'sandbox', token: 'tok_slow' }, once), await spec.ask('POST', '/methods', { accountId, provider: 'sandbox', token: 'tok_slow' }, once)];
    expect(again.body['id']).toBe(one.body['id']);
    await quiet();
    expect(await methodsOf(accountId)).toHaveLength(11);
  }, TIMEOUT_MS);

  test('what the tenant has chosen or removed stays so, whatever the provider tells of the customer after it', async () => {
    const { accountId } = await spec.customer(AT);
    const { act } = await portal(accountId);
    await act('add', 'tok_ok');
    await until(accountId, [['pm_ok_', true]]);
    await act('add', 'tok_slow');
    const [first, second] = await until(accountId, [['pm_ok_', true], ['pm_slow_', false]]) as [string, string];
    await act('choose', second);
    await until(accountId, [['pm_ok_', false], ['pm_slow_', true]]);
    const id = (await methodsOf(accountId)).find((one) => !one.default)!.id;
    await spec.ask('PATCH', `/methods/${id}`, { default: true });
    // News of the customer, with the card that was chosen long before.
    await act('choose', second);
    await quiet();
    await until(accountId, [['pm_ok_', true], ['pm_slow_', false]]);
    await spec.bed.fault(spec.process, spec.acme.tenant, { fault: 'rate_limit', operation: 'any' });
    await spec.ask('DELETE', `/methods/${id}`);
    await spec.bed.disarm(spec.process, spec.acme.tenant);
    await spec.host.app.get(Sandbox).control(spec.acme.tenant, `cards/${first}`, { last4: '1881', expires: '2031-01' });
    await quiet();
    await until(accountId, [['pm_slow_', true]]);
  }, TIMEOUT_MS);
});
