import { createEmptyDatabase, eventually } from '@valueverse/testing';
import { newIdFrom } from '@valueverse/kernel';
import { ClockStepped } from '@valueverse/contracts';
import { Codec, NotYetKnown, recordOf, type Projector } from '@valueverse/event-log';
import { rowOf } from '../persistence/rows';
import { awaitKnown } from './await-known';
import type { Service } from './service';
import { KIND, receiver, reminded, sending, ServiceBed, TENANT, worker } from './service-bed.spec-kit';

const TIMEOUT_MS = 30_000;
const CLOCK = 'clk_1';
let bed: ServiceBed;
beforeEach(async () => { bed = await ServiceBed.make(); }, TIMEOUT_MS);
afterEach(() => bed.close(), TIMEOUT_MS);

/** Puts facts of billing on a topic, as billing's relay would. */
const fromBilling = async (stream: string, nows: readonly string[]): Promise<void> => {
  const facts = nows.map((now, nth) => new Codec('billing', [ClockStepped]).encode({ type: 'ClockStepped', clockId: CLOCK, now } as never, stream, nth + 1, { tenant: TENANT, at: now, actor: 'test', clockId: CLOCK }, now));
  await bed.feed.append('platform.clocks', facts[0]!.partition, facts.map((fact, nth) => recordOf({ ...fact, position: BigInt(nth + 1) }, BigInt(nth))));
};

describe('migrating', () => {
  test('twice changes nothing, and two processes at once do it once', async () => {
    const empty = await createEmptyDatabase();
    const fresh = new ServiceBed(empty);
    const names = (await Promise.all([fresh.open('usage').migrate(), fresh.open('usage').migrate()])).flat();
    expect(names.length).toBe(new Set(names).size);
    expect(names.length).toBeGreaterThan(3);
    expect(await fresh.open('usage').migrate()).toEqual([]);
    await fresh.close();
  }, TIMEOUT_MS);

  test('a store that was made with another number of partitions, or another hash, is refused', async () => {
    const service = bed.open('usage');
    await service.database.transaction({ role: 'owner' }, (tx) => tx.query(`UPDATE store_settings SET value = '8' WHERE name = 'partitions'`));
    await expect(service.migrate()).rejects.toThrow('this store was made with partitions = 8, this release has 16');
  });
});

test('the api role writes facts of its own tenant only', async () => {
  const service = bed.open('usage');
  const write = (tenant: string): Promise<unknown> => service.database.transaction({ role: 'api', tenant: 'org_2:test' }, (tx) =>
    service.log.execute(tx, [{ decider: { ...sending, views: [] }, command: { type: 'Send', parcelId: 'a' } as never, context: { tenant, at: bed.clock.at, actor: 'test' } }]));
  await expect(write(TENANT)).rejects.toThrow(/another tenant/);
  await write('org_2:test');
});

test('the trace of a request is found in its fact, in the fact of another service that follows, and in the facts of the job', async () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const usage = bed.start('usage');
  const payments = bed.start('payments', { consumers: [receiver], jobs: [{ kind: KIND, run: async (job) => reminded(job) }] });
  const { facts: [sent] } = await bed.send(usage, 'a', { traceparent });
  const [received] = await bed.factsOf(payments, 'parcel.received', 1);
  const [after] = await bed.factsOf(payments, 'parcel.reminded', 1);
  expect([received, after].map((fact) => [fact!['traceparent'], fact!['causationid'], fact!['correlationid']])).toEqual([1, 2].map(() => [traceparent, sent!.id, sent!.correlationId]));
}, TIMEOUT_MS);

