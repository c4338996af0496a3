import { eventually } from '@valueverse/testing';
import { Edition, type Answer, type Json } from './edition.spec-kit';

const TIMEOUT_MS = 120_000;
const MONTHLY = { unit: 'month', count: 1 };
const perUnit = (key: string, meterKey: string, unitAmount: string): object => ({ key, name: key, type: 'usage', meterKey, price: { model: 'per_unit', unitAmount } });

let edition: Edition;
beforeAll(async () => {
  edition = await Edition.start();
  for (const key of ['calls', 'bytes']) await edition.post('/api/v1/usage/meters', { key, eventType: key, aggregation: 'sum', valueProperty: '$.n' });
  await edition.post('/api/v1/billing/plans', { key: 'calls', name: 'Calls', currency: 'USD', interval: MONTHLY, charges: [perUnit('calls', 'calls', '0.01')] });
  await edition.post('/api/v1/billing/plans', { key: 'bytes', name: 'Bytes', currency: 'USD', interval: MONTHLY, charges: [perUnit('bytes', 'bytes', '1')] });
}, TIMEOUT_MS);
afterAll(() => (edition as Edition | undefined)?.stop(), TIMEOUT_MS);

interface Account { readonly id: string; readonly clock: string }
const account = async (now: string, more: object = {}): Promise<Account> => {
  const clock = (await edition.post('/api/v1/billing/clocks', { name: 'clock', now })).id as string;
  return { id: (await edition.post('/api/v1/billing/accounts', { name: 'Acme', currency: 'USD', timezone: 'UTC', testClockId: clock, ...more })).id as string, clock };
};
const tryToSubscribe = ({ id }: Account, planKey: string, startsAt: string, more: object = {}): Promise<Answer> => edition.ask('/api/v1/billing/subscriptions', { body: { accountId: id, planKey, startsAt, ...more } });
const subscribe = async (...start: Parameters<typeof tryToSubscribe>): Promise<Json> => {
  const { status, body } = await tryToSubscribe(...start);
  expect([status, body.detail]).toEqual([201, undefined]);
  return body;
};
let events = 0;
const used = (subject: string, time: string, n: number, type = 'calls'): object => ({ specversion: '1.0', id: `event-${++events}`, source: 'gateway', type, subject, time, data: { n } });
const send = async (...sent: object[]): Promise<void> => { expect(await edition.send(sent)).toEqual({ accepted: sent.length, rejected: [] }); };
/** Where the events of a subject stand, the oldest received first. */
const standings = async (subject: string): Promise<string[]> =>
  (await edition.get(`/api/v1/usage/events?subject=${subject}&limit=100`)).data.toReversed().map(({ status, reason }: Json) => (reason === null ? status : `${status}: ${reason}`));
const untilStandings = (subject: string, wanted: string[]): Promise<true> => eventually(`the events of ${subject} to stand`, async (saw) => {
  const found = await standings(subject);
  saw(found);
  return JSON.stringify(found) === JSON.stringify(wanted) ? true : undefined;
});
/** The oldest first. */
const invoicesOf = async (subscription: Json): Promise<Json[]> => (await edition.get(`/api/v1/billing/invoices?subscriptionId=${subscription.id}&limit=100`)).data.toReversed();
const shortOf = ({ total, servicePeriod, lines }: Json): string => `${total} from ${servicePeriod.from}: ${lines.map(({ quantity, servicePeriod: { from, to } }: Json) => `${quantity} ${from} ${to}`).join(', ')}`;
const verified = async (invoice: Json): Promise<unknown[]> => Promise.all(invoice.lines.map(async ({ id }: Json) => (await edition.ask(`/api/v1/billing/invoices/${invoice.id}/lines/${id}/verify`, { method: 'POST' })).body.matches));

