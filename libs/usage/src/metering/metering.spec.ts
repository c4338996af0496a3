import fc from 'fast-check';
import { runs, timeForRuns } from '@valueverse/testing';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import { partitionOf } from '@valueverse/kernel';
import { AT, Bed, NOW, QUARTER, SECOND, TENANT } from '../bed.spec-kit';
import type { UsageEvent } from '../ingest/domain/usage-event';
import { bodyHashOf } from './body';
import { linkOf } from './copy';
import { meteringProjector } from './metering.projector';

const TIMEOUT_MS = timeForRuns(60_000);
const call = (id: string, tokens: unknown, more: object = {}): object => ({ id, data: { tokens, model: 'code' }, ...more });

describe('metering', () => {
  let bed: Bed;
  beforeAll(async () => { bed = await Bed.make(); bed.start(({ name }) => name !== 'metering'); }, TIMEOUT_MS);
  afterAll(() => bed.close(), TIMEOUT_MS);

  /** A tenant of its own with a meter, so that the cases share a database. */
  const tenantWithMeter = async (name: string): Promise<string> => {
    const tenant = `org_${name}:test`;
    await bed.createMeter('tokens', {}, tenant);
    await bed.metersFollow(tenant);
    return tenant;
  };

  test('usage is added up exactly per subject, group and quarter of an hour', async () => {
    const tenant = await tenantWithMeter('sum');
    await bed.project([[call('1', 0.1), call('2', '0.2'), call('3', 5, { time: AT(QUARTER) })], [call('4', 7, { data: { tokens: 7, model: 'chat' } }), call('5', 9, { subject: 'other' })]], tenant);
    expect(await bed.buckets(tenant)).toEqual([
      { meter: 'tokens', subject: 'acme', bucket: '1770717600000000', groups: '{"model":"chat"}', total: '7', events: '1' },
      { meter: 'tokens', subject: 'acme', bucket: '1770717600000000', groups: '{"model":"code"}', total: '0.3', events: '2' },
      { meter: 'tokens', subject: 'acme', bucket: '1770718500000000', groups: '{"model":"code"}', total: '5', events: '1' },
      { meter: 'tokens', subject: 'other', bucket: '1770717600000000', groups: '{"model":"code"}', total: '9', events: '1' },
    ]);
  });

  test('a duplicate counts once and is listed, whatever time it claims', async () => {
    const tenant = await tenantWithMeter('duplicate');
    await bed.project([[call('1', 3), call('1', 3)], [call('1', 3, { time: AT(2 * QUARTER) })]], tenant);
    expect((await bed.buckets(tenant)).map(({ total, events }) => [total, events])).toEqual([['3', '1']]);
    expect((await bed.exceptions(tenant)).map(({ code }) => code)).toEqual(['duplicate', 'duplicate']);
  });

  test('its commit is waited for: a process remembers numbers of series and days of keys, and PostgreSQL must not lose what they stand for', async () => {
    const tenant = await tenantWithMeter('committed');
    const record = bed.recordOf(partitionOf(tenant, 'acme', USAGE_PARTITIONS), 'env_committed', tenant, [{ id: '1', source: 'gateway', type: 'call', subject: 'acme', time: AT(0), data: { tokens: 1, model: 'code' } }]);
    const settings = await bed.database.transaction({ role: 'worker' }, async (tx) => {
      await meteringProjector().project(tx, [record]);
      return (await tx.query(`SELECT current_setting('synchronous_commit') AS own, (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit') AS server`)).rows[0]!;
    });
    expect(settings).toEqual({ own: 'on', server: 'on' });
  });

  test('F137: the same id with other content is a conflict: the first stands, the second is kept and listed', async () => {
    const tenant = await tenantWithMeter('conflict');
    await bed.project([[call('1', 3), call('1', 4)], [call('1', 3, { type: 'other' })]], tenant);
    expect((await bed.buckets(tenant)).map(({ total }) => total)).toEqual(['3']);
    expect((await bed.exceptions(tenant)).map(({ code }) => code)).toEqual(['conflict', 'conflict']);
    const kept = await bed.rows<{ body: string; not_counted: number[] }>('SELECT body, not_counted FROM usage_envelopes WHERE tenant = $1 ORDER BY position', [tenant]);
    expect(kept.map(({ not_counted }) => not_counted)).toEqual([[1], [0]]);
    expect(JSON.parse(kept[0]!.body).events).toHaveLength(2);
  });

  test('one id under two subjects counts for both and is listed', async () => {
    const tenant = await tenantWithMeter('reused');
    await bed.project([[call('1', 3), call('1', 3, { subject: 'other' })], [call('1', 3, { subject: 'other' })], [call('1', 3)]], tenant);
    expect((await bed.buckets(tenant)).map(({ subject, total }) => [subject, total])).toEqual([['acme', '3'], ['other', '3']]);
    expect((await bed.exceptions(tenant)).map(({ code, subject }) => [code, subject]).sort()).toEqual([['duplicate', 'acme'], ['duplicate', 'other'], ['id_reused', 'other']]);
  });

  test('one id under many subjects in many partitions at once counts for each', async () => {
    const tenant = await tenantWithMeter('race');
    const subjects = Array.from({ length: 8 }, (_, nth) => `subject-${nth}`);
    await Promise.all(subjects.map((subject) => bed.project([[call('same', 1, { subject })]], tenant)));
    expect((await bed.exceptions(tenant)).every(({ code }) => code === 'id_reused')).toBe(true);
    expect(await bed.buckets(tenant)).toHaveLength(8);
  });

  test('one id under many subjects in many partitions, one after the other, is listed for all but the first', async () => {
    const tenant = await tenantWithMeter('passed on');
    const subjects = Array.from({ length: 8 }, (_, nth) => `subject-${nth}`);
    for (const subject of subjects) await bed.project([[call('same', 1, { subject })]], tenant);
    expect((await bed.exceptions(tenant)).map(({ code, subject }) => `${code} ${subject}`).sort()).toEqual(subjects.slice(1).map((subject) => `id_reused ${subject}`));
    expect(await bed.buckets(tenant)).toHaveLength(8);
  });

  test('an event without a usable value is kept and listed for its meter; a count does not mind', async () => {
    const tenant = await tenantWithMeter('invalid');
    await bed.createMeter('calls', { aggregation: 'count', valueProperty: undefined, groupBy: {} }, tenant);
    await bed.metersFollow(tenant);
    const values = [undefined, null, 'many', {}, [], true, '', '1e3', '9'.repeat(40), ' 1'];
    await bed.project([values.map((value, nth) => call(String(nth), value)), [{ id: 'no data' }]], tenant);
    expect((await bed.buckets(tenant)).map(({ meter, total, events }) => [meter, total, events])).toEqual([['calls', '0', '11']]);
    expect((await bed.exceptions(tenant)).map(({ code, meter }) => `${code} ${meter}`)).toEqual(Array.from({ length: 11 }, () => 'invalid_value tokens'));
  });

  test('F29: an envelope that the feed holds twice is copied once; positions have no gaps; the chain holds', async () => {
    const tenant = 'org_chain:test';
    const partition = partitionOf(tenant, 'acme', USAGE_PARTITIONS);
    const event = { id: '1', source: 'gateway', type: 'call', subject: 'acme', time: AT(0), data: { tokens: 1 } };
    const [first, second] = [bed.recordOf(partition, 'env_a', tenant, [event]), bed.recordOf(partition, 'env_b', tenant, [{ ...event, id: '2' }])];
    await bed.projectRecords([first, { ...first, offset: 1n }]);
    await bed.projectRecords([first, second]);
    const rows = await bed.rows<{ tenant: string; position: bigint; header: string; body: string; body_hash: Buffer; link: Buffer }>('SELECT * FROM usage_envelopes WHERE partition = $1 ORDER BY position', [partition]);
    expect(rows.map(({ position }) => position)).toEqual(rows.map((_, index) => BigInt(index + 1)));
    expect(rows.filter((row) => row.tenant === tenant)).toHaveLength(2);
    let link: Buffer = Buffer.alloc(0);
    for (const row of rows) {
      expect(row.body_hash).toEqual(bodyHashOf(row.body));
      link = linkOf(link, row.header, row.body_hash);
      expect(row.link).toEqual(link);
    }
    expect(await bed.rows('SELECT link FROM usage_partitions WHERE partition = $1', [partition])).toEqual([{ link }]);
  });

  test('what is no envelope of ours is refused', async () => {
    const good = { id: '1', source: 'gateway', type: 'call', subject: 'acme', time: AT(0) };
    const partition = partitionOf(TENANT, 'acme', USAGE_PARTITIONS);
    await expect(bed.projectRecords([bed.recordOf((partition + 1) % USAGE_PARTITIONS, 'env_x', TENANT, [good])])).rejects.toThrow('wrong partition');
    await expect(bed.projectRecords([{ ...bed.recordOf(partition, 'env_y', TENANT, [good]), headers: { ce_tenant: 'org_2:test' } }])).rejects.toThrow('different tenants');
    await expect(bed.projectRecords([bed.recordOf(partition, 'env_z', TENANT, [{ ...good, time: 5 as never }])])).rejects.toThrow('no usage event');
  });

  test('any order, any repetition and any cut into envelopes give the same buckets', async () => {
    const event = fc.record({
      id: fc.integer({ min: 0, max: 30 }), at: fc.integer({ min: 0, max: 4 * QUARTER / SECOND }), subject: fc.constantFrom('a', 'b', 'c'), model: fc.constantFrom('x', 'y'),
      tokens: fc.oneof(fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: 0, max: 99999 }).map((cents) => `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`)),
    });
    let run = 0;
    await fc.assert(fc.asyncProperty(
      // One id has one content, or who is first would matter.
      fc.uniqueArray(event, { minLength: 1, maxLength: 25, selector: ({ id, subject }) => `${id} ${subject}` }), fc.array(fc.nat(), { maxLength: 60 }), fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 10 }),
      async (events, picks, cuts) => {
        run += 1;
        const [plain, shuffled] = [await tenantWithMeter(`plain${run}`), await tenantWithMeter(`shuffled${run}`)];
        const sent = events.map(({ id, at, subject, model, tokens }) => ({ id: String(id), subject, time: AT(at * SECOND), data: { tokens, model } }));
        const order = [...picks.map((pick) => sent[pick % sent.length]!), ...[...sent].reverse()];
        const envelopes: object[][] = [];
        for (let nth = 0, at = 0; at < order.length; nth++) { const size = cuts[nth % cuts.length]!; envelopes.push(order.slice(at, at + size)); at += size; }
        await bed.project([sent], plain);
        await bed.project(envelopes, shuffled);
        expect(await bed.buckets(shuffled)).toEqual(await bed.buckets(plain));
      }), runs(20260301, 12));
  }, TIMEOUT_MS);

  test('a meter that comes later counts what was there before, and nothing twice', async () => {
    const tenant = 'org_late_meter:test';
    const subjects = ['acme', 'other', 'third'];
    const events = Array.from({ length: 350 }, (_, nth) => call(`${nth}`, 1, { subject: subjects[nth % 3]!, time: AT(nth * SECOND) }));
    await bed.project(events.map((event) => [event]), tenant);
    await bed.project([[call('1', 2, { subject: 'other' }), call('bad', 'x')]], tenant);
    const creating = bed.createMeter('tokens', { groupBy: {} }, tenant);
    await bed.project(Array.from({ length: 30 }, (_, nth) => [call(`more ${nth}`, 1, { time: AT(0) })]), tenant);
    await creating;
    await bed.metersFollow(tenant);
    await bed.project([[call('last', 1)]], tenant);
    const totals = await bed.rows(`SELECT s.subject, sum(b.total)::text AS total, sum(b.events)::int AS events FROM usage_buckets b JOIN usage_series s USING (series) WHERE b.tenant = $1 AND s.subject <> '' GROUP BY 1 ORDER BY 1`, [tenant]);
    expect(totals).toEqual([{ subject: 'acme', total: '148', events: 148 }, { subject: 'other', total: '117', events: 117 }, { subject: 'third', total: '116', events: 116 }]);
    expect((await bed.exceptions(tenant)).map(({ code }) => code).sort()).toEqual(['conflict', 'invalid_value']);
  }, TIMEOUT_MS);

  test('events of one series that are taken back or amended in one batch are all taken back', async () => {
    const tenant = await tenantWithMeter('together');
    const partition = partitionOf(tenant, 'acme', USAGE_PARTITIONS);
    const event = (id: string, tokens: number, at: number, kind?: 'void' | 'amend'): UsageEvent => ({
      id, source: 'gateway', type: 'call', subject: 'acme', time: AT(at), data: { tokens, model: 'code' }, ...(kind === undefined ? {} : { correction: { id: `${kind} ${id}`, kind, reason: 'a test' } }),
    });
    const envelopes = [[event('1', 1, 0), event('2', 2, 0), event('3', 4, QUARTER), event('4', 8, QUARTER)], [event('1', 0, 0, 'void')], [event('2', 16, QUARTER, 'amend'), event('3', 0, 0, 'void')], [event('2', 0, 0, 'void')]];
    await bed.projectRecords(envelopes.map((own, nth) => bed.recordOf(partition, `env_together_${nth}`, tenant, own)));
    const rows = await bed.rows(`SELECT s.subject, b.bucket::text, b.total::text, b.events::int FROM usage_buckets b JOIN usage_series s USING (series) WHERE b.tenant = $1 ORDER BY 1`, [tenant]);
    expect(rows).toEqual(['', 'acme'].map((subject) => ({ subject, bucket: '1770718500000000', total: '8', events: 1 })));
  });

  test('log time never goes back', async () => {
    const tenant = 'org_time:test';
    await bed.project([[call('1', 1)]], tenant);
    const [row] = await bed.rows<{ log_time: bigint; header: string }>('SELECT log_time, header FROM usage_envelopes WHERE tenant = $1', [tenant]);
    expect(JSON.parse(row!.header)).toMatchObject({ recordedAt: NOW, logTime: String(row!.log_time), tenant });
  });
});
