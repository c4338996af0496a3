import { Bed, NOW, TENANT } from '../contract/bed.spec-kit';
import { parcel, parcelView, scan, type ParcelScanned } from '../contract/parcels.spec-kit';
import { instruct } from '../execute/execute';
import type { Log } from '../log';
import { ensureStreamViews, rebuildAndCompare } from './build';
import type { ReadModel } from './read-model';

const TIMEOUT_MS = 60_000;
let bed: Bed;
let log: Log;
beforeEach(async () => { bed = await Bed.make(); log = bed.open(); }, TIMEOUT_MS);
afterEach(() => bed.close(), TIMEOUT_MS);

const rows = (table: string): Promise<number | null> => log.database.transaction({ role: 'worker' }, async (tx) => (await tx.query(`SELECT FROM ${table}`)).rowCount);
const second: ReadModel<ParcelScanned, { parcelId: string; scans: number }> = { ...parcelView, version: 2 };

test('F130: several processes that start together build a new version once, while facts are appended', async () => {
  for (let nth = 0; nth < 20; nth++) await bed.scan(log, `p${nth}`);
  const starting = Promise.all(Array.from({ length: 4 }, () => ensureStreamViews(bed.open().store, 'billing', [second])));
  for (let nth = 0; nth < 30; nth++) await bed.scan(log, `p${nth}`);
  await starting;
  expect(await rows('parcels')).toBeGreaterThanOrEqual(20);
  expect(await rows('pg_tables WHERE tablename LIKE \'parcels%building\'')).toBe(0);
}, TIMEOUT_MS);

test('a value that went from one stream to another does not stop the build, and is unique afterwards', async () => {
  // The odd scan of a parcel puts it on the one ramp, the even one takes it away.
  const ramp: ReadModel<ParcelScanned, { parcelId: string; ramp: string | null }> = {
    table: 'ramps', version: 1, key: ({ parcelId }) => parcelId, initial: { parcelId: '', ramp: null },
    on: { ParcelScanned: ({ parcelId, scan: nth }) => ({ parcelId, ramp: nth % 2 === 1 ? 'one' : null }) }, sortBy: ({ parcelId }) => parcelId,
    columns: { ramp: ({ ramp: name }) => name }, unique: ['ramp'],
  };
  const times = (parcelId: string, count: number): Promise<unknown> => log.transact({ role: 'worker' }, (tx) =>
    log.execute(tx, Array.from({ length: count }, () => instruct(parcel, scan(parcelId), { tenant: TENANT, at: NOW, actor: 'test' }))));
  // In the middle of a page of the build each of these stands on the ramp; at the end one does.
  for (const parcelId of ['a', 'b', 'c']) await times(parcelId, 1_001).then(() => times(parcelId, 1));
  await times('d', 1);
  await ensureStreamViews(log.store, 'billing', [ramp]);
  expect(await rows(`ramps WHERE ramp = 'one'`)).toBe(1);
  const { live, rebuilt } = await rebuildAndCompare(log.store, 'billing', ramp);
  expect(rebuilt).toBe(live);
  const stored = await log.database.transaction({ role: 'worker' }, (tx) => tx.query(`INSERT INTO ramps_v1 (tenant, key, stream_version, sort_by, ramp, row) VALUES ($1, 'e', 1, '', 'one', '{}')`, [TENANT])).catch((error: unknown) => error);
  expect(stored).toMatchObject({ code: '23505', constraint: 'ramps_v1_ramp' });
}, TIMEOUT_MS);
