import { Edition, type Answer, type Ask, type Json } from './edition.spec-kit';

const TIMEOUT_MS = 120_000;
const FIVE_MB = 5 * 1024 * 1024;
const NOVEMBER = '2023-11-01T00:00:00Z';
const BATCH = { 'content-type': 'application/cloudevents-batch+json' };
const SINGLE = { 'content-type': 'application/cloudevents+json' };
const METERS = '/api/v1/usage/meters';
const EVENTS = '/api/v1/usage/events';
const PLANS = '/api/v1/billing/plans';
const ACCOUNTS = '/api/v1/billing/accounts';
const CLOCKS = '/api/v1/billing/clocks';
const SUBSCRIPTIONS = '/api/v1/billing/subscriptions';
const INVOICES = '/api/v1/billing/invoices';
const METHODS = '/api/v1/payments/methods';
const PAYMENTS = '/api/v1/payments';
const MESSAGES = '/api/v1/notifications/messages';
const [PRODUCTS, FEATURES, ADD_ONS, COUPONS, TAX_RATES] = ['products', 'features', 'add-ons', 'coupons', 'tax-rates'].map((name) => `/api/v1/billing/${name}`) as [string, string, string, string, string];
const SETTINGS = '/api/v1/billing/settings';
const CATALOG = '/api/v1/billing/catalog';
const ORGANIZATIONS = '/api/v1/operator/organizations';

const FEE = { key: 'platform', name: 'Platform', type: 'recurring', price: { model: 'flat', amount: '49.00' } };
const USAGE = { key: 'calls', name: 'Calls', type: 'usage', meterKey: 'calls', price: { model: 'per_unit', unitAmount: '0.01' } };
const PLAN = { key: 'new', name: 'New', currency: 'USD', interval: { unit: 'month', count: 1 }, charges: [FEE] };
const ACCOUNT = { name: 'Acme', currency: 'USD', timezone: 'UTC' };
const METER = { key: 'new', eventType: 'call', aggregation: 'count' };
const event = (change: object = {}): object => ({ specversion: '1.0', id: '1', source: 'gateway', type: 'call', subject: 'acme', time: '2023-11-05T00:00:00Z', data: {}, ...change });
const priced = (price: unknown): object => ({ ...PLAN, charges: [{ ...USAGE, price }] });
const tiers = (...bounds: unknown[]): object => priced({ model: 'graduated', tiers: bounds.map((upTo) => ({ upTo, unitAmount: '1' })) });

/** Everything that one tenant has here, and the keys of others. */
interface World {
  edition: Edition; organizationId: string; live: string; ingest: string; publishable: string; revoked: string;
  account: string; other: string; clock: string; subscription: string; invoice: string; line: string; statement: string; payment: string; method: string; message: string;
  stranger: string; strangersClock: string; strangersAccount: string;
}
let world: World;

const create = async (): Promise<World> => {
  const edition = await Edition.start();
  const { id: organizationId } = (await edition.get(ORGANIZATIONS, edition.operatorToken)).data[0];
  const keyOf = (kind: string, more: object = {}): Promise<Json> => edition.post(`${ORGANIZATIONS}/${organizationId}/keys`, { environment: 'test', kind, ...more }, edition.operatorToken);
  const [live, ingest, publishable, revoked] = await Promise.all([keyOf('secret', { environment: 'live' }), keyOf('ingest'), keyOf('publishable', { subjects: ['acme'] }), keyOf('secret')]);
  const stranger = await edition.organization('Stranger');
  await edition.ask(`/api/v1/operator/keys/${revoked.id}`, { method: 'DELETE', key: edition.operatorToken });

  await edition.post(METERS, { key: 'calls', eventType: 'call', aggregation: 'count' });
  await edition.post(PLANS, { ...PLAN, key: 'payg', charges: [FEE, USAGE] });
  await edition.post(PLANS, { ...PLAN, key: 'euro', currency: 'EUR' });
  const clock = (await edition.post(CLOCKS, { name: 'tour', now: NOVEMBER })).id as string;
  const account = (await edition.post(ACCOUNTS, { ...ACCOUNT, email: 'billing@acme.example', testClockId: clock, externalId: 'acme' })).id as string;
  const other = (await edition.post(ACCOUNTS, { ...ACCOUNT, name: 'Other', openedAt: NOVEMBER })).id as string;
  const method = (await edition.post(METHODS, { accountId: account, provider: 'sandbox', token: 'tok_ok', default: true })).id as string;
  const subscription = (await edition.post(SUBSCRIPTIONS, { accountId: account, planKey: 'payg', startsAt: NOVEMBER, subjects: ['acme'] })).id as string;
  await edition.send([event()]);
  await edition.advance(clock, '2023-12-01T12:00:00Z');
  const invoice = (await edition.get(`${INVOICES}?accountId=${account}`)).data.find(({ lines }: Json) => lines.length === 2);
  const line = invoice.lines.find(({ chargeKey }: Json) => chargeKey === 'calls').id as string;
  const { statement } = await edition.get(`${INVOICES}/${invoice.id}/lines/${line}/explanation`);
  const payment = (await edition.get(`${PAYMENTS}?invoiceId=${invoice.id}`)).data[0].id as string;
  const message = (await edition.get(`${MESSAGES}?accountId=${account}`)).data[0].id as string;
  const strangersClock = (await edition.post(CLOCKS, { name: 'theirs', now: NOVEMBER }, stranger.secretKey)).id as string;
  const strangersAccount = (await edition.post(ACCOUNTS, ACCOUNT, stranger.secretKey)).id as string;
  return {
    edition, organizationId, live: live.key, ingest: ingest.key, publishable: publishable.key, revoked: revoked.key, account, other, clock, subscription, invoice: invoice.id, line,
    statement: statement.id, payment, method, message, stranger: stranger.secretKey, strangersClock, strangersAccount,
  };
};
beforeAll(async () => { world = await create(); }, TIMEOUT_MS);
afterAll(async () => { await (world as World | undefined)?.edition.stop(); }, TIMEOUT_MS);

