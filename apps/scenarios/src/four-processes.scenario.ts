import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceName } from '@valueverse/contracts';
import { Database } from '@valueverse/event-log';
import { startInbox } from '@valueverse/notifications';
import { freePort, scratchFolder } from '@valueverse/platform';
import { createEmptyDatabase, describeOnKafka, eventually, startOtlpReceiver, type OtlpReceiver, type ReceivedSpan, type TestDatabase } from '@valueverse/testing';
import type { Json } from './edition.spec-kit';
import { comparedWithAsyncApi, totalsOfExample } from './fifth-service.spec-kit';
import { jsonOf, run, type Running } from './process.spec-kit';
import { following, sendingTo, SPINE } from './traces.spec-kit';

const MAINS: Readonly<Record<ServiceName, string>> = {
  usage: 'apps/usage-service/dist/main.js', billing: 'apps/billing-engine/dist/main.js', payments: 'apps/payment-service/dist/main.js', notifications: 'apps/notification-service/dist/main.js',
};
const NAMES = Object.keys(MAINS) as ServiceName[];
const TIMEOUT_MS = 240_000;
const OPERATOR_TOKEN = 'operator-token-of-a-test';

/** Four processes, each with its own database; only the feed and the addresses are shared. */
class FourServices {
  readonly databases: TestDatabase[] = [];
  readonly folder = scratchFolder('four');
  readonly processes: Running[] = [];
  url = '';
  private inbox: Awaited<ReturnType<typeof startInbox>> | undefined;
  private inboxDatabase: Database | undefined;

