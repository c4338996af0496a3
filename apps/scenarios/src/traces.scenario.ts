import { randomBytes } from 'node:crypto';
import { eventually, startOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from '@valueverse/testing';
import { Edition, type Json } from './edition.spec-kit';

const TIMEOUT_MS = 120_000;
const BILLED = { name: 'Ada Lovelace', email: 'ada@lovelace.example', line1: '12 St James Square' };
const SPINE = [
  'POST /api/v1/usage/events', 'create usage.events', 'append statement', 'process usage.statements', 'append invoice', 'job billing.finalize-invoice',
  'process billing.invoices', 'append payment', 'job payments.run-attempt', 'provider charge', 'append message', 'job notifications.send', 'smtp send',
];

let receiver: OtlpReceiver;
let edition: Edition;
beforeAll(async () => {
  receiver = await startOtlpReceiver();
  edition = await Edition.start({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', OTEL_BSP_SCHEDULE_DELAY: '100' });
}, TIMEOUT_MS);
afterAll(async () => {
  await (edition as Edition | undefined)?.stop();
  await (receiver as OtlpReceiver | undefined)?.stop();
});

const nameOf = ({ traceId, spanId }: { traceId: string; spanId: string }): string => `${traceId}/${spanId}`;

/** Everything that follows from a span: its children, what is linked to it, and so on. */
const following = (spans: readonly ReceivedSpan[], start: ReceivedSpan): ReceivedSpan[] => {
  const next = new Map<string, ReceivedSpan[]>();
  for (const span of spans) {
    const causes = [...(span.parentSpanId === undefined ? [] : [{ traceId: span.traceId, spanId: span.parentSpanId }]), ...span.links];
    for (const cause of causes) next.set(nameOf(cause), [...(next.get(nameOf(cause)) ?? []), span]);
  }
  const seen = new Map([[nameOf(start), start]]);
  for (const span of seen.values()) for (const follower of next.get(nameOf(span)) ?? []) seen.set(nameOf(follower), follower);
  return [...seen.values()];
};

const billed = async (): Promise<{ usageTrace: string; paid: Json }> => {
  await edition.post('/api/v1/usage/meters', { key: 'prompts', eventType: 'model.call', aggregation: 'sum', valueProperty: '$.prompts' });
  await edition.post('/api/v1/billing/plans', { key: 'models', name: 'Models', currency: 'USD', interval: { unit: 'month', count: 1 },
    charges: [{ key: 'prompts', name: 'Prompts', type: 'usage', meterKey: 'prompts', price: { model: 'per_unit', unitAmount: '0.01' } }] });
  const clock = await edition.post('/api/v1/billing/clocks', { name: 'c', now: '2024-01-01T00:00:00Z' });
  const account = await edition.post('/api/v1/billing/accounts', { name: BILLED.name, email: BILLED.email, address: { line1: BILLED.line1, country: 'GB' }, currency: 'USD', timezone: 'UTC', testClockId: clock.id });
  await edition.post('/api/v1/payments/methods', { accountId: account.id, provider: 'sandbox', token: 'tok_ok', default: true });
  await edition.post('/api/v1/billing/subscriptions', { accountId: account.id, planKey: 'models', startsAt: '2024-01-01T00:00:00Z', subjects: ['acme'] });
  const usageTrace = randomBytes(16).toString('hex');
  const sent = await edition.ask('/api/v1/usage/events?secret=in-a-query', {
    method: 'POST', headers: { traceparent: `00-${usageTrace}-00f067aa0ba902b7-01`, 'content-type': 'application/cloudevents-batch+json' },
    raw: JSON.stringify([1, 2, 3].map((nth) => ({ specversion: '1.0', id: `e${nth}`, source: 's', type: 'model.call', subject: 'acme', time: '2024-01-10T00:00:00Z', data: { prompts: nth } }))),
  });
  expect(sent).toMatchObject({ status: 202, body: { accepted: 3 } });
  await edition.advance(clock.id, '2024-02-02T00:00:00Z');
  const { data: [paid] } = await edition.get(`/api/v1/billing/invoices?accountId=${account.id}`);
  expect(paid).toMatchObject({ total: '0.06', paymentStatus: 'paid' });
  return { usageTrace, paid };
};

test('from the trace of the request that carried the usage the e-mail is reached by parents and links', async () => {
  const { usageTrace } = await billed();
  const isRequest = ({ traceId, name }: ReceivedSpan): boolean => traceId === usageTrace && name === SPINE[0];
  const way = await eventually('the way to the e-mail', (saw) => {
    const start = receiver.spans.find(isRequest);
    const found = start === undefined ? [] : following(receiver.spans, start);
    const names = new Set(found.map(({ name }) => name));
    saw({ missing: SPINE.filter((name) => !names.has(name)), spans: receiver.spans.length });
    return SPINE.every((name) => names.has(name)) ? found : undefined;
  });
  expect(way.find(isRequest)).toMatchObject({ parentSpanId: '00f067aa0ba902b7', attributes: { 'http.route': '/api/v1/usage/events', 'http.request.method': 'POST', 'http.response.status_code': 202 }, service: 'valueverse' });
  // Metering read the envelope, the relay published what was appended.
  expect(way.map(({ name }) => name)).toEqual(expect.arrayContaining(['send usage.events', 'process usage.events', 'send billing.invoices', 'process payments.payments']));
  expect(way.filter(({ isFailed }) => isFailed)).toEqual([]);
  // A month's job is a trace of its own, linked to what began it; what follows at once is one trace.
  const statement = way.find(({ name }) => name === 'append statement')!;
  expect(statement.links).toContainEqual({ traceId: usageTrace, spanId: receiver.spans.find(({ name }) => name === 'create usage.events')!.spanId });
  for (const name of ['smtp send', 'provider charge']) expect(way.find((span) => span.name === name)!.traceId).toBe(statement.traceId);
  expect(receiver.spans.find(({ name }) => name === 'job billing.close-invoice')).toMatchObject({ traceId: statement.traceId, parentSpanId: undefined, links: [expect.anything()] });
}, TIMEOUT_MS);

test('nothing that is personal or secret is told to whoever collects traces', () => {
  const told = receiver.bodies.join('\n');
  for (const secret of [...Object.values(BILLED), 'in-a-query', edition.secretKey, edition.operatorToken, 'tok_ok', '127.0.0.1:5432', 'postgres://']) expect(told).not.toContain(secret);
});
