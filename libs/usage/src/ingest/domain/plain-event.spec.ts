import fc from 'fast-check';
import { runs } from '@valueverse/testing';
import { instantFromMicros, microsNumberOfText } from '@valueverse/kernel';
import { isInstantText } from './claimed-time';
import { isPlainEvent } from './plain-event';
import { readClosely, readEvent } from './read-event';
import { ItemFault } from './usage-event';

const RECEIPT = { receivedAt: '2026-03-01T12:00:00Z', latestMicros: microsNumberOfText('2026-03-01T12:05:00Z') };
const GOOD = { specversion: '1.0', id: '1', source: 'gateway', type: 'call', subject: 'acme', time: '2026-03-01T11:00:00Z', data: { tokens: 1 } };

const odd = fc.constantFrom('', 'x'.repeat(256), 'x'.repeat(257), 'a\u0000', 'a\u200b', '\u202eb', 'a\u200d', '\ud800', '👍', 'é', '"\\', '__proto__', null, 0, true, {}, []);
const name = fc.oneof({ weight: 8, arbitrary: fc.string({ minLength: 1, maxLength: 20 }) }, { weight: 1, arbitrary: fc.string({ maxLength: 20, unit: 'binary' }) }, { weight: 1, arbitrary: odd });
const time = fc.oneof(
  fc.integer({ min: -1, max: 4_102_444_800_000_000 }).map((micros) => (micros < 0 ? 'never' : instantFromMicros(micros))),
  fc.constantFrom('2026-03-01T12:05:00.000001Z', '2026-02-28T23:59:60Z', '2016-12-31T23:59:60Z', '2026-03-01t11:00:00z', '2026-03-01T12:00:00+01:00', '2026-03-01T11:00:00.120000Z', '2026-03-01T11:00:00.000Z', '2026-03-01T11:00:00.1234567Z', '2026-03-01T11:00:00.5Z', '2026-02-30T00:00:00Z', '', null, 7));
const leaf = fc.oneof(fc.string(), fc.double({ noDefaultInfinity: true, noNaN: true }), fc.integer(), fc.boolean(), fc.constant(null), fc.constant(Infinity));
const data = fc.oneof({ weight: 9, arbitrary: fc.dictionary(fc.string(), leaf, { maxKeys: 5 }) }, fc.object(), fc.constantFrom(null, 'x', [], 5), fc.integer({ min: 99, max: 101 }).map((keys) => Object.fromEntries(Array.from({ length: keys }, (_, nth) => [`k${nth}`, 1]))));
const anEvent = fc.record({
  specversion: fc.constantFrom(...Array.from({ length: 9 }, () => '1.0'), '0.3', 1), id: name, source: name, type: name, subject: name, time, data, datacontenttype: fc.constantFrom(...Array.from({ length: 9 }, () => 'application/json'), 'application/json; charset=utf-8', 'text/xml', null),
  more: fc.constantFrom({}, {}, {}, { extra: 1 }, { extra: {} }, { traceParent: 'x' }, { data_base64: 'AA==' }, { data_base64: null }),
}, { requiredKeys: ['specversion', 'id', 'source', 'type', 'subject', 'more'] }).map(({ more, ...event }) => ({ ...event, ...more }));

test('what the schema takes is kept as the close reader keeps it, and what it does not take is for the close reader to say', () => {
  let plain = 0;
  fc.assert(fc.property(fc.oneof({ weight: 9, arbitrary: anEvent }, { weight: 1, arbitrary: fc.anything() }), (event) => {
    const closely = readClosely(event, RECEIPT);
    expect(JSON.stringify(readEvent(event, RECEIPT))).toBe(JSON.stringify(closely));
    // Beside its time nothing can be wrong with it.
    if (!isPlainEvent(event)) return;
    plain += 1;
    expect(closely instanceof ItemFault ? closely.code : 'none').toMatch(/^(none|invalid_time|time_ahead)$/);
  }), runs(51, 2_000));
  expect(plain).toBeGreaterThan(100);
});

test.each([['as it is', {}, true], ['without a time', { time: undefined }, true], ['without data', { data: undefined }, true], ['an empty subject', { subject: '' }, false], ['an extension', { extra: 1 }, false],
  ['data with an object', { data: { a: {} } }, false], ['a number without end', { data: { a: Infinity } }, false], ['another type of data', { datacontenttype: 'text/xml' }, false]])('an event is plain %s: %#', (_, change, expected) => {
  const given = { ...GOOD, ...change } as Record<string, unknown>;
  for (const [key, value] of Object.entries(change)) if (value === undefined) delete given[key];
  expect(isPlainEvent(given)).toBe(expected);
});

test('a time is kept as it is written where that is how instants are written', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 7_000_000_000_000_000 }), (micros) => isInstantText(instantFromMicros(micros))), runs(52, 1_000));
  const kept = (text: string): unknown => (readEvent({ ...GOOD, time: text }, { ...RECEIPT, latestMicros: Infinity }) as { time: string }).time;
  fc.assert(fc.property(time.filter((text) => typeof text === 'string'), (text) => {
    const read = readEvent({ ...GOOD, time: text }, { ...RECEIPT, latestMicros: Infinity });
    return read instanceof ItemFault || read.time === instantFromMicros(microsNumberOfText(text as string));
  }), runs(53, 1_000));
  expect(kept('2026-03-01T11:00:00.120000Z')).toBe('2026-03-01T11:00:00.120Z');
});