test('1 November, usage of nobody waits; 10 December, somebody subscribes and counts from 15 November: it is on the first invoice, once', async () => {
  await send(used('early', '2023-11-14T23:59:59.999999Z', 1_000), used('early', '2023-11-15T00:00:00Z', 3), used('early', '2023-12-09T23:59:59Z', 4), used('early', '2023-12-10T00:00:00Z', 5), used('early', '2024-01-09T23:59:59Z', 6), used('early', '2024-01-10T00:00:00Z', 70));
  await untilStandings('early', Array<string>(6).fill('waiting: no_subscription'));
  const acme = await account('2023-12-10T00:00:00Z');
  const subscription = await subscribe(acme, 'calls', '2023-12-10T00:00:00Z', { subjects: ['early'], countFrom: '2023-11-15T01:00:00+01:00' });
  expect(subscription).toMatchObject({ startsAt: '2023-12-10T00:00:00Z', countFrom: '2023-11-15T00:00:00Z', currentPeriod: { from: '2023-12-10T00:00:00Z', to: '2024-01-10T00:00:00Z' } });
  await untilStandings('early', ['waiting: no_subscription', ...Array<string>(5).fill('counted')]);
  // (3 + 4 + 5 + 6) x 0.01
  expect(await edition.get(`/api/v1/billing/subscriptions/${subscription.id}/upcoming-invoice`)).toMatchObject({ total: '0.18' });
  await edition.advance(acme.clock, '2024-02-10T02:00:00Z');
  const invoices = await invoicesOf(subscription);
  expect(invoices.map(shortOf)).toEqual([
    '0.18 from 2023-11-15T00:00:00Z: 18 2023-11-15T00:00:00Z 2024-01-10T00:00:00Z',
    '0.70 from 2024-01-10T00:00:00Z: 70 2024-01-10T00:00:00Z 2024-02-10T00:00:00Z',
  ]);
  expect(await Promise.all(invoices.map(verified))).toEqual([[true], [true]]);
}, TIMEOUT_MS);

test('1 November, a subscription that counts from later than it starts, or has what others have: refused, and nothing is taken', async () => {
  const acme = await account('2023-11-01T00:00:00Z', { subjects: ['of-acme'] });
  expect(await tryToSubscribe(acme, 'calls', '2023-11-01T00:00:00Z', { subjects: ['refused'], countFrom: '2023-11-01T00:00:00.000001Z' })).toMatchObject({ status: 400, body: { code: 'count_from_after_start', errors: [{ pointer: '/countFrom' }] } });
  await subscribe(acme, 'calls', '2023-11-01T00:00:00Z', { subjects: ['refused', 'refused'], countFrom: '1970-01-01T00:00:00Z' });
  for (const [countFrom, taken] of [['2023-10-01T00:00:00Z', 'refused'], ['2023-10-01T00:00:00Z', 'of-acme']]) {
    expect(await tryToSubscribe(acme, 'calls', '2023-11-01T00:00:00Z', { subjects: ['free', taken], countFrom })).toMatchObject({ status: 409, body: { code: 'subject_taken', errors: [{ pointer: '/subjects/1' }] } });
  }
  for (const subjects of [['of-acme'], ['refused']]) expect(await edition.ask('/api/v1/billing/accounts', { body: { name: 'Other', currency: 'USD', timezone: 'UTC', subjects } })).toMatchObject({ status: 409, body: { code: 'subject_taken' } });
  await subscribe(acme, 'calls', '2023-11-01T00:00:00Z', { subjects: ['free'] });
}, TIMEOUT_MS);

