import type { Rebuilt } from '@valueverse/event-log';
import { meteringProjector } from '../metering/metering.projector';
import { RetentionBed } from '../retention/retention-bed.spec-kit';

const TIMEOUT_MS = 120_000;
/** Long enough for its envelope to be packed. */
const NOTE = 'a long note '.repeat(1_000);
const JANUARY = { from: '2026-01-01T00:00:00Z', to: '2026-02-01T00:00:00Z' };

test('5 January to 20 March: where envelopes were dropped, seals and what is left come to the same buckets, and one that was changed is put right', async () => {
  const bed = await RetentionBed.make();
  const rebuild = (cutover = false): Promise<Rebuilt> => meteringProjector().rebuild!(bed.host.service.log.store, 'usage', { cutover, progress: () => undefined });
  const expectSame = async (): Promise<void> => { const { live, rebuilt } = await rebuild(); expect(rebuilt).toBe(live); };
  try {
    await bed.meter('tokens');
    await bed.meter('peak', { aggregation: 'max' });
    await bed.meter('users', { aggregation: 'unique_count', valueProperty: '$.user' });
    await bed.metersFollow();
    await bed.subscribe('sub_1', ['acme'], JANUARY.from);
    await bed.ask('PUT', 'retention', { days: 36 });
    // 5 January
    await bed.receive('2026-01-05T10:00:00Z', [{ id: 'a1', data: { n: 5, user: 'x', note: NOTE } }, { id: 'a2', data: { n: 8, user: 'y' } }, { id: 'a2', data: { n: 8, user: 'y' } }, { id: 'none', data: { n: 'none' } }]);
    // 6 January: some of it is changed before it goes, and one of them waits.
    await bed.takeBack('2026-01-06T00:00:00Z', 'acme', 'a1');
    await bed.receive('2026-01-06T00:00:01Z', [{ id: 'a3', time: '2026-01-05T10:01:00Z', data: { n: 2, user: 'x', note: NOTE } }, { id: 'kept', type: 'other' }]);
    // 30 January: what is amended after the part whose decisions are taken over.
    await bed.receive('2026-01-30T00:00:00Z', [{ id: 'open', time: '2026-02-01T00:00:00Z', data: { n: 3, user: 'z' } }]);
    for (const meter of ['tokens', 'peak', 'users']) await bed.stated([{ subject: 'acme', ...JANUARY }], meter);
    await bed.receive('2026-02-20T00:00:00Z', [{ id: 'a3', data: { n: 2, user: 'x', note: NOTE } }]);
    await bed.amend('2026-02-25T00:00:00Z', { id: 'open', subject: 'acme', time: '2026-02-02T00:00:00Z', data: { n: 4, user: 'z' } });
    await bed.receive('2026-03-20T00:00:00Z', [{ id: 'march', data: { n: 1, user: 'm' } }]);
    expect(await bed.drop()).toBeGreaterThan(0);
    expect(await bed.kept()).toEqual(expect.arrayContaining(['kept', 'open', 'march']));
    expect(await bed.kept()).not.toContain('a2');
    const packed = await bed.rows<{ is_dropped: boolean }>('SELECT DISTINCT dropped IS NOT NULL AS is_dropped FROM usage_envelopes WHERE packed IS NOT NULL');
    expect(packed).toEqual([{ is_dropped: false }]);
    await expectSame();
    await bed.rows(`UPDATE usage_buckets SET total = total * 2 WHERE series IN (SELECT series FROM usage_series WHERE meter IN ('tokens', 'peak'))`);
    const found = await rebuild(true);
    expect(found.rebuilt).not.toBe(found.live);
    await expectSame();
    const total = async (meter: string): Promise<unknown> => (await bed.query(meter, JANUARY.from, '2026-04-01T00:00:00Z')).body.data[0].value;
    // 8 + 2 of January, 2 that came again after the window of duplicates, 4 as amended, 1 of March
    expect([await total('tokens'), await total('peak'), await total('users')]).toEqual(['17', '8', '4']);
  } finally {
    await bed.close();
  }
}, TIMEOUT_MS);
