import { Database, type Tx } from '@valueverse/event-log';
import { Bed } from '../bed.spec-kit';
import { findClashes, type Occurrence } from './dedupe';
import { DEDUPE_DAYS, KEY_SLOTS, KeyDays } from './key-days';

// What transactions of one process, side by side, know of each other's keys and of their own, around the turn of a day and where partitions are at different days.
const TIMEOUT_MS = 60_000;
const DAY_MICROS = 86_400_000_000;

describe('days of keys', () => {
  let bed: Bed;
  /** For transactions beside one that is under way. */
  let beside: Database;
  beforeAll(async () => {
    bed = await Bed.make();
    beside = new Database({ url: bed.database.url, schema: 'usage' });
  }, TIMEOUT_MS);
  afterAll(async () => { await beside.close(); await bed.close(); }, TIMEOUT_MS);

  const inTransaction = <T>(work: (tx: Tx) => Promise<T>): Promise<T> => bed.database.transaction({ role: 'worker' }, work);
  const occurrence = (day: number, partition: number, position: number, id: string): Occurrence => ({
    tenant: 'org_days:test', event: { id, source: 's', type: 'call', subject: `of ${partition}`, time: '2026-01-01T00:00:00Z' }, micros: 0, partition, position, nth: 0, logTime: day * DAY_MICROS,
  });
  const codes = async (tx: Tx, keys: ReturnType<KeyDays['of']>, one: Occurrence): Promise<string[]> => {
    const { clashes, written } = await findClashes(tx, keys, [one]);
    await written;
    return clashes.map(({ code }) => code);
  };
  /** One event in a transaction of its own; the copy itself stays where it is, so that filters are read again. */
  const alone = (days: KeyDays, one: Occurrence): Promise<string[]> => beside.transaction({ role: 'worker' }, (tx) => codes(tx, days.of(new Map([[one.partition, one.position - 1]])), one));

  test('a filter that others read anew meanwhile does not hide what a transaction has written itself', async () => {
    const days = new KeyDays();
    await alone(days, occurrence(1_000, 0, 1, 'before'));
    await inTransaction(async (tx) => {
      const keys = days.of(new Map([[0, 0]]));
      expect(await codes(tx, keys, occurrence(1_000, 0, 2, 'new'))).toEqual([]);
      await alone(days, occurrence(1_000, 1, 9, 'of another partition'));
      expect(await codes(tx, keys, occurrence(1_001, 0, 3, 'new'))).toEqual(['duplicate']);
    });
  });

  test('a day that another transaction of the process has begun meanwhile is looked at', async () => {
    const days = new KeyDays();
    await inTransaction(async (tx) => {
      const keys = days.of(new Map([[0, 0]]));
      expect(await codes(tx, keys, occurrence(1_100, 0, 1, 'first'))).toEqual([]);
      expect(await codes(tx, keys, occurrence(1_100, 0, 1, 'first'))).toEqual(['duplicate']);
      await alone(days, occurrence(1_101, 1, 1, 'of another partition'));
      expect(await codes(tx, keys, occurrence(1_101, 0, 2, 'second'))).toEqual([]);
      expect(await codes(tx, keys, occurrence(1_102, 0, 3, 'second'))).toEqual(['duplicate']);
    });
  });

  test('repetitions and ids that a subject of another partition has used are found in whichever of many days they are', async () => {
    const days = new KeyDays();
    const first = 2_000;
    const ids = ['a', 'b', 'c', 'd'];
    for (const [nth, id] of ids.entries()) await alone(days, occurrence(first + nth, nth, 1, id));
    await inTransaction(async (tx) => {
      const keys = days.of(new Map([[0, 1], [9, 0]]));
      const again = [occurrence(first + 9, 0, 2, 'a'), ...ids.map((id, nth) => occurrence(first + 9, 9, 1 + nth, id)), occurrence(first + 9, 9, 9, 'new')];
      const { clashes, written } = await findClashes(tx, keys, again);
      await written;
      expect(clashes.map(({ code, occurrence: { partition, event }, first: { partition: before } }) => `${partition} ${event.id} ${code} ${before}`))
        .toEqual(['0 a duplicate 0', '9 a id_reused 0', '9 b id_reused 1', '9 c id_reused 2', '9 d id_reused 3']);
    });
  });

  test('the window is 35 days of log time, today among them', async () => {
    for (const [nth, restarts] of [false, true].entries()) {
      const days = new KeyDays();
      const first = 1_200 + nth * KEY_SLOTS;
      await alone(days, occurrence(first, 0, 1, `aged ${nth}`));
      const after = restarts ? new KeyDays() : days;
      expect(await alone(after, occurrence(first + DEDUPE_DAYS - 1, 0, 2, `aged ${nth}`))).toEqual(['duplicate']);
      expect(await alone(after, occurrence(first + DEDUPE_DAYS, 0, 3, `aged ${nth}`))).toEqual([]);
    }
  });

  test('a partition whose log time is far ahead, as by a clock that was wrong, takes no day from the others', async () => {
    const days = new KeyDays();
    await alone(days, occurrence(1_400 + 3 * KEY_SLOTS, 1, 1, 'ahead'));
    for (const known of [days, new KeyDays()]) {
      const id = known === days ? 'same process' : 'another process';
      expect(await alone(known, occurrence(1_400, 0, 1, id))).toEqual([]);
      expect(await alone(known, occurrence(1_400, 0, 2, id))).toEqual(['duplicate']);
      expect(await alone(known, occurrence(1_401, 0, 3, id))).toEqual(['duplicate']);
      expect(await alone(known, occurrence(1_400 + DEDUPE_DAYS, 0, 4, id))).toEqual([]);
    }
    expect(await alone(days, occurrence(1_401 + 3 * KEY_SLOTS, 1, 2, 'ahead'))).toEqual(['duplicate']);
  });
});
