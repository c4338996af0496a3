import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Metrics } from '@valueverse/platform';
import { eventually } from '@valueverse/testing';
import { guarded } from './guarded-provider';
import { providerMeter } from './provider-meter';
import { StripeProvider } from './stripe/stripe-provider';

// What the guard before a provider says of it in metrics, before a real socket that is there or not.
const { signal } = new AbortController();
const read = { tenant: 'org_1:test', now: '2026-03-01T00:00:00Z', reference: 'pi_1' };
const AT_ONCE = 32;
const WAITING = 256;
const providerAt = (port: number) => new StripeProvider({ name: 'stripe', timeoutMs: 5_000, account: async () => ({ apiKey: 'sk_test_x', url: `http://127.0.0.1:${port}` }) });
const servers: Server[] = [];
const shut = (server: Server): Promise<void> => new Promise((resolve) => { server.close(() => resolve()); server.closeAllConnections(); });
afterEach(async () => { for (const server of servers.splice(0)) await shut(server); });
const listening = async (server: Server, port = 0): Promise<number> => {
  if (!servers.includes(server)) servers.push(server);
  await new Promise<void>((resolve) => { server.listen(port, '127.0.0.1', resolve); });
  return (server.address() as AddressInfo).port;
};
const meterOf = () => {
  const metrics = new Metrics();
  const value = async (name: string): Promise<number | undefined> => {
    const line = (await metrics.text()).split('\n').find((one) => one.startsWith(`valueverse_payments_${name}`));
    return line === undefined ? undefined : Number(line.split(' ').at(-1));
  };
  return { meter: providerMeter(metrics), value };
};
const PAID = JSON.stringify({ id: 'pi_1', object: 'payment_intent', status: 'succeeded', amount: 4_900, amount_received: 4_900, currency: 'usd', metadata: {} });

test('F97: a provider that is not there opens the breaker, is left alone, tried with one question, and asked again once it answers; the metrics say each of these', async () => {
  const server = createServer((_, reply) => reply.end(PAID));
  const port = await listening(server);
  const { meter, value } = meterOf();
  const provider = guarded(providerAt(port), { leftAloneMs: 300, meter });
  expect([await value('provider_breaker{provider="stripe"}'), (await provider.read(read, signal)).status]).toEqual([0, 'succeeded']);
  await shut(server);
  // The first may have been on its way by a connection that was kept.
  for (let times = 0; times < 6; times++) expect((await provider.read(read, signal)).status).toMatch(/unavailable|unknown/);
  expect(await value('provider_breaker{provider="stripe"}')).toBe(2);
  expect(await value('provider_retries_total{provider="stripe",operation="read"}')).toBeGreaterThanOrEqual(6);
  const before = await value('provider_turned_away_total{provider="stripe",why="breaker"}') ?? 0;
  expect(await provider.read(read, signal)).toMatchObject({ status: 'unavailable', reason: expect.stringMatching(/left alone/) as string });
  expect(await value('provider_turned_away_total{provider="stripe",why="breaker"}')).toBeGreaterThan(before);
  await listening(server, port);
  await eventually('the provider to be asked again', async () => ((await provider.read(read, signal)).status === 'succeeded' || undefined));
  expect(await value('provider_breaker{provider="stripe"}')).toBe(0);
  expect(await value('answers_total{provider="stripe",operation="read",outcome="succeeded"')).toBe(2);
}, 30_000);

test('no more questions are under way at once than there is room for; those beyond it are turned away, and nothing was asked for them', async () => {
  let asked = 0;
  const open: (() => void)[] = [];
  const server = createServer((_, reply) => { asked += 1; open.push(() => reply.end(PAID)); });
  const port = await listening(server);
  const { meter, value } = meterOf();
  const provider = guarded(providerAt(port), { meter });
  const all = Array.from({ length: AT_ONCE + WAITING + 5 }, () => provider.read(read, signal));
  await eventually('the first ones to be asked', async () => (asked === AT_ONCE || undefined));
  expect(await value('provider_turned_away_total{provider="stripe",why="bulkhead"}')).toBe(5);
  const answering = setInterval(() => { for (const answer of open.splice(0)) answer(); }, 5);
  const statuses = (await Promise.all(all)).map(({ status }) => status);
  clearInterval(answering);
  expect([statuses.filter((status) => status === 'succeeded').length, statuses.filter((status) => status === 'unavailable').length, asked]).toEqual([AT_ONCE + WAITING, 5, AT_ONCE + WAITING]);
}, 30_000);
