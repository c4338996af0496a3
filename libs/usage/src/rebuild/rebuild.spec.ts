import type { RebuildProgress, Rebuilt } from '@valueverse/event-log';
import { meteringProjector } from '../metering/metering.projector';
import { RetentionBed } from '../retention/retention-bed.spec-kit';

const TIMEOUT_MS = 120_000;
let bed: RetentionBed;
let ids = 0;
const SUBJECTS = ['acme', 'beta', 'gamma', 'delta'];
const rebuild = (cutover = false, seen: RebuildProgress[] = []): Promise<Rebuilt> => meteringProjector().rebuild!(bed.host.service.log.store, 'usage', { cutover, progress: (progress) => { seen.push(progress); } });
const expectSame = async (): Promise<void> => { const { live, rebuilt } = await rebuild(); expect(rebuilt).toBe(live); };
const at = (minute: number): string => new Date(Date.parse('2026-03-01T00:00:00Z') + minute * 60_000).toISOString();

/** With it an envelope is long enough to be packed. */
const NOTE = 'a long note '.repeat(250);
/** Duplicates, conflicts, reused ids, late events, values that are none, and corrections of what came before. */
const wave = async (nth: number): Promise<void> => {
  const fresh = SUBJECTS.flatMap((subject) => [1, 2, 3].map((n) => ({ id: `e${++ids}`, subject, time: at(nth * 20 + n), data: { n: n * 1.5, user: `u${ids % 5}`, region: `r${ids % 3}`, note: NOTE } })));
  const [first, second, third] = fresh as [typeof fresh[number], typeof fresh[number], typeof fresh[number]];
  await bed.receive(at(nth * 20 + 5), [...fresh, first, { ...second, data: { n: 99, user: 'x', region: 'r' } }, { ...third, subject: 'beta' }, { id: `late${nth}`, subject: 'acme', time: at(-1_000 + nth), data: { n: 7, user: 'late', region: 'r0' } },
    { id: `none${nth}`, subject: 'gamma', time: at(nth * 20), data: { n: 'none', user: {}, region: 'r0' } }]);
  await bed.takeBack(at(nth * 20 + 6), 'acme', first.id);
  await bed.amend(at(nth * 20 + 7), { ...second, time: at(nth * 20 + 9), data: { n: -4, user: 'amended', region: 'r1' } });
  await bed.takeBack(at(nth * 20 + 8), 'acme', 'never came');
};

beforeAll(async () => {
  bed = await RetentionBed.make();
  await bed.meter('tokens', { groupBy: { region: '$.region' } });
  await bed.meter('peak', { aggregation: 'max' });
  await bed.meter('last', { aggregation: 'latest' });
  await bed.metersFollow();
  for (let nth = 0; nth < 3; nth++) await wave(nth);
  expect((await bed.rows('SELECT FROM usage_envelopes WHERE packed IS NOT NULL')).length).toBeGreaterThan(0);
  // Two that have to count what is there, and versions from the middle on.
  await bed.meter('users', { aggregation: 'unique_count', valueProperty: '$.user' });
  await bed.meter('level', { aggregation: 'time_weighted_sum' });
  const version = { eventType: 'call', valueProperty: '$.n', groupBy: {} };
  expect(await bed.ask('POST', 'meters/tokens/versions', { ...version, aggregation: 'sum', filter: [{ property: '$.region', operator: 'neq', value: 'r2' }], from: at(30) })).toMatchObject({ status: 201 });
  expect(await bed.ask('POST', 'meters/peak/versions', { ...version, aggregation: 'max', groupBy: { region: '$.region' }, from: at(15) })).toMatchObject({ status: 201 });
  await bed.metersFollow();
}, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

test('what metering derives is made again to the same bytes, while usage comes in, is repeated, comes late and is corrected', async () => {
  let isOver = false;
  const waves = (async () => { for (let nth = 3; !isOver || nth < 5; nth++) await wave(nth); })();
  const seen: RebuildProgress[] = [];
  try {
    const { live, rebuilt } = await rebuild(false, seen);
    expect(rebuilt).toBe(live);
  } finally {
    isOver = true;
    await waves;
  }
  expect(seen.map(({ phase }) => phase)).toEqual(expect.arrayContaining(['building', 'comparing']));
  await expectSame();
  expect(await bed.rows(`SELECT nspname FROM pg_namespace WHERE nspname LIKE '%shadow%'`)).toEqual([]);
}, TIMEOUT_MS);

const BY_HAND: readonly (readonly [what: string, sql: string])[] = [
  ['a sum', `UPDATE usage_buckets SET total = total + 1 WHERE ctid IN (SELECT b.ctid FROM usage_buckets b JOIN usage_series s USING (series) WHERE s.meter = 'tokens' AND s.subject = 'acme' LIMIT 1)`],
  ['a different value', `DELETE FROM usage_bucket_values WHERE ctid IN (SELECT ctid FROM usage_bucket_values LIMIT 1)`],
  ['a duplicate that is not listed', `DELETE FROM usage_exceptions WHERE ctid IN (SELECT ctid FROM usage_exceptions WHERE code = 'duplicate' LIMIT 1)`],
  ['a correction', `UPDATE usage_corrections SET reason = 'another' WHERE ctid IN (SELECT ctid FROM usage_corrections WHERE refused IS NULL LIMIT 1)`],
];
test('what was changed by hand is found, each for itself, and put right; it goes on counting on top of that', async () => {
  for (const [what, sql] of BY_HAND) {
    await bed.rows(sql);
    const { live, rebuilt } = await rebuild(true);
    expect([what, live === rebuilt]).toEqual([what, false]);
  }
  await wave(1_000);
  await expectSame();
}, TIMEOUT_MS);

test('a key that was changed is found, and left as it is: processes remember keys', async () => {
  await bed.rows(`UPDATE usage_keys SET content = content + 1 WHERE key = (SELECT min(key::text)::uuid FROM usage_keys)`);
  await expect(rebuild(true)).rejects.toThrow(/usage_keys of partition \d+/);
  await bed.rows(`UPDATE usage_keys SET content = content - 1 WHERE key = (SELECT min(key::text)::uuid FROM usage_keys)`);
  await expectSame();
}, TIMEOUT_MS);