/** How much of everything there is, in every tenant, and how far usage was counted. */
const counts = async (): Promise<Record<string, unknown>> => {
  const { edition, organizationId, live, stranger, clock } = world;
  const lists = [METERS, PLANS, PRODUCTS, FEATURES, ADD_ONS, COUPONS, TAX_RATES, ACCOUNTS, CLOCKS, SUBSCRIPTIONS, INVOICES, METHODS, PAYMENTS, MESSAGES].flatMap((path) => [edition.secretKey, live, stranger].map((key) => ({ path, key })));
  const counted = await Promise.all(lists.map(async ({ path, key }, index) => [`${path} ${index % 3}`, (await edition.get(`${path}?limit=100`, key)).data.length as number] as const));
  const [usage, organizations, keys, clocks, settings] = await Promise.all([
    edition.get(`${METERS}/calls/query?from=2000-01-01T00:00:00Z&to=2100-01-01T00:00:00Z`), edition.get(ORGANIZATIONS, edition.operatorToken),
    edition.get(`${ORGANIZATIONS}/${organizationId}/keys`, edition.operatorToken), edition.get(`${CLOCKS}/${clock}`), edition.get(SETTINGS),
  ]);
  return { ...Object.fromEntries(counted), usage: usage.data, organizations: organizations.data.length, keys: keys.data.length, clock: clocks, settings };
};

const expectProblem = ({ status, headers, body }: Answer, wanted: number, code: string, pointer?: string): void => {
  expect({ status, code: body.code, contentType: headers.get('content-type'), pointers: pointer === undefined ? 'any' : body.errors?.map((fault: Json) => `${fault.pointer} ${fault.code}`) })
    .toEqual({ status: wanted, code, contentType: expect.stringMatching(/^application\/problem\+json/), pointers: pointer === undefined ? 'any' : expect.arrayContaining([pointer]) });
  expect(body).toMatchObject({ status: wanted, title: expect.any(String), detail: expect.any(String), traceId: expect.any(String) });
  expect(JSON.stringify(body)).not.toMatch(/ at .*\.js|node_modules|SELECT|INSERT|vv_(test|live)_sk/);
};

type Row = readonly [name: string, ask: (w: World) => readonly [path: string, ask: Ask], status: number, code: string, pointer?: string];
const post = (path: string, body: unknown, more: Ask = {}) => (): readonly [string, Ask] => [path, { body, ...more }];
const raw = (path: string, text: string | Uint8Array, more: Ask = {}) => (): readonly [string, Ask] => [path, { raw: text, ...more }];

