import { eventually } from '@valueverse/testing';
import { isBefore } from '@valueverse/kernel';
import { systemClock } from '@valueverse/platform';
import { HostBed } from '../host-bed.spec-kit';

const TIMEOUT_MS = 60_000;
const SUBJECTS = ['acme', 'beta', 'gamma'];

let bed: HostBed;
let key: string;
beforeAll(async () => {
  bed = await HostBed.make();
  key = await bed.key('org_1');
  expect((await bed.ask('POST', 'meters', key, { key: 'calls', eventType: 'call', aggregation: 'count' })).status).toBe(201);
  expect((await bed.send(key, [{ specversion: '1.0', id: 'first', source: 's', type: 'call', subject: 'first', time: '2026-02-01T00:00:00Z' }])).status).toBe(202);
  await eventually('the meter to follow', async (saw) => {
    const { body } = await bed.ask('GET', 'meters/calls/query?from=2026-02-01T00:00:00Z&to=2026-03-01T00:00:00Z', key);
    saw(body);
    return body.data[0]?.value === '1' && !isBefore(body.asOf, '2000-01-01T00:00:00Z') ? true : undefined;
  });
}, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

test('an answer holds what was accepted a moment ago, of one subject and of all of them, and says so', async () => {
  for (let nth = 1; nth <= 10; nth++) {
    const events = SUBJECTS.map((subject) => ({ specversion: '1.0', id: `${nth}`, source: subject, type: 'call', subject, time: `2026-03-01T00:00:${String(nth).padStart(2, '0')}Z` }));
    expect((await bed.send(key, events)).status).toBe(202);
    const asked = systemClock.now();
    for (const [subject, value] of [['&subject=acme', nth], ['', nth * SUBJECTS.length]] as const) {
      const { body } = await bed.ask('GET', `meters/calls/query?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z${subject}`, key);
      expect([body.data[0]?.value, isBefore(body.asOf, asked)]).toEqual([String(value), false]);
    }
  }
}, TIMEOUT_MS);

test('a subject is the same however its letters are written: composed, or of letters and marks', async () => {
  const [composed, decomposed] = ['caf\u00e9', 'cafe\u0301'];
  const events = [composed, decomposed].map((subject, nth) => ({ specversion: '1.0', id: `${nth}`, source: 's', type: 'call', subject, time: '2026-03-01T00:00:00Z' }));
  expect((await bed.send(key, events)).status).toBe(202);
  for (const subject of [composed, decomposed]) {
    const { body } = await bed.ask('GET', `meters/calls/query?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z&subject=${encodeURIComponent(subject)}`, key);
    expect(body.data).toMatchObject([{ subject: composed, value: '2' }]);
  }
}, TIMEOUT_MS);

test('an empty filter asks for events that say nothing of the dimension', async () => {
  expect((await bed.ask('POST', 'meters', key, { key: 'named', eventType: 'named', aggregation: 'count', groupBy: { model: '$.model' } })).status).toBe(201);
  const events = ['', 'x', undefined].map((model, nth) => ({ specversion: '1.0', id: `${nth}`, source: 's', type: 'named', subject: 'acme', time: '2026-03-01T00:00:00Z', data: { model } }));
  expect((await bed.send(key, events)).status).toBe(202);
  await eventually('those without a model', async (saw) => {
    const { body } = await bed.ask('GET', 'meters/named/query?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z&filter.model=', key);
    saw(body);
    return body.data?.[0]?.value === '2' ? true : undefined;
  });
}, TIMEOUT_MS);