  async start(feed: (database: () => Promise<string>) => Promise<Record<string, string>>): Promise<void> {
    const database = async (): Promise<string> => { const made = await createEmptyDatabase(); this.databases.push(made); return made.url; };
    const ports = Object.fromEntries(await Promise.all(NAMES.map(async (name) => [name, await freePort()] as const))) as Record<ServiceName, number>;
    const urls = Object.fromEntries(NAMES.map((name) => [name, `http://127.0.0.1:${ports[name]}`])) as Record<ServiceName, string>;
    const own = Object.fromEntries(await Promise.all(NAMES.map(async (name) => [name, await database()] as const))) as Record<ServiceName, string>;
    this.inboxDatabase = new Database({ url: own.notifications, schema: 'notifications', connectionsMax: 2 });
    this.inbox = await startInbox({ database: this.inboxDatabase, port: 0 });
    const shared = {
      ...(await feed(database)), VV_MASTER_KEY: randomBytes(32).toString('base64'), VV_OPERATOR_TOKEN: OPERATOR_TOKEN, VV_SERVICE_TOKEN: 'service-token-of-a-test', SMTP_URL: this.inbox.url,
      USAGE_URL: urls.usage, BILLING_URL: urls.billing, PAYMENTS_URL: urls.payments, NOTIFICATIONS_URL: urls.notifications, LOG_LEVEL: 'warn',
    };
    for (const name of NAMES) {
      this.processes.push(run(MAINS[name], [], { ...shared, PORT: String(ports[name]), DATABASE_URL: own[name], VV_ANCHOR_FILE: join(this.folder, `${name}.jsonl`) }));
    }
    await Promise.all(NAMES.map((name, index) => eventually(`${name} to be ready`, async (saw) => {
      const { child, output } = this.processes[index]!;
      if (child.exitCode !== null) throw new Error(output());
      saw(output());
      return (await fetch(`${urls[name]}/health/ready`)).status === 200 ? true : undefined;
    }, { timeoutMs: TIMEOUT_MS, everyMs: 100 })));
    const port = await freePort();
    this.processes.push(run('apps/valueverse/dist/gateway/main.js', [], { PORT: String(port), ...Object.fromEntries(NAMES.map((name) => [`${name.toUpperCase()}_TARGETS`, urls[name]])) }));
    this.url = `http://127.0.0.1:${port}`;
    await eventually('the gateway to find all of them ready', async () => ((await fetch(`${this.url}/health/ready`)).status === 200 ? true : undefined), { timeoutMs: TIMEOUT_MS, everyMs: 100 });
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map((process_) => process_.kill()));
    await this.inbox?.stop();
    await this.inboxDatabase?.close();
    await Promise.all(this.databases.map((database) => database.drop()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Metering asks billing for its periods, billing asks metering for what was used: over HTTP, where they are two processes. */
const eachAsksTheOther = async (url: string): Promise<void> => {
  const ask = async (path: string, key: string, body?: unknown): Promise<Json> => {
    const type = Array.isArray(body) ? 'application/cloudevents-batch+json' : 'application/json';
    return (await fetch(`${url}/api/v1/${path}`, { headers: { authorization: `Bearer ${key}`, 'content-type': type }, ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }) })).json();
  };
  const { keys } = await ask('operator/organizations', OPERATOR_TOKEN, { name: 'Asking' });
  const key = keys.find((one: Json) => one.environment === 'test' && one.kind === 'secret').key as string;
  await ask('usage/meters', key, { key: 'calls', eventType: 'call', aggregation: 'count' });
  await eventually('the meter to be known to billing', async (saw) => {
    const plan = await ask('billing/plans', key, { key: 'calls', name: 'Calls', currency: 'USD', interval: { unit: 'month', count: 1 }, charges: [{ key: 'calls', name: 'Calls', type: 'usage', meterKey: 'calls', price: { model: 'per_unit', unitAmount: '0.5' } }] });
    saw(plan);
    return plan.key === 'calls' ? true : undefined;
  });
  const startsAt = new Date(Date.now() - 86_400_000).toISOString();
  const { id: accountId } = await ask('billing/accounts', key, { name: 'Acme', currency: 'USD', timezone: 'UTC', subjects: ['asking'], openedAt: startsAt });
  const { id, currentPeriod } = await ask('billing/subscriptions', key, { accountId, planKey: 'calls', startsAt });
  expect(await ask('usage/events', key, [{ specversion: '1.0', id: '1', source: 's', type: 'call', subject: 'asking' }])).toEqual({ accepted: 1, rejected: [] });
  await eventually('the usage of the period', async (saw) => {
    const usage = await ask(`billing/subscriptions/${id}/usage`, key);
    saw(usage);
    return usage.total === '0.50' ? true : undefined;
  });
  const query = (subject: string): Promise<Json> => ask(`usage/meters/calls/query?windowSize=billing_period&from=2020-01-01T00:00:00Z&to=${currentPeriod.to}&subject=${subject}`, key);
  expect(await query('asking')).toMatchObject({ data: [{ windowStart: currentPeriod.from, windowEnd: currentPeriod.to, value: '1' }] });
  expect(await query('nobody')).toMatchObject({ status: 400, code: 'no_subscription' });
};

const billsTheHour = (name: string, feed: (database: () => Promise<string>) => Promise<Record<string, string>>, afterwards: () => Promise<void> = async () => undefined): void => {
  test(name, async () => {
    const four = new FourServices();
    try {
      await four.start(feed);
      const demo = run('apps/valueverse/dist/demo/main.js', ['--url', four.url, '--json'], { VV_OPERATOR_TOKEN: OPERATOR_TOKEN });
      if ((await demo.ended) !== 0) throw new Error(`${demo.output()}\n${four.processes.map(({ output }) => output()).join('\n')}`);
      expect(jsonOf(demo)).toMatchObject([
        { number: 'INV-000001', total: '49.00', paymentStatus: 'paid' },
        { number: 'INV-000002', total: '134.84', paymentStatus: 'paid', lines: [{ quantity: '40421844', amount: '85.84' }, { amount: '49.00' }] },
      ]);
      await eachAsksTheOther(four.url);
      await afterwards();
    } finally {
      await four.stop();
    }
  }, TIMEOUT_MS);
};

const SAME = 'four processes with four databases bill the same hour to the same cent';
describe('over the feed on PostgreSQL', () => billsTheHour(SAME, async (database) => ({ FEED: 'postgres', FEED_DATABASE_URL: await database() })));

/** From the requests that carried the usage to the mail over it: through four processes, by records of Kafka and requests between services. */
const tracesLeadToTheMail = (spans: readonly ReceivedSpan[]): Promise<true> => eventually('the way to the e-mail', (saw) => {
  const request = spans.find(({ name, links }) => name === 'append statement' && links.length > 1)?.links[0];
  const envelope = spans.find(({ traceId, spanId }) => traceId === request?.traceId && spanId === request.spanId);
  const start = spans.find(({ traceId, spanId }) => traceId === envelope?.traceId && spanId === envelope.parentSpanId);
  const way = start === undefined ? [] : following(spans, start);
  const missing = SPINE.filter((wanted) => !way.some(({ name }) => name === wanted));
  const services = new Set(way.map(({ service }) => service));
  // The PDF of the mail is asked of billing: the answer is part of the same trace, in the other process.
  const asked = way.find(({ name }) => name === 'GET /internal/v1/invoices/:id/pdf');
  saw({ spans: spans.length, missing, services: [...services], asked: asked?.service });
  return missing.length === 0 && services.size === NAMES.length && asked?.service === 'valueverse-billing' ? true : undefined;
});

describeOnKafka('over the feed on Kafka', (brokers) => {
  const namespace = `four${randomBytes(4).toString('hex')}.`;
  let receiver: OtlpReceiver;
  beforeAll(async () => { receiver = await startOtlpReceiver(); });
  afterAll(() => receiver.stop());
  billsTheHour(`${SAME}; a trace leads through all of them, a fifth service reads the same, and every record is as docs/asyncapi has it`, async () => ({
    FEED: 'kafka', KAFKA_BROKERS: brokers().join(','), KAFKA_REPLICATION: '1', KAFKA_NAMESPACE: namespace, ...sendingTo(receiver.url),
  }), async () => {
    await tracesLeadToTheMail(receiver.spans);
    const cluster = { brokers: brokers(), namespace };
    expect(await totalsOfExample(cluster, 2)).toEqual([{ currency: 'USD', total: '183.84', paid: '2' }]);
    const { records, faults } = await comparedWithAsyncApi(cluster);
    expect(faults).toEqual([]);
    expect(Object.keys(records)).toEqual(expect.arrayContaining(['usage.events', 'usage.statements', 'billing.accounts', 'billing.invoices', 'payments.payments', 'notifications.messages', 'identity.credentials', 'identity.personal-keys', 'platform.clocks']));
  });
});
