import fc from 'fast-check';
import { runs } from '@valueverse/testing';
import { Decimal } from '@valueverse/kernel';
import { BUCKET_MICROS, raggedEdges, runsOfWindows, wholeBuckets, type Stretch } from './bucket';
import { ExactSum } from './exact-sum';
import type { Part } from './aggregations';
import { percentile } from './aggregations/percentile';
import { KeyFilter } from './key-filter';
import { groupsOf, measure, ruleOf } from './measure';
import { Tally } from './tally';

const METER = { meterKey: 'm', version: 1, name: 'm', eventType: 'call', aggregation: 'sum', valueProperty: '$.usage.tokens', groupBy: { region: '$.region', model: '$.model' }, filter: [], carryOver: false, metadata: {}, createdAt: '2026-01-01T00:00:00Z' } as const;
const rule = ruleOf(METER);
const valueOf = (tokens: unknown): string | undefined => measure(rule, { usage: { tokens } })?.value.toString();

describe('buckets and edges', () => {
  test('the whole buckets and the ragged edges of a stretch are the stretch, each instant once', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 5 * BUCKET_MICROS }), fc.integer({ min: 0, max: 5 * BUCKET_MICROS }), (from, length) => {
      const stretch: Stretch = { from, to: from + length };
      const whole = wholeBuckets(stretch);
      const pieces = [...raggedEdges(stretch), ...(whole.from < whole.to ? [whole] : [])].sort((a, b) => a.from - b.from);
      let at = from;
      for (const piece of pieces) {
        expect(piece.from).toBe(at);
        at = piece.to;
      }
      expect(at).toBe(from + length);
      for (const edge of raggedEdges(stretch)) expect(edge.to - edge.from).toBeLessThan(2 * BUCKET_MICROS);
    }), runs(1, 500));
  });
  test('windows as runs are the same windows, and those of one length and distance are one run', () => {
    const windowsIn = fc.array(fc.record({ gap: fc.integer({ min: 0, max: 2 }), length: fc.integer({ min: 1, max: 3 }) }), { maxLength: 30 }).map((steps) => {
      let at = 0;
      return steps.map(({ gap, length }): Stretch => { const from = at + gap; at = from + length; return { from, to: at }; });
    });
    fc.assert(fc.property(windowsIn, (windows) => {
      const made = runsOfWindows(windows).flatMap(({ from, every, length, count, first }) => Array.from({ length: count }, (_, nth) => ({ from: from + nth * every, to: from + nth * every + length, place: first + nth })));
      expect(made).toEqual(windows.map((window, place) => ({ ...window, place })));
    }), runs(3, 300));
    const hours = Array.from({ length: 744 }, (_, nth) => ({ from: nth * 4, to: nth * 4 + 4 }));
    expect(runsOfWindows(hours)).toEqual([{ from: 0, every: 4, length: 4, count: 744, first: 0 }]);
    // A day of 23 hours among days of 24.
    expect(runsOfWindows([{ from: 0, to: 24 }, { from: 24, to: 48 }, { from: 48, to: 71 }, { from: 71, to: 95 }]).map(({ count }) => count)).toEqual([2, 1, 1]);
  });
  test('sums are exact, whatever is added', () => {
    fc.assert(fc.property(fc.array(fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }).map((n) => Decimal.scaled(n, 9)))), (values) => {
      const sum = new ExactSum();
      for (const value of values) sum.add(value);
      expect(sum.total.toString()).toBe(Decimal.sum(values.map((value) => (typeof value === 'number' ? Decimal.of(value) : value))).toString());
    }), runs(2, 300));
  });
});