test('1 November, an event without a meter waits; a meter that counts from 10 November takes what is later, the rest waits on', async () => {
  const acme = await account('2023-11-01T00:00:00Z');
  await send(used('printer', '2023-11-09T23:59:59Z', 100, 'page'), used('printer', '2023-11-10T00:00:00Z', 3, 'page'));
  await untilStandings('printer', ['waiting: no_meter', 'waiting: no_meter']);
  expect(await edition.ask('/api/v1/usage/meters', { body: { key: 'pages', eventType: 'page', aggregation: 'sum', valueProperty: '$.n', from: '2023-11-10T00:00:01Z' } })).toMatchObject({ status: 400, body: { code: 'unaligned_instant', errors: [{ pointer: '/from' }] } });
  expect(await edition.post('/api/v1/usage/meters', { key: 'pages', eventType: 'page', aggregation: 'sum', valueProperty: '$.n', from: '2023-11-10T00:00:00Z' })).toMatchObject({ from: '2023-11-10T00:00:00Z' });
  await untilStandings('printer', ['waiting: no_meter', 'waiting: no_subscription']);
  await edition.post('/api/v1/billing/plans', { key: 'pages', name: 'Pages', currency: 'USD', interval: MONTHLY, charges: [perUnit('pages', 'pages', '0.10')] });
  const subscription = await subscribe(acme, 'pages', '2023-11-01T00:00:00Z', { subjects: ['printer'] });
  await untilStandings('printer', ['waiting: no_meter', 'counted']);
  await edition.advance(acme.clock, '2023-12-01T02:00:00Z');
  // 3 x 0.10; the 100 of before wait for another meter
  expect((await invoicesOf(subscription)).map(shortOf)).toEqual(['0.30 from 2023-11-01T00:00:00Z: 3 2023-11-01T00:00:00Z 2023-12-01T00:00:00Z']);
}, TIMEOUT_MS);

test('1 November to 1 February, subjects of an account: the one subscription that has the meter bills them; from when two have it nobody does, and what is billed stays', async () => {
  const acme = await account('2023-11-01T00:00:00Z', { subjects: ['shared', 'shared-2'] });
  expect(await edition.get(`/api/v1/billing/accounts/${acme.id}`)).toMatchObject({ subjects: ['shared', 'shared-2'] });
  await send(
    used('shared', '2023-10-31T12:00:00Z', 1), used('shared', '2023-11-02T00:00:00Z', 2), used('shared-2', '2023-11-20T00:00:00Z', 4), used('shared', '2023-12-05T00:00:00Z', 8), used('shared', '2023-12-15T12:00:00Z', 16),
    used('shared', '2024-01-02T00:00:00Z', 32), used('shared', '2023-11-03T00:00:00Z', 64, 'bytes'));
  const first = await subscribe(acme, 'calls', '2023-11-01T00:00:00Z', { countFrom: '2023-10-31T00:00:00Z' });
  expect(first).toMatchObject({ ofAccount: { subjects: ['shared', 'shared-2'], meters: [{ meterKey: 'calls', from: '2023-10-31T00:00:00Z' }] } });
  await untilStandings('shared', ['counted', 'counted', 'counted', 'counted', 'counted', 'waiting: no_subscription']);
  await edition.advance(acme.clock, '2023-12-15T12:00:00Z');
  // Said to have begun with November, it takes nothing from what the first one has billed by then.
  const second = await subscribe(acme, 'calls', '2023-11-01T00:00:00Z', { countFrom: '2023-10-01T00:00:00Z' });
  expect(second).toMatchObject({ ofAccount: { meters: [{ from: '2023-12-15T12:00:00Z' }] } });
  const bytes = await subscribe(acme, 'bytes', '2023-12-01T00:00:00Z', { countFrom: '2023-11-01T00:00:00Z' });
  await untilStandings('shared', ['counted', 'counted', 'counted', 'waiting: ambiguous_subject', 'waiting: ambiguous_subject', 'counted']);
  await edition.advance(acme.clock, '2024-02-01T02:00:00Z');
  expect((await invoicesOf(first)).map(shortOf)).toEqual([
    // (1 + 2 + 4) x 0.01
    '0.07 from 2023-10-31T00:00:00Z: 7 2023-10-31T00:00:00Z 2023-12-01T00:00:00Z',
    // 8 x 0.01: from noon of the 15th two have the meter
    '0.08 from 2023-12-01T00:00:00Z: 8 2023-12-01T00:00:00Z 2024-01-01T00:00:00Z',
    '0.00 from 2024-01-01T00:00:00Z: 0 2024-01-01T00:00:00Z 2024-02-01T00:00:00Z',
  ]);
  expect((await invoicesOf(second)).map(({ total }) => total)).toEqual(['0.00', '0.00', '0.00']);
  // 64 x 1
  expect((await invoicesOf(bytes)).map(({ total }) => total)).toEqual(['64.00', '0.00']);
  for (const invoice of [...await invoicesOf(first), ...await invoicesOf(bytes)]) expect(await verified(invoice)).not.toContain(false);
}, TIMEOUT_MS);