describe('what a service says about a test clock', () => {
  const send = (service: Service, parcelId: string): Promise<unknown> => bed.send(service, parcelId, { clockId: CLOCK });
  const report = (service: Service): ReturnType<Service['reports']['clock']> => service.reports.clock(TENANT, CLOCK);
  const projector = (project: Projector['project']): Projector => ({ kind: 'projector', name: 'sent', version: 1, topics: ['usage.meters'], events: ['ParcelSent'], project });

  test('a fact is appended, then relayed, then read; a reader that was never given its partition has read nothing', async () => {
    const usage = bed.open('usage');
    const reader = bed.open('payments');
    reader.use([{ consumers: [projector(async () => undefined)], jobs: [] }]);
    await send(usage, 'a');
    const [mark] = (await report(usage)).appended;
    expect(mark).toMatchObject({ topic: 'usage.meters', position: '1' });
    expect((await report(usage)).relayed[String(mark!.partition)]).toBe('0');
    const consumed = async (): Promise<string | undefined> => (await report(reader)).consumed[`usage.meters/${mark!.partition}`];
    expect(await consumed()).toBe('0');
    usage.use([]);
    usage.start();
    await eventually('the fact to be relayed', async () => ((await report(usage)).relayed[String(mark!.partition)] === '1' ? true : undefined));
    expect([await consumed(), await reader.reports.hasConsumed('usage.meters', mark!.partition, 1n)]).toEqual(['0', false]);
    reader.start();
    await eventually('the fact to be read', async () => ((await consumed()) === '1' ? true : undefined));
    expect(await reader.reports.hasConsumed('usage.meters', mark!.partition, 1n)).toBe(true);
    expect((await report(reader)).waitingFor).toEqual([]);
  }, TIMEOUT_MS);

  test('a reader that waits has not read; a stream that is parked is waited for by name', async () => {
    const usage = bed.start('usage');
    let poisonous = false;
    const reader = bed.start('payments', { consumers: [projector(async () => { throw poisonous ? new Error('cannot read this') : new NotYetKnown('a key'); })] });
    await send(usage, 'a');
    const [mark] = (await report(usage)).appended;
    await eventually('the fact to be relayed', async () => ((await report(usage)).relayed[String(mark!.partition)] === '1' ? true : undefined));
    expect((await report(reader)).consumed[`usage.meters/${mark!.partition}`]).toBe('0');
    poisonous = true;
    await eventually('the stream to be parked', async (saw) => {
      const { waitingFor } = await report(reader);
      saw(waitingFor);
      return waitingFor.includes('payments: sent@1 could not handle parcel-a, which is parked') ? true : undefined;
    });
    expect((await reader.reports.clock(TENANT, 'clk_other')).waitingFor).toEqual([]);
  }, TIMEOUT_MS);

  test('the jobs of the clock are open until they are done, and the next one says when', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => { release = resolve; });
    const service = bed.jobs(async (job) => { await held; return reminded(job); });
    await service.database.transaction({ role: 'worker' }, (tx) => service.jobs.schedule(tx, ['2025-01-01T00:00:00Z', '2025-02-01T00:00:00Z'].map((dueAt) => ({ id: dueAt, kind: KIND, tenant: TENANT, dueAt, clockId: CLOCK, payload: { parcelId: dueAt } }))));
    await fromBilling(`clock-${CLOCK}`, ['2025-01-15T00:00:00Z']);
    await eventually('the job to be taken', async () => ((await worker(service, 'SELECT FROM jobs WHERE locked_by IS NOT NULL')).length === 1 ? true : undefined));
    expect(await report(service)).toMatchObject({ now: '2025-01-15T00:00:00Z', openJobs: 1, waitingFor: [`payments: ${KIND} 2025-01-01T00:00:00Z`], nextDue: '2025-02-01T00:00:00Z' });
    release();
    await eventually('the job to be done', async () => ((await report(service)).openJobs === 0 ? true : undefined));
  }, TIMEOUT_MS);
});

