import { rmSync } from 'node:fs';
import { findJaeger, startJaeger, scratchFolder } from '@valueverse/platform';
import { eventually, noteNotRun, startOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from '@valueverse/testing';
import { BILLED, billMonth } from './billed-month.spec-kit';
import { Edition } from './edition.spec-kit';
import { following, sendingTo, SPINE } from './traces.spec-kit';

const TIMEOUT_MS = 120_000;

let receiver: OtlpReceiver;
let edition: Edition;
beforeAll(async () => {
  receiver = await startOtlpReceiver();
  edition = await Edition.start(sendingTo(receiver.url));
}, TIMEOUT_MS);
afterAll(async () => {
  await (edition as Edition | undefined)?.stop();
  await (receiver as OtlpReceiver | undefined)?.stop();
});

test('from the trace of the request that carried the usage the e-mail is reached by parents and links', async () => {
  const { usageTrace, sent, invoice } = await billMonth(edition);
  expect([sent.status, invoice.total, invoice.paymentStatus]).toEqual([202, '0.06', 'paid']);
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

interface JaegerTrace { readonly spans: readonly { readonly operationName: string; readonly references: readonly { readonly refType: string; readonly traceID: string }[] }[] }

test('a real Jaeger shows the trace of the usage, and the one of the invoice with a reference to it', async () => {
  const found = findJaeger();
  if (found.how === 'none') { noteNotRun('traces in a real Jaeger', found.reason); return; }
  const folder = scratchFolder('jaeger');
  const jaeger = await startJaeger({ program: found.program, folder });
  const traced = await Edition.start(sendingTo(jaeger.otlpUrl));
  try {
    const { usageTrace } = await billMonth(traced);
    const ask = async <T>(path: string): Promise<T> => (await (await fetch(`${jaeger.url}${path}`)).json() as { data: T }).data;
    expect(await eventually('the service in Jaeger', async () => { const names = await ask<string[] | null>('/api/services'); return names?.includes('valueverse') ? names : undefined; })).toEqual(['valueverse']);
    const mailed = await eventually('the e-mail in Jaeger', async (saw) => {
      const traces = await ask<JaegerTrace[]>(`/api/traces?service=valueverse&operation=${encodeURIComponent('smtp send')}&limit=20`);
      saw(traces.map(({ spans }) => spans.length));
      return traces.find(({ spans }) => spans.some(({ references }) => references.some(({ traceID }) => traceID === usageTrace)));
    }, { timeoutMs: TIMEOUT_MS });
    const names = mailed.spans.map(({ operationName }) => operationName);
    expect(names).toEqual(expect.arrayContaining(['job billing.close-invoice', 'append statement', 'job billing.finalize-invoice', 'provider charge', 'smtp send']));
    const [usage] = await ask<JaegerTrace[]>(`/api/traces/${usageTrace}`);
    expect(usage!.spans.map(({ operationName }) => operationName)).toEqual(expect.arrayContaining(['POST /api/v1/usage/events', 'create usage.events', 'send usage.events', 'process usage.events']));
  } finally {
    await traced.stop();
    await jaeger.process.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}, TIMEOUT_MS);