test('1 November, eight subscriptions to the same usage at once, of an account and by name: one has it, and it is billed once', async () => {
  const acme = await account('2023-11-20T00:00:00Z', { subjects: ['at-once'], openedAt: '2023-11-01T00:00:00Z' });
  await send(used('at-once', '2023-11-05T00:00:00Z', 100), used('at-once', '2023-11-21T00:00:00Z', 1_000), used('by-name', '2023-11-05T00:00:00Z', 10));
  const started = await Promise.all(Array.from({ length: 8 }, (_, nth) => tryToSubscribe(acme, 'calls', '2023-11-01T00:00:00Z', nth % 2 === 0 ? {} : { subjects: nth % 4 === 1 ? ['by-name', 'by-name-2'] : ['by-name-2', 'by-name'] })));
  const ofName = started.filter((_, nth) => nth % 2 === 1);
  expect(ofName.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409]);
  expect(ofName.filter(({ status }) => status === 409).map(({ body }) => body.code)).toEqual(['subject_taken', 'subject_taken', 'subject_taken']);
  const made = started.filter(({ status }) => status === 201).map(({ body }) => body as Json);
  expect(made.map(({ ofAccount }) => ofAccount.meters[0].from).sort()).toEqual(['2023-11-01T00:00:00Z', ...Array<string>(4).fill('2023-11-20T00:00:00Z')]);
  await untilStandings('at-once', ['counted', 'waiting: ambiguous_subject']);
  await edition.advance(acme.clock, '2023-12-01T02:00:00Z');
  const quantities = (await Promise.all(made.map(invoicesOf))).map(([invoice]) => Number(invoice.lines[0].quantity));
  // 100 of the account until the 20th, and 10 by name: of one subscription both, or of two each
  expect(quantities.reduce((sum, quantity) => sum + quantity, 0)).toBe(110);
}, TIMEOUT_MS);