const ROWS: readonly Row[] = [
  // What is no request at all
  ['malformed JSON', raw(PLANS, '{"key":'), 400, 'malformed_json'],
  ['two documents', raw(PLANS, '{}{}'), 400, 'malformed_json'],
  ['bytes that are no UTF-8', raw(PLANS, new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), 400, 'malformed_json'],
  ['events that are no JSON', raw(EVENTS, '[{', { headers: BATCH }), 400, 'malformed_json'],
  ['nesting without end', raw(PLANS, `${'['.repeat(10_000)}${']'.repeat(10_000)}`), 400, 'too_deep'],
  ['a body above 5 MB', raw(PLANS, `{"name":"${'x'.repeat(FIVE_MB)}"}`), 413, 'body_too_large'],
  ['events above 5 MB', raw(EVENTS, `["${'x'.repeat(FIVE_MB)}"]`, { headers: BATCH }), 413, 'body_too_large'],
  ['another content type', raw(PLANS, 'key=new', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }), 415, 'unsupported_media_type'],
  ['a list in the place of an object', raw(ACCOUNTS, '[]'), 400, 'invalid_request'],
  ['__proto__', raw(ACCOUNTS, '{"name":"Acme","currency":"USD","timezone":"UTC","__proto__":{"isOperator":true}}'), 400, 'invalid_request', '/__proto__ unknown_field'],
  ['__proto__ in escapes', raw(ACCOUNTS, '{"name":"Acme","currency":"USD","timezone":"UTC","metadata":{"\\u005f_proto__":"x"}}'), 400, 'invalid_request', '/metadata/__proto__ unknown_field'],
  ['a path that is none', () => ['/api/v1/billing/nothing', {}], 404, 'not_found'],
  ['a method that is none', () => [PLANS, { method: 'PUT', body: PLAN }], 405, 'method_not_allowed'],
  ['a path that cannot be read', () => [`${PLANS}/%`, {}], 400, 'bad_url'],
  // Fields
  ['an unknown field', post(ACCOUNTS, { ...ACCOUNT, balance: '1000000.00' }), 400, 'invalid_request', '/balance unknown_field'],
  ['an unknown field inside', post(ACCOUNTS, { ...ACCOUNT, address: { country: 'US', planet: 'Earth' } }), 400, 'invalid_request', '/address/planet unknown_field'],
  ['a tenant in the body', post(ACCOUNTS, { ...ACCOUNT, tenant: 'org_1:live' }), 400, 'invalid_request', '/tenant unknown_field'],
  ['a missing field', post(ACCOUNTS, { name: 'Acme', timezone: 'UTC' }), 400, 'invalid_request', '/currency missing_field'],
  ['an unknown currency', post(ACCOUNTS, { ...ACCOUNT, currency: 'XXY' }), 400, 'invalid_request', '/currency unknown_currency'],
  ['a currency in small letters', post(ACCOUNTS, { ...ACCOUNT, currency: 'usd' }), 400, 'invalid_request', '/currency unknown_currency'],
  ['an unknown zone', post(ACCOUNTS, { ...ACCOUNT, timezone: 'Mars/Olympus' }), 400, 'invalid_request', '/timezone unknown_zone'],
  ['a name that is a number', post(ACCOUNTS, { ...ACCOUNT, name: 7 }), 400, 'invalid_request', '/name string_expected'],
  ['a zero byte', post(ACCOUNTS, { ...ACCOUNT, name: 'a\u0000b' }), 400, 'invalid_request', '/name invalid_characters'],
  ['a name without end', post(ACCOUNTS, { ...ACCOUNT, name: 'x'.repeat(257) }), 400, 'invalid_request', '/name too_long'],
  ['metadata with a number', post(ACCOUNTS, { ...ACCOUNT, metadata: { a: 1 } }), 400, 'invalid_request', '/metadata/a string_expected'],
  ['metadata without end', post(ACCOUNTS, { ...ACCOUNT, metadata: Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`k${index}`, 'v'])) }), 400, 'invalid_request', '/metadata too_many'],
  ['absurd time', post(CLOCKS, { name: 'far', now: '9999-01-01T00:00:00Z' }), 400, 'invalid_request', '/now invalid_time'],
  ['a day that is none', post(CLOCKS, { name: 'none', now: '2023-02-30T00:00:00Z' }), 400, 'invalid_request', '/now invalid_time'],
  ['time without an offset', post(CLOCKS, { name: 'local', now: '2023-11-01T00:00:00' }), 400, 'invalid_request', '/now invalid_time'],
  ['a time that is a number', post(CLOCKS, { name: 'number', now: 0 }), 400, 'invalid_request', '/now invalid_time'],
  // Plans
  ['an amount as a JSON number', post(PLANS, priced({ model: 'per_unit', unitAmount: 0.01 })), 400, 'invalid_request', '/charges/0/price/unitAmount decimal_string_expected'],
  ['an amount below zero', post(PLANS, priced({ model: 'per_unit', unitAmount: '-1' })), 400, 'invalid_request', '/charges/0/price/unitAmount negative_amount'],
  ['an amount with an exponent', post(PLANS, priced({ model: 'per_unit', unitAmount: '1e-6' })), 400, 'invalid_request', '/charges/0/price/unitAmount invalid_decimal'],
  ['an amount without end', post(PLANS, { ...PLAN, charges: [{ ...FEE, price: { model: 'flat', amount: '9'.repeat(100) } }] }), 400, 'invalid_request', '/charges/0/price/amount too_long'],
  ['half a cent', post(PLANS, { ...PLAN, charges: [{ ...FEE, price: { model: 'flat', amount: '0.005' } }] }), 400, 'invalid_request', '/charges/0/price/amount money_precision'],
  ['a tier bound that repeats', post(PLANS, tiers('10', '10', null)), 400, 'invalid_request', '/charges/0/price/tiers/1/upTo tier_bounds_not_ascending'],
  ['a tier bound that goes down', post(PLANS, tiers('10', '5', null)), 400, 'invalid_request', '/charges/0/price/tiers/1/upTo tier_bounds_not_ascending'],
  ['no open tier', post(PLANS, tiers('10', '20')), 400, 'invalid_request', '/charges/0/price/tiers/1/upTo tier_open_end_missing'],
  ['an open tier too early', post(PLANS, tiers(null, null)), 400, 'invalid_request', '/charges/0/price/tiers/0/upTo tier_open_not_last'],
  ['a tier bound as a JSON number', post(PLANS, tiers(10, null)), 400, 'invalid_request', '/charges/0/price/tiers/0/upTo decimal_string_expected'],
  ['an unknown model', post(PLANS, priced({ model: 'constructor' })), 400, 'invalid_request', '/charges/0/price/model unknown_pricing_model'],
  ['charges that are no list', post(PLANS, { ...PLAN, charges: { 0: FEE } }), 400, 'invalid_request', '/charges list_expected'],
  ['a charge key twice', post(PLANS, { ...PLAN, charges: [FEE, FEE] }), 400, 'invalid_request', '/charges/1/key duplicate_key'],
  ['an interval of nothing', post(PLANS, { ...PLAN, interval: { unit: 'month', count: 0 } }), 400, 'invalid_request', '/interval/count below_minimum'],
  ['an interval that is a text', post(PLANS, { ...PLAN, interval: { unit: 'month', count: '1' } }), 400, 'invalid_request', '/interval/count whole_number_expected'],
  ['a plan that exists', post(PLANS, { ...PLAN, key: 'payg' }), 409, 'plan_exists', '/key plan_exists'],
  ['an unknown meter in a plan', post(PLANS, { ...PLAN, charges: [{ ...USAGE, meterKey: 'nothing' }] }), 404, 'meter_not_found', '/charges/0/meterKey meter_not_found'],
  ['a phase that does not end before another', post(PLANS, { ...PLAN, phases: [{ key: 'a', name: 'A' }, { key: 'b', name: 'B' }] }), 400, 'invalid_request', '/phases/0/duration missing_field'],
  ['a price in the currency of the plan, twice', post(PLANS, { ...PLAN, charges: [{ ...FEE, currencyPrices: { USD: FEE.price } }] }), 400, 'invalid_request', '/charges/0/currencyPrices/USD plan_currency'],
  ['a product that is none', post(PLANS, { ...PLAN, productKey: 'nothing' }), 404, 'product_not_found', '/productKey product_not_found'],
  ['a tax rate that is none', post(PLANS, { ...PLAN, taxRateKeys: ['nothing'] }), 404, 'tax_rate_not_found', '/taxRateKeys/0 tax_rate_not_found'],
  ['a feature that is none', post(PLANS, { ...PLAN, features: { nothing: true } }), 404, 'feature_not_found', '/features/nothing feature_not_found'],
  ['a version of no plan', post(`${PLANS}/nothing/versions`, PLAN), 404, 'plan_not_found'],
  ['a version in another currency', () => [`${PLANS}/payg/versions`, { body: { ...PLAN, key: undefined, currency: 'EUR' } }], 409, 'currency_mismatch', '/currency currency_mismatch'],
  ['a simulation of no charge', post(`${PLANS}/payg/simulate`, { quantities: { nothing: '1' } }), 400, 'invalid_request', '/quantities/nothing charge_not_found'],
  // The rest of the catalogue
  ['a product without a key', post(PRODUCTS, { name: 'Nothing' }), 400, 'invalid_request', '/key missing_field'],
  ['a metered feature without a meter', post(FEATURES, { key: 'f', name: 'F', type: 'metered' }), 400, 'invalid_request', '/meterKey missing_field'],
  ['an add-on that is prepaid usage', post(ADD_ONS, { key: 'a', name: 'A', currency: 'USD', charges: [{ ...USAGE, timing: 'in_advance' }] }), 400, 'invalid_request', '/charges/0/timing invalid_value'],
  ['a coupon over all', post(COUPONS, { key: 'c', discount: { type: 'percent', value: '101' } }), 400, 'invalid_request', '/discount/value above_maximum'],
  ['a coupon that is none', ({ account }) => [`${ACCOUNTS}/${account}/coupons`, { body: { couponKey: 'nothing' } }], 404, 'coupon_not_found', '/couponKey coupon_not_found'],
  ['a tax below zero', post(TAX_RATES, { key: 't', name: 'T', rate: '-1' }), 400, 'invalid_request', '/rate below_minimum'],
  ['settings that are none', () => [SETTINGS, { method: 'PUT', body: { rounding: 'up' } }], 400, 'invalid_request', '/rounding invalid_value'],
  ['a catalogue with a fault at its end', post(`${CATALOG}/apply`, { version: 1, products: [{ key: 'p', name: 'P' }], plans: [{ ...PLAN, charges: [{ ...USAGE, meterKey: 'nothing' }] }] }), 400, 'invalid_request', '/plans/0/charges/0/meterKey meter_not_found'],
  ['a catalogue of another time', post(`${CATALOG}/apply`, { version: 2 }), 400, 'invalid_request', '/version above_maximum'],
  // Meters
  ['a meter that exists', post(METERS, { ...METER, key: 'calls' }), 409, 'meter_exists'],
  ['a meter that sums nothing', post(METERS, { ...METER, aggregation: 'sum' }), 400, 'value_property_missing'],
  ['a path into nowhere', post(METERS, { ...METER, aggregation: 'sum', valueProperty: '$..[?(@.a)]' }), 400, 'invalid_json_path'],
  ['a query of an unknown meter', () => [`${METERS}/nothing/query?from=${NOVEMBER}&to=2023-12-01T00:00:00Z`, {}], 404, 'meter_not_found'],
  ['a query without a period', () => [`${METERS}/calls/query`, {}], 400, 'invalid_request', '/from missing_field'],
  ['windows without end', () => [`${METERS}/calls/query?from=1970-01-01T00:00:00Z&to=2200-01-01T00:00:00Z&windowSize=minute&fill=zero`, {}], 400, 'too_many_windows'],
  // Subscriptions
  ['an unknown plan', ({ account }) => [SUBSCRIPTIONS, { body: { accountId: account, planKey: 'nothing', startsAt: NOVEMBER } }], 404, 'plan_not_found', '/planKey plan_not_found'],
  ['an unknown version of a plan', ({ account }) => [SUBSCRIPTIONS, { body: { accountId: account, planKey: 'payg', planVersion: 2, startsAt: NOVEMBER } }], 404, 'plan_not_found', '/planKey plan_not_found'],
  ['an unknown account', post(SUBSCRIPTIONS, { accountId: 'acc_01h455vb4pex5vsknk084sn02q', planKey: 'payg', startsAt: NOVEMBER }), 404, 'account_not_found', '/accountId account_not_found'],
  ['another currency than the account', ({ account }) => [SUBSCRIPTIONS, { body: { accountId: account, planKey: 'euro', startsAt: NOVEMBER } }], 409, 'currency_mismatch', '/planKey currency_mismatch'],
  ['a subject that is taken', ({ other }) => [SUBSCRIPTIONS, { body: { accountId: other, planKey: 'payg', startsAt: NOVEMBER, subjects: ['free', 'acme'] } }], 409, 'subject_taken', '/subjects/1 subject_taken'],
  ['an anchor that is no date, before its start', ({ other }) => [SUBSCRIPTIONS, { body: { accountId: other, planKey: 'payg', startsAt: '2199-01-01T00:00:00Z', anchor: '2024-13-45T00:00:00' } }], 400, 'invalid_local_time', '/anchor invalid_local_time'],
  ['a first period beyond all time', ({ other }) => [SUBSCRIPTIONS, { body: { accountId: other, planKey: 'payg', startsAt: '2200-12-31T00:00:00Z' } }], 400, 'invalid_time', '/startsAt invalid_time'],
  ['an externalId that is taken', post(ACCOUNTS, { ...ACCOUNT, externalId: 'acme' }), 409, 'external_id_taken', '/externalId external_id_taken'],
  // Clocks
  ['a clock that goes back', ({ clock }) => [`${CLOCKS}/${clock}/advance`, { body: { to: NOVEMBER } }], 409, 'clock_goes_forward', '/to clock_goes_forward'],
  ['a clock in live', ({ live }) => [CLOCKS, { body: { name: 'live', now: NOVEMBER }, key: live }], 403, 'clock_in_live'],
  ['an account on a clock in live', ({ live, clock }) => [ACCOUNTS, { body: { ...ACCOUNT, testClockId: clock }, key: live }], 404, 'clock_not_found', '/testClockId clock_not_found'],
  ['an account on an unknown clock', post(ACCOUNTS, { ...ACCOUNT, testClockId: 'clk_01h455vb4pex5vsknk084sn02q' }), 404, 'clock_not_found', '/testClockId clock_not_found'],
  // Payments
  ['an unknown provider', ({ account }) => [METHODS, { body: { accountId: account, provider: 'bank', token: 'tok_ok' } }], 400, 'unknown_provider', '/provider unknown_provider'],
  ['an unknown token', ({ account }) => [METHODS, { body: { accountId: account, provider: 'sandbox', token: 'tok_none' } }], 400, 'unknown_token', '/token unknown_token'],
  ['a method of nobody', post(METHODS, { accountId: 'acc_01h455vb4pex5vsknk084sn02q', provider: 'sandbox', token: 'tok_ok' }), 404, 'account_not_found'],
  // Lists
  ['limit 0', () => [`${PLANS}?limit=0`, {}], 400, 'invalid_request', '/limit below_minimum'],
  ['limit 101', () => [`${PLANS}?limit=101`, {}], 400, 'invalid_request', '/limit above_maximum'],
  ['limit 1e1', () => [`${PLANS}?limit=1e1`, {}], 400, 'invalid_request', '/limit whole_number_expected'],
  ['a cursor of nobody', () => [`${PLANS}?cursor=bm90aGluZw`, {}], 400, 'invalid_cursor', '/cursor invalid_cursor'],
  ['an unknown filter', () => [`${PLANS}?tenant=org_1:live`, {}], 400, 'invalid_request', '/tenant unknown_field'],
  ['a filter twice', () => [`${INVOICES}?status=draft&status=finalized`, {}], 400, 'invalid_request', '/status invalid_value'],
  // Keys
  ['no key', post(PLANS, PLAN, { key: undefined }), 401, 'credential_missing'],
  ['a key that is none', post(PLANS, PLAN, { key: 'vv_test_sk_nothing' }), 401, 'invalid_credential'],
  ['a key that is nobody\'s', post(PLANS, PLAN, { key: `vv_test_sk_12345678_${'a'.repeat(43)}` }), 401, 'invalid_credential'],
  ['a key with another end', ({ edition }) => [PLANS, { body: PLAN, key: `${edition.secretKey.slice(0, -1)}${edition.secretKey.endsWith('a') ? 'b' : 'a'}` }], 401, 'invalid_credential'],
  ['a key as a password', ({ edition }) => [PLANS, { body: PLAN, key: undefined, headers: { authorization: `Basic ${Buffer.from(`${edition.secretKey}:`).toString('base64')}` } }], 401, 'invalid_credential'],
  ['a revoked key', ({ revoked }) => [PLANS, { body: PLAN, key: revoked }], 401, 'credential_revoked'],
  ['a key in the query string', ({ edition }) => [`${PLANS}?key=${edition.secretKey}`, { key: undefined }], 401, 'credential_missing'],
  ['a live key and a test account', ({ live, account }) => [`${ACCOUNTS}/${account}`, { key: live }], 404, 'account_not_found'],
  ['an ingest key that reads', ({ ingest }) => [INVOICES, { key: ingest }], 403, 'permission_missing'],
  ['an ingest key that reads usage', ({ ingest }) => [`${METERS}/calls/query?from=${NOVEMBER}&to=2023-12-01T00:00:00Z`, { key: ingest }], 403, 'permission_missing'],
  ['an ingest key that makes a meter', ({ ingest }) => [METERS, { body: METER, key: ingest }], 403, 'permission_missing'],
  ['a publishable key that makes a meter', ({ publishable }) => [METERS, { body: METER, key: publishable }], 403, 'permission_missing'],
  ['a publishable key for another subject', ({ publishable }) => [EVENTS, { body: event({ id: 'stolen', subject: 'other' }), key: publishable, headers: SINGLE }], 400, 'subject_not_allowed'],
  ['a secret key as operator', () => [ORGANIZATIONS, {}], 403, 'permission_missing'],
  ['a secret key that makes keys', ({ organizationId }) => [`${ORGANIZATIONS}/${organizationId}/keys`, { body: { environment: 'live', kind: 'secret' } }], 403, 'permission_missing'],
  ['a secret key at an inner door', () => ['/internal/v1/usage/quantities', { body: {} }], 403, 'permission_missing'],
  ['the operator in a tenant', ({ edition }) => [PLANS, { key: edition.operatorToken }], 403, 'permission_missing'],
  ['subjects on a secret key', ({ edition, organizationId }) => [`${ORGANIZATIONS}/${organizationId}/keys`, { body: { environment: 'test', kind: 'secret', subjects: ['acme'] }, key: edition.operatorToken }], 400, 'invalid_request', '/subjects invalid_value'],
  ['a key of no organization', ({ edition }) => [`${ORGANIZATIONS}/org_none/keys`, { body: { environment: 'test', kind: 'secret' }, key: edition.operatorToken }], 404, 'organization_not_found'],
  ['the end of a key that is none', ({ edition }) => ['/api/v1/operator/keys/key_none', { method: 'DELETE', key: edition.operatorToken }], 404, 'key_not_found'],
  // Usage events
  ['a single event without a subject', post(EVENTS, event({ subject: undefined }), { headers: SINGLE }), 400, 'missing_field'],
  ['a single event of no time', post(EVENTS, event({ time: 'yesterday' }), { headers: SINGLE }), 400, 'invalid_time'],
  ['more events than a batch holds', post(EVENTS, Array.from({ length: 1_001 }, (_, index) => event({ id: `many-${index}` })), { headers: BATCH }), 400, 'too_many_events'],
  // Idempotency
  ['a key for repetitions that is too long', post(ACCOUNTS, ACCOUNT, { headers: { 'idempotency-key': 'k'.repeat(257) } }), 400, 'invalid_idempotency_key'],
  // Lines and documents
  ['an unknown line', ({ invoice }) => [`${INVOICES}/${invoice}/lines/line_none/explanation`, {}], 404, 'line_not_found'],
  ['an unknown invoice', () => [`${INVOICES}/inv_none/pdf`, {}], 404, 'invoice_not_found'],
];