describe('what another context has made', () => {
  const known = (service: Service, parcelId: string): Promise<unknown> => awaitKnown(service, 'billing', TENANT, parcelId, (tx) => rowOf(tx, sending.views![0]!, parcelId));
  /** An owner that cannot say yet whether it has published everything. */
  const heldBack = (): { hasPublished: () => Promise<boolean>; say: (published: boolean) => void } => {
    let say: (published: boolean) => void = () => undefined;
    const said = new Promise<boolean>((resolve) => { say = resolve; });
    return { hasPublished: () => said, say: (published) => say(published) };
  };
  const opened = (hasPublished?: () => Promise<boolean>): Service => {
    const usage = bed.open('usage', hasPublished);
    usage.use([]);
    usage.start();
    return usage;
  };

  test('is found when it arrives while it is asked for', async () => {
    const owner = heldBack();
    const usage = opened(owner.hasPublished);
    const asking = known(usage, 'a');
    await bed.send(usage, 'a');
    expect(await asking).toEqual({ parcelId: 'a' });
    owner.say(true);
  }, TIMEOUT_MS);

  test('is not there when its owner has published everything and this service has read it; that is said at once', async () => {
    const usage = opened();
    await fromBilling(`clock-${CLOCK}`, ['2025-01-15T00:00:00Z']);
    expect(await known(usage, 'a')).toBeUndefined();
    expect(await known(usage, newIdFrom('par', Date.parse('2025-12-31T23:59:59Z'), Buffer.alloc(10, 1)))).toBeUndefined();
  }, TIMEOUT_MS);

  test('may still come while its owner has not published everything, or cannot be asked', async () => {
    const refused = { status: 503, code: 'not_yet_known', headers: { 'Retry-After': '1' } };
    await expect(known(opened(async () => false), 'a')).rejects.toMatchObject(refused);
    await expect(known(opened(async () => { throw new Error('it does not answer'); }), 'a')).rejects.toMatchObject(refused);
  }, TIMEOUT_MS);

  test('a service says that it has published when its relay has', async () => {
    const usage = bed.open('usage');
    usage.use([]);
    await bed.send(usage, 'a');
    expect(await usage.reports.hasPublished()).toBe(false);
    usage.start();
    expect(await eventually('it to say so', async () => ((await usage.reports.hasPublished()) ? true : undefined))).toBe(true);
  }, TIMEOUT_MS);

  test('asked for too often by one tenant is refused to that tenant, and to no other', async () => {
    const owner = heldBack();
    const usage = opened(owner.hasPublished);
    const ask = (tenant: string): Promise<unknown> => awaitKnown(usage, 'billing', tenant, 'nothing', (tx) => rowOf(tx, sending.views![0]!, 'nothing'));
    let refusedOnes = 0;
    const refused = (error: { status: number }): number => { refusedOnes += 1; return error.status; };
    const asked = Array.from({ length: 25 }, () => ask(TENANT).catch(refused));
    const other = ask('org_2:test');
    await eventually('five to be refused', () => (refusedOnes === 5 ? true : undefined));
    owner.say(true);
    expect(await other).toBeUndefined();
    expect((await Promise.all(asked)).filter((answer) => answer === undefined)).toHaveLength(20);
    expect((await Promise.all(asked)).filter((answer) => answer === 503)).toHaveLength(5);
  }, TIMEOUT_MS);

  test('is not waited for because of a reader that this release no longer has', async () => {
    const usage = bed.open('usage');
    usage.use([]);
    usage.start();
    await fromBilling(`clock-${CLOCK}`, ['2025-01-15T00:00:00Z']);
    await worker(usage, `INSERT INTO checkpoints (consumer, topic, partition) SELECT 'retired@1', 'platform.clocks', p FROM generate_series(0, 15) p`);
    await eventually('this service to have read everything', () => known(usage, 'a').then((found) => found === undefined, () => undefined));
  }, TIMEOUT_MS);

  test('may still come while this service is behind the feed', async () => {
    const usage = bed.open('usage');
    usage.use([]);
    await fromBilling(`clock-${CLOCK}`, ['2025-01-15T00:00:00Z']);
    await expect(known(usage, 'a')).rejects.toMatchObject({ status: 503, code: 'not_yet_known', headers: { 'Retry-After': '1' } });
  }, TIMEOUT_MS);
});