test('31 January to 30 April in New York, usage by billing period: windows are what the invoices bill, the first one from where it counts', async () => {
  const acme = await account('2024-01-31T05:00:00Z', { timezone: 'America/New_York', subjects: ['periods-of-account'] });
  const subscription = await subscribe(acme, 'calls', '2024-01-31T05:00:00Z', { subjects: ['periods'], countFrom: '2024-01-20T00:00:00Z' });
  await send(used('periods', '2024-01-20T00:00:00Z', 1), used('periods', '2024-02-29T04:59:59.999999Z', 2), used('periods', '2024-02-29T05:00:00Z', 4), used('periods', '2024-03-31T03:59:59Z', 8), used('periods', '2024-03-31T04:00:00Z', 16));
  const ask = (subject: string, more = ''): Promise<Answer> => edition.ask(`/api/v1/usage/meters/calls/query?windowSize=billing_period&from=2024-01-01T00:00:00Z&to=2024-04-15T00:00:00Z${subject}${more}`);
  await untilStandings('periods', Array<string>(5).fill('counted'));
  const windows = ({ body }: Answer): string[] => body.data.map(({ windowStart, windowEnd, value }: Json) => `${value} ${windowStart} ${windowEnd}`);
  expect(windows(await ask('&subject=periods'))).toEqual(['3 2024-01-20T00:00:00Z 2024-02-29T05:00:00Z', '12 2024-02-29T05:00:00Z 2024-03-31T04:00:00Z', '16 2024-03-31T04:00:00Z 2024-04-15T00:00:00Z']);
  expect(windows(await ask('&subject=periods-of-account', '&fill=zero'))).toEqual(['0 2024-01-20T00:00:00Z 2024-02-29T05:00:00Z', '0 2024-02-29T05:00:00Z 2024-03-31T04:00:00Z', '0 2024-03-31T04:00:00Z 2024-04-15T00:00:00Z']);
  await edition.advance(acme.clock, '2024-03-31T06:00:00Z');
  expect((await invoicesOf(subscription)).map(({ lines: [line] }) => `${line.quantity} ${line.servicePeriod.from} ${line.servicePeriod.to}`)).toEqual(windows(await ask('&subject=periods')).slice(0, 2));
  expect(windows(await edition.ask('/api/v1/usage/meters/calls/query?windowSize=billing_period&from=2020-01-01T00:00:00Z&to=2021-01-01T00:00:00Z&subject=periods&fill=zero'))).toEqual([]);
  const refused = { '': 'subject_missing', '&subject=': 'subject_missing', '&subject=nobody-has-this': 'no_subscription', '&subject=periods,early': 'different_billing_periods' };
  for (const [subject, code] of Object.entries(refused)) expect(await ask(subject)).toMatchObject({ status: 400, body: { code, errors: [{ pointer: '/subject', code }] } });
  // Two have the meter from 15 December on; a subject of an account that nobody has for this meter is nobody's.
  expect(await ask('&subject=shared')).toMatchObject({ status: 400, body: { code: 'ambiguous_subject' } });
  expect(await edition.ask('/api/v1/usage/meters/bytes/query?windowSize=billing_period&from=2024-01-01T00:00:00Z&to=2024-04-15T00:00:00Z&subject=periods-of-account')).toMatchObject({ status: 400, body: { code: 'no_subscription' } });
  expect(await edition.ask('/api/v1/usage/meters/calls/query?windowSize=billing_period&from=2024-01-01T00:00:00Z&to=2023-04-15T00:00:00Z&subject=periods')).toMatchObject({ status: 400, body: { code: 'invalid_period' } });
}, TIMEOUT_MS);

