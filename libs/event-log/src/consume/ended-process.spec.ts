import { eventually } from '@valueverse/testing';
import { type Bed, eachOnABed, recorder } from '../contract/bed.spec-kit';
import { PostgresFeed } from '../feed/postgres-feed';
import type { Log } from '../log';

// F12: a fact over which the process itself ends, so that nobody is left to count the failure.
const TIMEOUT_MS = 60_000;
let bed: Bed;
let log: Log;
let feed: PostgresFeed;
eachOnABed((on) => new PostgresFeed(on.url, 12), (made) => { ({ bed, log, feed } = made); });

/** Runs a process until it ends over what `isDeadly` says, or until all that it may handle is handled. Answers whether it ended. */
const runOne = async (isDeadly: (streams: readonly string[]) => boolean, isDone: () => Promise<boolean>): Promise<boolean> => {
  let dead = false;
  // From that moment this process can do nothing more; the server rolls its transaction back.
  const dying = bed.open(() => { if (dead) throw new Error('this process has ended'); });
  const subscription = bed.subscription(dying, feed, recorder((streams) => { if (isDeadly(streams)) { dead = true; throw new Error('this process has ended'); } }));
  subscription.start();
  await eventually('the process to end, or everything to be handled', async (saw) => { saw({ dead, parked: await parked() }); return dead || await isDone() ? true : undefined; }, { timeoutMs: TIMEOUT_MS / 2 });
  await subscription.stop();
  return dead;
};
const parked = async (): Promise<{ stream: string; reason: string }[]> =>
  (await log.database.transaction({ role: 'worker' }, (tx) => tx.query<{ stream: string; reason: string }>('SELECT stream, reason FROM parked_streams'))).rows;

test('F12: its stream is parked after a few processes, everything else is handled once and in order, and a retry brings it in', async () => {
  for (let nth = 0; nth < 3; nth++) for (const parcelId of ['a', 'bad', 'c', 'd']) await bed.scan(log, parcelId);
  const relay = bed.relay(log, feed);
  while ((await relay.publish()) > 0);
  const others = async (): Promise<boolean> => (await bed.effects(log)).length === 9 && (await parked()).length === 1;
  let ended = 0;
  while (await runOne((streams) => streams.includes('parcel-bad'), others)) ended += 1;
  expect(ended).toBeGreaterThanOrEqual(3);
  expect(ended).toBeLessThanOrEqual(8);
  expect(await parked()).toEqual([{ stream: 'parcel-bad', reason: 'the process ended 3 times while it was handled' }]);
  for (const stream of ['parcel-a', 'parcel-c', 'parcel-d']) {
    expect((await bed.effects(log)).filter((effect) => effect.stream === stream).map(({ version }) => version)).toEqual([1, 2, 3]);
  }
  const mended = bed.subscription(bed.open(), feed, recorder());
  expect(await mended.retryParked('recorder@1', 'org_1:test', 'parcel-bad')).toBe(3);
  expect((await bed.effects(log)).filter(({ stream }) => stream === 'parcel-bad').map(({ version }) => version)).toEqual([1, 2, 3]);
}, TIMEOUT_MS);

test('processes that come and go in peace, or move on between their ends, park nothing', async () => {
  for (let nth = 0; nth < 3; nth++) await bed.scan(log, 'a');
  const relay = bed.relay(log, feed);
  while ((await relay.publish()) > 0);
  for (let nth = 0; nth < 6; nth++) {
    const subscription = bed.subscription(bed.open(), feed, recorder());
    subscription.start();
    await eventually('its partitions', () => (subscription.isAssigned ? true : undefined));
    await bed.scan(log, 'a');
    while ((await relay.publish()) > 0);
    await subscription.stop();
  }
  expect(await runOne(() => false, async () => (await bed.effects(log)).length === 9)).toBe(false);
  expect(await parked()).toEqual([]);
  const { rows } = await log.database.transaction({ role: 'worker' }, (tx) => tx.query('SELECT FROM failures WHERE begun > 0'));
  expect(rows).toEqual([]);
}, TIMEOUT_MS);
