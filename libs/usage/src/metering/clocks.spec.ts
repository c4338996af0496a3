import { instantFromMicros, partitionOf } from '@valueverse/kernel';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import type { RecordProjector } from '@valueverse/event-log';
import { Bed, TENANT } from '../bed.spec-kit';
import { AHEAD_MAX_MICROS } from './log-time';
import { KEY_SLOTS } from './key-days';
import { meteringProjector } from './metering.projector';
import { lookAtLogTime } from './look';

// What a replica whose clock is wrong can do to the log time of the partitions that it writes, and so to the window of duplicates and to what retention may drop.
const TIMEOUT_MS = 120_000;
const DAY = 86_400_000_000;
const MINUTE = 60_000_000;
const [ONE, TWO, IDLE] = ['one', 'two', 'idle'];

let bed: Bed;
let now: number;
beforeEach(async () => {
  bed = await Bed.make();
  const [row] = await bed.rows<{ now: bigint }>('SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now');
  now = Number(row!.now);
}, TIMEOUT_MS);
afterEach(() => bed.close(), TIMEOUT_MS);

let envelopes = 0;
/** One event in an envelope of its own, as a replica with that clock writes it. */
const record = (subject: string, recordedAt: number, id: string, projector: RecordProjector): Promise<void> => {
  const made = bed.recordOf(partitionOf(TENANT, subject, USAGE_PARTITIONS), `env_${++envelopes}`, TENANT, [{ id, subject, source: 'gateway', type: 'call', time: instantFromMicros(now) }]);
  const envelope = JSON.parse(made.value) as object;
  return bed.projectRecords([{ ...made, value: JSON.stringify({ ...envelope, recordedAt: instantFromMicros(recordedAt) }) }], projector);
};
const logTimeOf = async (subject: string): Promise<number> => Number((await bed.rows<{ log_time: bigint }>('SELECT log_time FROM usage_partitions WHERE partition = $1', [partitionOf(TENANT, subject, USAGE_PARTITIONS)]))[0]!.log_time);
const duplicates = async (): Promise<string[]> => (await bed.exceptions()).filter(({ code }) => code === 'duplicate').map(({ subject, id }) => `${subject} ${id}`).sort();
const rebuilt = async (): Promise<void> => {
  const found = await meteringProjector().rebuild!(bed.log.store, 'usage', { cutover: false, progress: () => undefined });
  expect(found.rebuilt).toBe(found.live);
};

test('a clock that is 40 days ahead makes nobody forget: what was there yesterday, and keys of the day whose slot is the same, are duplicates when they come again', async () => {
  for (const restarts of [false, true]) {
    const projector = meteringProjector();
    const name = restarts ? 'again' : 'first';
    await record(ONE, now - DAY, `${name} yesterday`, projector);
    await record(TWO, now - (KEY_SLOTS - 40) * DAY, `${name} weeks ago`, projector);
    await record(TWO, now, `${name} today`, projector);
    await record(ONE, now + 40 * DAY, `${name} ahead`, projector);
    await record(ONE, now + 40 * DAY, `${name} ahead`, projector);
    const other = restarts ? meteringProjector() : projector;
    for (const [subject, id] of [[ONE, 'yesterday'], [ONE, 'ahead'], [TWO, 'weeks ago'], [TWO, 'today']] as const) await record(subject, now, `${name} ${id}`, other);
  }
  expect(await duplicates()).toEqual(['first', 'again'].flatMap((name) => [`one ${name} ahead`, `one ${name} ahead`, `one ${name} yesterday`, `two ${name} today`, `two ${name} weeks ago`]).sort());
  expect(await logTimeOf(ONE)).toBeGreaterThanOrEqual(now + AHEAD_MAX_MICROS);
  expect(await logTimeOf(ONE)).toBeLessThan(now + AHEAD_MAX_MICROS + 10 * MINUTE);
  await rebuilt();
}, TIMEOUT_MS);

test('a clock that is a little ahead is believed', async () => {
  await record(ONE, now + MINUTE, 'a', meteringProjector());
  expect(await logTimeOf(ONE)).toBe(now + MINUTE);
}, TIMEOUT_MS);

test('a clock that is 40 days behind writes to a partition that was idle: what it has written is a duplicate when it comes again, from its own replica and from another', async () => {
  const projector = meteringProjector();
  await record(ONE, now, 'a', projector);
  await record(IDLE, now - 40 * DAY, 'behind', projector);
  expect(await logTimeOf(IDLE)).toBe(now - 40 * DAY);
  await record(IDLE, now - 40 * DAY, 'behind', projector);
  await record(IDLE, now - 39 * DAY, 'behind', meteringProjector());
  await record(IDLE, now - DAY / 2, 'behind', projector);
  await record(IDLE, now, 'behind', meteringProjector());
  expect(await duplicates()).toEqual(Array(4).fill('idle behind'));
  await rebuilt();
}, TIMEOUT_MS);

test('a partition that is weeks behind the others has the times of its own envelopes, and tells duplicates apart for 35 days of them', async () => {
  const projector = meteringProjector();
  for (const id of ['before', 'long before']) await record(TWO, now - (id === 'before' ? 54 : 60) * DAY, id, projector);
  await record(ONE, now, 'a', projector);
  await record(TWO, now - 20 * DAY, 'within', projector);
  expect(await logTimeOf(TWO)).toBe(now - 20 * DAY);
  for (const [id, days] of [['before', 20], ['within', 19], ['within', 0.5], ['within', 0]] as const) await record(TWO, now - days * DAY, id, days === 19 ? meteringProjector() : projector);
  expect(await duplicates()).toEqual(['two before', 'two within', 'two within', 'two within']);
  await rebuilt();
  await record(TWO, now, 'long before', projector);
  expect(await duplicates()).toHaveLength(4);
}, TIMEOUT_MS);

test('a log time that was far ahead before it could not be any more moves no other partition, and the doctor names it', async () => {
  expect(await lookAtLogTime(bed)).toMatchObject({ ok: true });
  await bed.rows('UPDATE usage_partitions SET log_time = $2 WHERE partition = $1', [partitionOf(TENANT, ONE, USAGE_PARTITIONS), now + 40 * DAY]);
  await record(TWO, now - DAY, 'a', meteringProjector());
  expect(await logTimeOf(TWO)).toBe(now - DAY);
  expect(await lookAtLogTime(bed)).toMatchObject({ ok: false, detail: expect.stringContaining(`usage.events/${partitionOf(TENANT, ONE, USAGE_PARTITIONS)} stands at ${instantFromMicros(now + 40 * DAY)}`) });
}, TIMEOUT_MS);