test('1 November to 1 January, usage against what the plan includes and its price so far: with no more usage the invoice says the same', async () => {
  await edition.post('/api/v1/usage/meters', { key: 'tokens', eventType: 'tokens', aggregation: 'sum', valueProperty: '$.n', conversion: { divideBy: '1000', round: 'up' } });
  await edition.post('/api/v1/billing/plans', { key: 'included', name: 'Included', currency: 'USD', interval: MONTHLY, charges: [
    { key: 'platform', name: 'Platform', type: 'recurring', timing: 'in_arrears', price: { model: 'flat', amount: '9.00' } },
    { key: 'tokens', name: 'Tokens', type: 'usage', meterKey: 'tokens', price: { model: 'graduated', tiers: [{ upTo: '10', unitAmount: '0' }, { upTo: '20', unitAmount: '0.015' }, { upTo: null, unitAmount: '0.01' }] } },
    perUnit('calls', 'calls', '0.003'),
  ] });
  const acme = await account('2023-11-01T00:00:00Z', { subjects: ['included-too'] });
  const subscription = await subscribe(acme, 'included', '2023-11-16T12:00:00Z', { subjects: ['included'], countFrom: '2023-11-10T00:00:00Z', alignment: 'calendar' });
  const usage = (period = ''): Promise<Answer> => edition.ask(`/api/v1/billing/subscriptions/${subscription.id}/usage${period}`);
  // Before it starts.
  await send(used('included', '2023-11-10T00:00:00Z', 3_001, 'tokens'));
  await untilStandings('included', ['counted']);
  const first = { period: { from: '2023-11-16T12:00:00Z', to: '2023-12-01T00:00:00Z' }, usagePeriod: { from: '2023-11-10T00:00:00Z', to: '2023-12-01T00:00:00Z' }, currency: 'USD' };
  expect((await usage()).body).toMatchObject({
    ...first, invoiceId: null, total: '0.00', charges: [
      { chargeKey: 'tokens', meterKey: 'tokens', quantity: '3001', billedQuantity: '4', amount: '0.00', included: { units: '10', used: '4', remaining: '6' }, tier: { number: 1, remaining: '6' } },
      { chargeKey: 'calls', quantity: '0', amount: '0.00', included: null, tier: null }],
  });
  await edition.advance(acme.clock, '2023-11-30T23:59:59.999999Z');
  await send(used('included-too', '2023-11-30T23:59:59.999999Z', 12_500, 'tokens'), used('included', '2023-11-20T00:00:00Z', 7), used('included', '2023-12-01T00:00:00Z', 50_000, 'tokens'), used('included', '2023-11-09T23:59:59Z', 90_000, 'tokens'));
  await untilStandings('included-too', ['counted']);
  await untilStandings('included', ['counted', 'counted', 'counted', 'waiting: no_subscription']);
  const { body: last } = await usage();
  // 15,501 tokens are 16 units: 6 over the 10 at 0.015 are 0.09; 7 calls at 0.003 are 0.02
  expect(last).toMatchObject({ ...first, total: '0.11', charges: [{ quantity: '15501', billedQuantity: '16', amount: '0.09', included: { used: '10', remaining: '0' }, tier: { number: 2, from: '10', upTo: '20', remaining: '4' } }, { quantity: '7', amount: '0.02' }] });
  expect(last.asOf > '2023-12-01T00:00:00Z').toBe(true); // wall time: all of it is in
  await edition.advance(acme.clock, '2023-12-01T02:00:00Z');
  const [invoice] = await invoicesOf(subscription);
  const priced = (lines: Json): string[] => lines.filter(({ chargeKey }: Json) => chargeKey !== 'platform').map(({ chargeKey, quantity, billedQuantity, amount }: Json) => [chargeKey, quantity, billedQuantity, amount].join(' '));
  expect([invoice.status, priced(invoice.lines)]).toEqual(['finalized', priced(last.charges)]);
  expect((await usage('?period=2023-11-20T00:00:00Z')).body).toMatchObject({ ...first, invoiceId: invoice.id, total: '0.11' });
  for (const instant of ['2023-11-10T00:00:00Z', '2023-12-01T00:00:00%2B02:00']) expect((await usage(`?period=${instant}`)).body.charges).toEqual(last.charges);
  // 50 units: 10 free, 10 at 0.015 and 30 at 0.01
  expect((await usage()).body).toMatchObject({ period: { from: '2023-12-01T00:00:00Z', to: '2024-01-01T00:00:00Z' }, usagePeriod: { from: '2023-12-01T00:00:00Z' }, total: '0.45', charges: [{ amount: '0.45', tier: { number: 3, upTo: null, remaining: null } }, { amount: '0.00' }] });
  expect(await usage('?period=2024-01-01T00:00:00Z')).toMatchObject({ status: 400, body: { code: 'period_not_begun', errors: [{ pointer: '/period' }] } });
  expect(await usage('?period=2023-11-09T23:59:59Z')).toMatchObject({ status: 400, body: { code: 'period_before_start' } });
  expect(await usage('?period=november')).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  expect(await edition.ask('/api/v1/billing/subscriptions/sub_none/usage')).toMatchObject({ status: 404, body: { code: 'subscription_not_found' } });
}, TIMEOUT_MS);