test('hostile requests are answered with what is wrong, and nothing changes', async () => {
  const before = await counts();
  const failures: string[] = [];
  for (const [name, ask, status, code, pointer] of ROWS) {
    try {
      expectProblem(await world.edition.ask(...ask(world)), status, code, pointer);
    } catch (error) {
      failures.push(`${name}: ${(error as Error).message}`);
    }
  }
  expect(failures).toEqual([]);
  expect(await counts()).toEqual(before);
}, TIMEOUT_MS);

test('what belongs to another tenant is not there, whatever is asked of it', async () => {
  const before = await counts();
  const { edition, account, clock, subscription, invoice, line, statement, payment, method, message, stranger, strangersClock, strangersAccount } = world;
  const asked: [string, Ask, string][] = [
    [`${ACCOUNTS}/${account}`, {}, 'account_not_found'], [`${CLOCKS}/${clock}`, {}, 'clock_not_found'], [`${PLANS}/payg`, {}, 'plan_not_found'], [`${METERS}/calls`, {}, 'meter_not_found'],
    [`${SUBSCRIPTIONS}/${subscription}`, {}, 'subscription_not_found'], [`${SUBSCRIPTIONS}/${subscription}/upcoming-invoice`, {}, 'subscription_not_found'],
    [`${INVOICES}/${invoice}`, {}, 'invoice_not_found'], [`${INVOICES}/${invoice}/lines`, {}, 'invoice_not_found'], [`${INVOICES}/${invoice}/pdf`, {}, 'invoice_not_found'],
    [`${INVOICES}/${invoice}/lines/${line}/explanation`, {}, 'invoice_not_found'], [`${INVOICES}/${invoice}/lines/${line}/verify`, { method: 'POST' }, 'invoice_not_found'],
    [`/api/v1/usage/statements/${statement}`, {}, 'statement_not_found'], [`/api/v1/usage/statements/${statement}/buckets`, {}, 'statement_not_found'], [`/api/v1/usage/statements/${statement}/events`, {}, 'statement_not_found'],
    [`${METERS}/calls/query?from=${NOVEMBER}&to=2024-01-01T00:00:00Z`, {}, 'meter_not_found'],
    [`${PAYMENTS}/${payment}`, {}, 'payment_not_found'], [`${METHODS}/${method}`, {}, 'payment_method_not_found'], [`${MESSAGES}/${message}`, {}, 'message_not_found'],
    [`${CLOCKS}/${clock}/advance`, { body: { to: '2024-06-01T00:00:00Z' } }, 'clock_not_found'],
    [ACCOUNTS, { body: { ...ACCOUNT, testClockId: clock } }, 'clock_not_found'],
    [METHODS, { body: { accountId: account, provider: 'sandbox', token: 'tok_ok' } }, 'account_not_found'],
    [SUBSCRIPTIONS, { body: { accountId: account, planKey: 'payg', startsAt: NOVEMBER } }, 'account_not_found'],
    [SUBSCRIPTIONS, { body: { accountId: strangersAccount, planKey: 'payg', startsAt: NOVEMBER } }, 'plan_not_found'],
    [PLANS, { body: { ...PLAN, charges: [USAGE] } }, 'meter_not_found'],
  ];
  const answers = await Promise.all(asked.map(async ([path, ask, code]) => ({ path, code, answer: await edition.ask(path, { ...ask, key: stranger }) })));
  expect(answers.map(({ path, answer }) => `${path} ${answer.status} ${answer.body.code}`)).toEqual(asked.map(([path, , code]) => `${path} 404 ${code}`));
  for (const filter of [`${INVOICES}?accountId=${account}`, `${SUBSCRIPTIONS}?accountId=${account}`, `${PAYMENTS}?invoiceId=${invoice}`, `${METHODS}?accountId=${account}`, `${MESSAGES}?accountId=${account}`, `${ACCOUNTS}?externalId=acme`]) {
    expect((await edition.get(filter, stranger)).data).toEqual([]);
  }
  // A subject of one tenant is free in another, and its usage stays there.
  expect((await edition.send([event({ id: 'theirs' })], stranger)).accepted).toBe(1);
  expect(await counts()).toEqual(before);
  expect(strangersClock).not.toBe(clock);
}, TIMEOUT_MS);

