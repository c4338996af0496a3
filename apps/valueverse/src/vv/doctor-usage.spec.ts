import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import { ApiClient } from '../http/api-client';
import { findingsIn, reconciled, type Reconciled } from './doctor-usage';

const HOUR_MS = 3_600_000;
const events = (accepted: number, counted: number, more: object = {}): Reconciled['events'] => ({ accepted, counted, duplicate: 1, conflict: 0, waiting: 2, excluded: 0, reasons: { no_meter: 2 }, ...more });
const meter = (meterKey: string, fromEnvelopes: number, inBuckets = fromEnvelopes): Reconciled['meters'][number] => ({ meterKey, fromEnvelopes, inBuckets, inAllSubjects: inBuckets, leftOut: 0, differing: fromEnvelopes === inBuckets ? 0 : 1, isEqual: fromEnvelopes === inBuckets });

test('all that was accepted is in one place, or it is said how much is not, and where to look', () => {
  const period = { from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z', differences: [], alteredEnvelopes: 0, notIndexed: 0, sealed: 0, sealFaults: [] };
  expect(findingsIn({ ...period, events: events(8, 5), meters: [meter('calls', 5)] })).toEqual([
    { check: 'usage events', ok: true, detail: '8 accepted = 5 counted + 1 duplicate + 0 conflict + 2 waiting + 0 excluded (no_meter 2)' }, { check: 'usage meter calls', ok: true, detail: '5 events in buckets and in envelopes' }]);
  expect(findingsIn({ ...period, events: events(9, 5), meters: [meter('calls', 5, 4)] })).toEqual([
    { check: 'usage events', ok: false, detail: expect.stringContaining(': the sum is 8'), next: '1 events are in no place: npx vv events list --received-from 2026-03-01T00:00:00Z --received-to 2026-03-02T00:00:00Z' },
    { check: 'usage meter calls', ok: false, detail: expect.stringContaining('the envelopes hold 5 events, the buckets 4'), next: expect.stringContaining('npx vv projections rebuild usage metering@1') }]);
  const sealFaults = [{ subject: 'acme', from: period.from, code: 'bucket_altered', meterKey: 'calls' }, { subject: 'beta', from: period.from, code: 'seal_altered', meterKey: null }];
  expect(findingsIn({ ...period, events: events(8, 5), meters: [], sealed: 3 })[1]).toMatchObject({ check: 'usage seals', ok: true, detail: expect.stringContaining('3 quarters') });
  expect(findingsIn({ ...period, events: events(8, 5), meters: [], sealed: 3, sealFaults })[1]).toMatchObject({ ok: false, detail: expect.stringContaining('bucket_altered of acme at 2026-03-01T00:00:00Z for meter calls, and 1 more') });
});

test('what the events of a meter come to is said, and where it is not the same: the meter, the subject, the bucket and both values', () => {
  const period = { from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z', events: events(8, 5), differences: [], alteredEnvelopes: 0, notIndexed: 0, sealed: 0, sealFaults: [] };
  const values = { fromEnvelopes: '16.5', inBuckets: '16.5', inAllSubjects: '16.5' };
  const tokens = { ...meter('tokens', 5), values };
  const said = (more: Partial<Reconciled>): object[] => findingsIn({ ...period, meters: [tokens], ...more }).slice(1);
  expect(said({})).toEqual([{ check: 'usage meter tokens', ok: true, detail: '5 events in buckets and in envelopes, which come to 16.5' }]);
  // Its own verdict is not believed.
  expect(said({ meters: [{ ...tokens, values: { ...values, inAllSubjects: '17' } }] })).toMatchObject([{ ok: false }]);
  expect(said({ meters: [{ ...tokens, inAllSubjects: 4 }] })).toMatchObject([{ ok: false }]);
  const difference = { meterKey: 'tokens', partition: 3, subject: 'acme', groupBy: { model: 'big' }, from: '2026-03-01T10:00:00Z', fromEnvelopes: { events: 2, value: '10' }, inBuckets: { events: 2, value: '11' } };
  const wrong = { ...tokens, differing: 2, isEqual: false };
  expect(said({ meters: [wrong], differences: [difference] })).toEqual([{
    check: 'usage meter tokens', ok: false, next: expect.stringContaining('npx vv projections rebuild usage metering@1'),
    detail: 'acme at 2026-03-01T10:00:00Z {"model":"big"}: the envelopes come to 10 (2 events), the bucket to 11 (2 events), and 1 more buckets differ: buckets or envelopes were changed',
  }]);
  expect(said({ meters: [wrong], differences: [{ ...difference, subject: null, groupBy: {}, inBuckets: { events: 0, value: null } }] })).toMatchObject([{ detail: expect.stringMatching(/^all subjects of partition 3 at 2026-03-01T10:00:00Z: the envelopes come to 10 \(2 events\), the bucket to nothing/) }]);
  expect(said({ alteredEnvelopes: 1 })).toMatchObject([{ check: 'usage envelopes', ok: false }, { ok: true }]);
  expect(said({ notIndexed: 2 })).toMatchObject([{ check: 'usage index', ok: false, detail: expect.stringContaining('2 events') }, { ok: true }]);
  expect(said({ meters: [{ ...tokens, leftOut: 7 }] })).toMatchObject([{ ok: true }, { check: 'usage meter tokens dimensions', ok: false, detail: expect.stringContaining('7 events are left out (too_many_groups)'), next: expect.stringContaining('meterKey=tokens') }]);
});

describe('a period that is too long for one answer', () => {
  let server: Server;
  let api: ApiClient;
  const asked: string[] = [];
  beforeAll(async () => {
    // As the installation answers, with room for an hour.
    server = createServer((request, response) => {
      const [from, to] = ['from', 'to'].map((name) => new URL(request.url!, 'http://x').searchParams.get(name)!) as [string, string];
      const partition = new URL(request.url!, 'http://x').searchParams.get('partition');
      // From ten o'clock on there is so much that a quarter of an hour is too long as well.
      const isLong = partition === null && (Date.parse(to) - Date.parse(from) > HOUR_MS || from.includes('T10'));
      if (!isLong) asked.push(partition === null ? `${from} ${to}` : `${from} ${to} ${partition}`);
      response.writeHead(isLong ? 400 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(isLong ? { code: 'period_too_long' } : { from, to, events: events(8, 5), meters: [meter('calls', 5), ...(from.includes('T00:0') ? [meter('rare', 1)] : [])], differences: [], alteredEnvelopes: 0, notIndexed: 0, sealed: 1, sealFaults: [] }));
    });
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    api = new ApiClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'key');
  });
  afterAll(() => new Promise<void>((resolve) => { server.close(() => resolve()); }));

  test('is asked for in parts that meet at quarters of an hour and leave nothing out', async () => {
    const found = await reconciled(api, { from: '2026-03-01T00:03:00Z', to: '2026-03-01T03:10:00Z' });
    const ends = asked.map((part) => part.split(' '));
    expect(ends[0]![0]).toBe('2026-03-01T00:03:00Z');
    expect(ends.at(-1)![1]).toBe('2026-03-01T03:10:00Z');
    for (const [nth, [from]] of ends.slice(1).entries()) { expect(from).toBe(ends[nth]![1]); expect(Date.parse(from!) % (HOUR_MS / 4)).toBe(0); }
    const parts = ends.length;
    expect(found.events).toEqual({ accepted: 8 * parts, counted: 5 * parts, duplicate: parts, conflict: 0, waiting: 2 * parts, excluded: 0, reasons: { no_meter: 2 * parts } });
    // What is compared in a part of the period only is not compared.
    expect(found.meters).toEqual([meter('calls', 5 * parts)]);
    expect(found.sealed).toBe(parts);
  });

  test('and a quarter of an hour that is too long, partition by partition', async () => {
    asked.length = 0;
    const found = await reconciled(api, { from: '2026-03-01T10:00:00Z', to: '2026-03-01T10:15:00Z' });
    expect(asked).toEqual(Array.from({ length: USAGE_PARTITIONS }, (_, partition) => `2026-03-01T10:00:00Z 2026-03-01T10:15:00Z ${partition}`));
    expect(found).toMatchObject({ from: '2026-03-01T10:00:00Z', to: '2026-03-01T10:15:00Z', events: { accepted: 8 * USAGE_PARTITIONS }, meters: [meter('calls', 5 * USAGE_PARTITIONS)] });
  });

  test('is not asked for again where nobody answers', async () => {
    await expect(reconciled(new ApiClient('http://127.0.0.1:1', 'key'), { from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z' })).rejects.toThrow('nothing answers');
  });
});
