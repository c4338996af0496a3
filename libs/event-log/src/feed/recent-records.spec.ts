import type { NewRecord } from './feed';
import { RecentRecords } from './recent-records';

const TOPIC = 'billing.invoices';
const NAME = `${TOPIC}/3`;
const LIMIT = 10;
/** The facts at these positions, each following the one before it. */
const facts = (from: number, to: number, length = 1): NewRecord[] => Array.from({ length: to - from + 1 }, (_, nth) =>
  ({ key: 'k', value: 'v'.repeat(length), headers: {}, position: BigInt(from + nth), previous: BigInt(from + nth - 1) }));

let recent: RecentRecords;
beforeEach(() => { recent = new RecentRecords(); });
const offsetsFrom = (offset: number, reader = 'r1', limit = LIMIT): { offsets: number[]; isBehind: boolean } => {
  const { records, isBehind } = recent.from(NAME, BigInt(offset), reader, limit);
  for (const { offset: found, position } of records) expect(position).toBe(found + 1n);
  return { offsets: records.map((record) => Number(record.offset)), isBehind };
};
const add = (from: number, to: number, length?: number): void => recent.add(TOPIC, 3, facts(from + 1, to + 1, length), BigInt(to + 1));

test('what is appended is there from an offset on, for each reader the same object, until all have had it', () => {
  expect([offsetsFrom(0), offsetsFrom(0, 'r2')]).toEqual([{ offsets: [], isBehind: false }, { offsets: [], isBehind: false }]);
  add(0, 2);
  add(3, 4);
  expect(offsetsFrom(0)).toEqual({ offsets: [0, 1, 2, 3, 4], isBehind: false });
  expect(offsetsFrom(1, 'r2', 2).offsets).toEqual([1, 2]);
  expect(recent.from(NAME, 1n, 'r1', LIMIT).records[0]).toBe(recent.from(NAME, 1n, 'r2', LIMIT).records[0]);
  // The first has been had by both.
  expect(offsetsFrom(0)).toEqual({ offsets: [], isBehind: true });
  expect(offsetsFrom(5)).toEqual({ offsets: [], isBehind: false });
});

test('what is appended again is there once', () => {
  offsetsFrom(0);
  add(0, 2);
  add(1, 3);
  add(2, 3);
  expect(offsetsFrom(0).offsets).toEqual([0, 1, 2, 3]);
});

test('what is told of after what was appended later is passed over', () => {
  offsetsFrom(0);
  add(2, 3);
  add(0, 1);
  expect(offsetsFrom(0)).toEqual({ offsets: [], isBehind: true });
  expect(offsetsFrom(2)).toEqual({ offsets: [2, 3], isBehind: false });
});

test('who was behind what somebody else has appended in between, asks the database', () => {
  offsetsFrom(0);
  add(0, 1);
  add(5, 6);
  expect(offsetsFrom(2)).toEqual({ offsets: [], isBehind: true });
  expect(offsetsFrom(5)).toEqual({ offsets: [5, 6], isBehind: false });
});

test('where nobody reads nothing is kept, and who comes later asks the database', () => {
  offsetsFrom(0);
  add(0, 1);
  recent.leave('r1');
  add(2, 3);
  expect(offsetsFrom(2, 'r2')).toEqual({ offsets: [], isBehind: true });
  expect(offsetsFrom(4, 'r2')).toEqual({ offsets: [], isBehind: false });
  add(4, 4);
  expect(offsetsFrom(4, 'r2').offsets).toEqual([4]);
});

test('of what is long the end is kept, and a record that is longer than all that is kept is asked for', () => {
  offsetsFrom(0);
  add(0, 2, 100_000);
  expect(offsetsFrom(0)).toEqual({ offsets: [], isBehind: true });
  expect(offsetsFrom(1).offsets).toEqual([1, 2]);
  add(3, 3, 300_000);
  expect(offsetsFrom(3)).toEqual({ offsets: [], isBehind: true });
});