test('a cursor is good for its own list of its own tenant, as it was given', async () => {
  const { edition, stranger } = world;
  const { nextCursor } = await edition.get(`${PLANS}?limit=1`);
  expect((await edition.get(`${PLANS}?limit=1&cursor=${nextCursor}`)).data).toHaveLength(1);
  const tampered = `${nextCursor.slice(0, -2)}${nextCursor.endsWith('AA') ? 'BB' : 'AA'}`;
  expectProblem(await edition.ask(`${PLANS}?cursor=${tampered}`), 400, 'invalid_cursor', '/cursor invalid_cursor');
  expectProblem(await edition.ask(`${ACCOUNTS}?cursor=${nextCursor}`), 400, 'invalid_cursor', '/cursor invalid_cursor');
  expectProblem(await edition.ask(`${PLANS}?cursor=${nextCursor}`, { key: stranger }), 400, 'invalid_cursor', '/cursor invalid_cursor');
}, TIMEOUT_MS);

test('an Idempotency-Key gives the same answer once more, refuses another payload, and belongs to its tenant', async () => {
  const { edition, stranger } = world;
  const headers = { 'idempotency-key': 'open-1' };
  const first = await edition.ask(ACCOUNTS, { body: { ...ACCOUNT, name: 'Once' }, headers });
  const again = await edition.ask(ACCOUNTS, { body: { ...ACCOUNT, name: 'Once' }, headers });
  expect([first.status, first.headers.get('idempotency-replayed'), again.status, again.headers.get('idempotency-replayed')]).toEqual([201, null, 201, 'true']);
  expect([again.body, again.headers.get('location')]).toEqual([first.body, first.headers.get('location')]);
  const before = await counts();
  expectProblem(await edition.ask(ACCOUNTS, { body: { ...ACCOUNT, name: 'Twice' }, headers }), 422, 'idempotency_key_reused');
  expect(await counts()).toEqual(before);
  const theirs = await edition.ask(ACCOUNTS, { body: { ...ACCOUNT, name: 'Once' }, headers, key: stranger });
  expect([theirs.status, theirs.headers.get('idempotency-replayed'), theirs.body.id === first.body.id]).toEqual([201, null, false]);
  // So does whoever runs the installation; the keys in the answer are the same, and work.
  const organization = (name: string): Promise<Answer> => edition.ask(ORGANIZATIONS, { body: { name }, key: edition.operatorToken, headers: { 'idempotency-key': 'org-1' } });
  const [made, found] = [await organization('Once'), await organization('Once')];
  expect([made.status, found.status, found.headers.get('idempotency-replayed'), found.headers.get('location')]).toEqual([201, 201, 'true', made.headers.get('location')]);
  expect(found.body).toEqual(made.body);
  expect((await edition.get(PLANS, found.body.keys[0].key)).data).toEqual([]);
  expectProblem(await organization('Twice'), 422, 'idempotency_key_reused');
  // Ten at once open one account.
  const race = await Promise.all(Array.from({ length: 10 }, () => edition.ask(ACCOUNTS, { body: { ...ACCOUNT, externalId: 'raced' }, headers: { 'idempotency-key': 'race' } })));
  expect(new Set(race.filter(({ status }) => status === 201).map(({ body }) => body.id)).size).toBe(1);
  expect(race.filter(({ status }) => status !== 201).map(({ status, body }) => `${status} ${body.code}`)).toEqual(race.filter(({ status }) => status !== 201).map(() => '409 idempotency_in_flight'));
}, TIMEOUT_MS);

