import { NodeSDK } from '@opentelemetry/sdk-node';
import { appending, contextOfFact, inSpan, LINKS_MAX, markSpan, readTraceOfJob, switchTracing, traceHeader, traceOfJob, withRecords } from './tracing';
import { newContext, runInContext, workContext } from './work-context';

interface Ended { readonly name: string; readonly parentSpanContext?: { readonly spanId: string } | undefined; readonly links: readonly unknown[]; readonly attributes: object; readonly status: object; spanContext(): { readonly traceId: string; readonly spanId: string } }
const ended: Ended[] = [];
const sdk = new NodeSDK({
  metricReaders: [], logRecordProcessors: [],
  spanProcessors: [{ onStart: () => undefined, onEnd: (span: Ended) => { ended.push(span); }, forceFlush: async () => undefined, shutdown: async () => undefined } as never],
});
beforeAll(() => sdk.start());
afterAll(() => sdk.shutdown());
beforeEach(() => { ended.length = 0; switchTracing(true); });
afterEach(() => switchTracing(false));

const trace = (nth: number): string => `a${nth.toString(16).padStart(31, '0')}`;
const traceparent = (nth: number, span = 1): string => `00-${trace(nth)}-${span.toString(16).padStart(16, '2')}-01`;

test('causes of one trace have what follows as their child, causes of many are links of a trace of its own', () => {
  markSpan('one', { causes: [traceparent(1, 1), traceparent(1, 2)] });
  markSpan('many', { causes: [traceparent(1), traceparent(2), undefined, 'rubbish'] });
  expect(ended[0]).toMatchObject({ parentSpanContext: { spanId: '2222222222222221' }, links: [{}, {}] });
  expect(ended[0]!.spanContext().traceId).toBe(trace(1));
  expect([ended[1]!.parentSpanContext, ended[1]!.links.length]).toEqual([undefined, 2]);
  expect([trace(1), trace(2)]).not.toContain(ended[1]!.spanContext().traceId);
});

test('of more causes than a span names the latest are named and the others counted', () => {
  markSpan('send', { causes: Array.from({ length: LINKS_MAX + 3 }, (_, nth) => traceparent(nth)) });
  expect(ended[0]!.links).toHaveLength(LINKS_MAX);
  expect(ended[0]!.links.at(-1)).toMatchObject({ context: { traceId: trace(LINKS_MAX + 2) } });
  expect(ended[0]!.attributes).toEqual({ 'valueverse.links.omitted': 3 });
});

test('work inside a span is part of it and keeps whose work it is', async () => {
  const context = { ...newContext(traceparent(1)), tenant: 'org_1:test', correlationId: 'c' };
  const inside = await runInContext(context, () => inSpan('outer', {}, async () => workContext()));
  expect(inside).toMatchObject({ tenant: 'org_1:test', correlationId: 'c', traceId: trace(1) });
  expect(inside!.traceparent).toBe(`00-${trace(1)}-${ended[0]!.spanContext().spanId}-01`);
});

test('a failure is told by its kind and never by its words', async () => {
  await expect(inSpan('fails', {}, async () => { throw Object.assign(new Error('ada@lovelace.example owes'), { code: 'feed_timeout' }); })).rejects.toThrow();
  expect(ended[0]).toMatchObject({ attributes: { 'error.type': 'feed_timeout' }, status: { code: 2 } });
  expect(JSON.stringify({ ...ended[0]!.attributes, ...ended[0]!.status })).not.toContain('ada');
});

test('a trace that is not sampled stays so', () => {
  markSpan('quiet', { causes: [`00-${trace(1)}-2222222222222221-00`] });
  expect(ended).toEqual([]);
});

test('a decision is part of the trace of its cause; its stream, what it is made of and the batch are links', async () => {
  const stream = [{ traceparent: traceparent(7) }, { traceparent: traceparent(1) }] as never;
  await runInContext(newContext(traceparent(3)), () => appending(async (begin) =>
    begin('invoice', { tenant: 't', at: '', actor: 'a', traceparent: traceparent(1), madeOf: [traceparent(8)] }, stream)));
  expect(ended[0]).toMatchObject({ name: 'append invoice', parentSpanContext: { spanId: '2222222222222221' }, attributes: { 'valueverse.tenant': 't' } });
  expect(ended[0]!.links.map((link) => (link as { context: { traceId: string } }).context.traceId)).toEqual([trace(7), trace(8), trace(3)]);
});

test('switched off nothing is made and the trace is passed on as it came', async () => {
  switchTracing(false);
  expect(markSpan('x', { causes: [traceparent(1), traceparent(2)] })).toBe(traceparent(1));
  expect(await inSpan('x', {}, async () => workContext())).toBeUndefined();
  expect(await appending(async (begin) => begin('x', { tenant: 't', at: '', actor: 'a', traceparent: traceparent(1) }, []))).toBe(traceparent(1));
  expect(ended).toEqual([]);
});

test('a job that falls due later is a trace of its own, linked to its cause; one that is due at once goes on with it', () => {
  const kept = (dueAt: string): unknown => readTraceOfJob(traceOfJob(traceparent(1), '2026-01-01T00:00:00Z', dueAt)!);
  expect(kept('2026-01-01T00:00:30Z')).toEqual({ traceparent: traceparent(1) });
  expect(kept('2026-02-01T00:00:00Z')).toEqual({ startedBy: traceparent(1) });
  expect(traceOfJob(undefined, '2026-01-01T00:00:00Z', '2026-02-01T00:00:00Z')).toBeUndefined();
});

test('the trace of a fact is read from the head of its text and from nowhere in its data', () => {
  expect(traceHeader(`{"id":"evt_1","traceparent":"${traceparent(1)}","data":{}}`)).toEqual({ traceparent: traceparent(1) });
  expect(traceHeader(JSON.stringify({ id: 'evt_1', actor: `"traceparent":"${traceparent(2)}"`, data: {} }))).toEqual({});
});

const record = (tenant: string, correlation: string): never => ({ headers: { ce_tenant: tenant, traceparent: traceparent(1) }, value: JSON.stringify({ correlationid: correlation, data: {} }) }) as never;
test.each<[string, never[], object]>([
  ['one record', [record('a', 'c1')], { tenant: 'a', correlationId: 'c1', traceId: trace(1) }],
  ['records of one tenant', [record('a', 'c1'), record('a', 'c2')], { tenant: 'a', traceId: trace(1) }],
  ['records of two', [record('a', 'c1'), record('b', 'c2')], { traceId: trace(1) }],
])('%s: log lines say what is known of all of them', async (_, records, expected) => {
  switchTracing(false);
  expect(await withRecords(records, async () => workContext())).toEqual({ ...expected, traceparent: traceparent(1) });
});

test('a fact is handled under its own trace, tenant and correlation', () => {
  expect(contextOfFact({ tenant: 'a', correlationId: 'c', traceparent: traceparent(1) })).toEqual({ tenant: 'a', correlationId: 'c', traceId: trace(1), traceparent: traceparent(1) });
});