describe('values and groups', () => {
  test.each([
    [5, '5'], [-5, '-5'], [0.1, '0.1'], [1.5e-7, '0.00000015'], ['12.50', '12.5'], ['+3', '3'], ['-0', '0'], ['9'.repeat(32), '9'.repeat(32)], [`0.${'1'.repeat(24)}`, `0.${'1'.repeat(24)}`],
  ])('%j counts as %s', (value, expected) => { expect(valueOf(value)).toBe(expected); });
  test.each([[undefined], [null], [''], ['1e3'], ['1,5'], ['NaN'], [true], [[]], [{}], ['9'.repeat(33)], [`0.${'1'.repeat(25)}`], [1e300]])('%j is no value', (value) => { expect(valueOf(value)).toBeUndefined(); });
  test('data of any shape is no error', () => {
    for (const data of [undefined, null, {}, { usage: null }, { usage: 5 }, { usage: [] }]) expect(measure(rule, data)).toBeUndefined();
    expect(measure(ruleOf({ ...METER, valueProperty: '$.constructor.length' }), {})).toBeUndefined();
  });
  test('groups are canonical, and what is no value of a dimension is the empty text', () => {
    expect(groupsOf(rule, { model: 'a"b', region: 7 })).toBe('{"model":"a\\"b","region":"7"}');
    expect(groupsOf(rule, { region: false, model: null })).toBe('{"model":"","region":"false"}');
    expect(groupsOf(rule, { region: ['eu'], model: 'x'.repeat(257) })).toBe('{"model":"","region":""}');
    expect(groupsOf(ruleOf({ ...METER, groupBy: {} }), { model: 'x' })).toBe('{}');
  });
});

describe('percentiles of several subjects', () => {
  const MINUTE = 60_000_000;
  const sample = (value: number): Tally => { const tally = new Tally('add'); tally.add(value, 0, ''); return tally; };
  const part = (from: number, to: number, values: Readonly<Record<number, number>>): Part =>
    ({ stretch: { from: from * MINUTE, to: to * MINUTE }, tally: new Tally('add'), samples: new Map(Object.entries(values).map(([at, value]) => [Number(at) * MINUTE, sample(value)])) });
  const quantity = (percent: string, ...parts: Part[]): string | undefined =>
    percentile.quantity(parts, { from: 0, to: 20 * MINUTE }, { percentile: Decimal.parse(percent), bucketMicros: 5 * MINUTE, perSecond: true })?.toString();
  test('a window that one of them is in for a part of the period is divided by its seconds once', () => {
    const whole = part(0, 20, { 0: 300, 5: 600, 10: 900, 15: 1_200 });
    expect(quantity('100', whole)).toBe('4');
    expect(quantity('100', whole, part(10, 20, {}))).toBe('4');
    expect(quantity('100', part(10, 20, { 15: 300 }), whole, part(0, 7, {}), part(8, 20, {}))).toBe('5');
    expect(quantity('25', part(0, 5, { 0: 300 }), part(10, 20, { 10: 900, 15: 1_200 }))).toBe('1');
    // Half of a window, by both: 300 in 150 seconds.
    expect(quantity('100', part(0, 2.5, { 0: 150 }), part(0, 1, { 0: 150 }))).toBe('2');
  });
});

test('a filter of keys never says of one that it is not there, and seldom "perhaps" of others, also when it has grown', () => {
  let state = 1;
  const byte = (): number => { state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0; return (state >>> 16) & 0xff; };
  const word = (): number => (byte() | byte() << 8 | byte() << 16 | byte() << 24) >>> 0;
  const key = (): [number, number] => [word(), word()];
  for (const [expected, count] of [[undefined, 300_000], [300_000, 300_000], [0, 10]] as const) {
    const filter = new KeyFilter(expected);
    const known = Array.from({ length: count }, key);
    for (const one of known) filter.add(...one);
    expect(filter.perhaps(Uint32Array.from(known.flat()))).toEqual(known.map((_, place) => place));
    const others = Array.from({ length: 50_000 }, key);
    const perhaps = filter.perhaps(Uint32Array.from([...others, known[0]!, ...others].flat()));
    expect(perhaps.length).toBeLessThan(100_000 * 0.001);
    expect(perhaps).toContain(50_000);
    expect(perhaps).toEqual([...new Set(perhaps)].sort((left, right) => left - right));
  }
});