test('of two that want the same at once one gets it, and the other is told', async () => {
  const { edition, other } = world;
  const twice = async (path: string, body: unknown): Promise<string[]> => (await Promise.all([edition.ask(path, { body }), edition.ask(path, { body })])).map(({ status, body: { code } }) => `${status} ${code ?? ''}`.trim()).sort();
  expect(await twice(PLANS, { ...PLAN, key: 'raced' })).toEqual(['201', '409 plan_exists']);
  expect(await twice(ACCOUNTS, { ...ACCOUNT, externalId: 'raced-2' })).toEqual(['201', '409 external_id_taken']);
  expect(await twice(SUBSCRIPTIONS, { accountId: other, planKey: 'payg', startsAt: '2199-01-01T00:00:00Z', subjects: ['raced'] })).toEqual(['201', '409 subject_taken']);
  expect(await twice(METERS, { ...METER, key: 'raced' })).toEqual(['201', '409 meter_exists']);
}, TIMEOUT_MS);

test('F138: of a batch with good and bad events the good ones are kept and the bad ones named', async () => {
  const { edition } = world;
  const { accepted, rejected } = await edition.send([
    event({ id: 'good-1' }), event({ id: 'bad-1', time: '2023-02-30T00:00:00Z' }), event({ id: 'bad-2', subject: undefined }), 'no event', event({ id: '' }),
    event({ id: 'bad-5', specversion: '0.3' }), event({ id: 'good-2' }), null,
  ]);
  expect(accepted).toBe(2);
  expect(rejected.map(({ index, id, code }: Json) => [index, id, typeof code])).toEqual([[1, 'bad-1', 'string'], [2, 'bad-2', 'string'], [3, null, 'string'], [4, expect.anything(), 'string'], [5, 'bad-5', 'string'], [7, null, 'string']]);
  const all = await edition.send([event({ id: 'bad', time: 'no' })]);
  expect([all.accepted, all.rejected.length]).toEqual([0, 1]);
  // The publishable key sends for its own subject and for no other one in the same batch.
  const own = await edition.send([event({ id: 'own' }), event({ id: 'not-own', subject: 'other' })], world.publishable);
  expect([own.accepted, own.rejected.map(({ index, code }: Json) => [index, code])]).toEqual([1, [[1, 'subject_not_allowed']]]);
}, TIMEOUT_MS);