test('1 November to 5 December, usage that comes after the invoice, is taken back or amended: the invoice says how much came late, and its sums stay', async () => {
  const [acme, other] = [await account('2023-11-01T00:00:00Z'), await account('2023-11-01T00:00:00Z')];
  const subscription = await subscribe(acme, 'calls', '2023-11-01T00:00:00Z', { subjects: ['late'], countFrom: '2023-10-20T00:00:00Z' });
  const untouched = await subscribe(other, 'calls', '2023-11-01T00:00:00Z', { subjects: ['punctual'] });
  await send({ ...used('late', '2023-11-05T00:00:00Z', 100), id: 'late-1' }, { ...used('late', '2023-11-06T00:00:00Z', 10), id: 'late-2' }, used('late', '2023-12-02T00:00:00Z', 1), used('punctual', '2023-11-05T00:00:00Z', 100));
  for (const { clock } of [acme, other]) await edition.advance(clock, '2023-12-05T00:00:00Z');
  const [invoice] = await invoicesOf(subscription);
  expect(invoice).toMatchObject({ status: 'finalized', total: '1.10', lateUsage: null });
  const before = new Date().toISOString();
  await send(used('late', '2023-10-20T00:00:00Z', 5), used('late', '2023-12-01T00:00:00Z', 5), used('punctual', '2023-12-01T00:00:00Z', 5), { ...used('late', '2023-11-05T00:00:00Z', 100), id: 'late-1' });
  const correct = (kind: string, id: string, more: object = {}): Promise<Json> => edition.post(`/api/v1/usage/events/${kind}`, { subject: 'late', source: 'gateway', id, reason: 'wrong', ...more });
  await correct('void', 'late-1');
  await correct('amend', 'late-2', { data: { n: 11 } });
  // One that was used in October, which counts from the 20th on, one that was taken back, and one that was amended. The one of December is on no invoice yet.
  const found = await eventually('what came late', async (saw) => {
    const { body } = await edition.ask(`/api/v1/billing/invoices/${invoice.id}`);
    saw(body.lateUsage);
    return body.lateUsage?.events === 3 ? body as Json : undefined;
  });
  expect(found.lateUsage.since >= before).toBe(true);
  expect(found).toEqual({ ...invoice, lateUsage: found.lateUsage, lines: [{ ...invoice.lines[0], lateUsage: found.lateUsage }] });
  expect((await invoicesOf(subscription))[0]).toEqual(found);
  expect(await verified(invoice)).toEqual([true]);
  expect(await edition.get(`/api/v1/billing/invoices/${invoice.id}/lines`)).toMatchObject({ data: [{ lateUsage: found.lateUsage }] });
  await edition.advance(acme.clock, '2024-01-01T02:00:00Z');
  // (1 + 5) x 0.01: the late one of December 1 came before its invoice
  expect((await invoicesOf(subscription))[1]).toMatchObject({ total: '0.06', lateUsage: null });
  expect((await invoicesOf(untouched))[0]).toMatchObject({ total: '1.00', lateUsage: null });
  // What is used so far says what it would be now: 11 + 5
  expect(await edition.get(`/api/v1/billing/subscriptions/${subscription.id}/usage?period=2023-11-01T00:00:00Z`)).toMatchObject({ invoiceId: invoice.id, total: '0.16' });
}, TIMEOUT_MS);

test('at last every event that was accepted is in exactly one place', async () => {
  const { events: ends, isEqual } = await edition.get('/api/v1/usage/reconciliation?from=2000-01-01T00:00:00Z&to=2100-01-01T00:00:00Z');
  // 6 + 2 + 7 + 3 + 5 + 5 + 8 events and 2 corrections. One of early and one of included are before they count, one page before its meter, two of shared and one of at-once are of two subscriptions.
  expect([ends, isEqual]).toEqual([{ accepted: 38, counted: 28, duplicate: 1, conflict: 0, waiting: 6, excluded: 3, reasons: { no_subscription: 2, no_meter: 1, ambiguous_subject: 3, voided: 1, amended: 1, void: 1 } }, true]);
}, TIMEOUT_MS);
