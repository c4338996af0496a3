import { eventually } from '@valueverse/testing';
import { partitionOf } from '@valueverse/kernel';
import { partitionsOf } from '@valueverse/contracts';
import { Database, follow, NotYetKnown, recordOf, type Fact, type NewRecord, type Projector, type Reactor } from '@valueverse/event-log';
import type { Service } from './service';
import { KIND, receiver, receiving, remind, reminded, ServiceBed, TENANT, type Sent } from './service-bed.spec-kit';

const TIMEOUT_MS = 30_000;
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const TRACEPARENT = `00-${TRACE}-b7ad6b7169203331-01`;
let bed: ServiceBed;
beforeEach(async () => { bed = await ServiceBed.make(); }, TIMEOUT_MS);
afterEach(() => bed.close(), TIMEOUT_MS);

/** The value of a series of a service; `undefined` where it is not there. */
const valueOf = async (service: Service, series: string): Promise<number | undefined> => {
  const line = (await service.metrics.text()).split('\n').find((text) => text.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
};
const becomes = (service: Service, series: string, value: number): Promise<number> => eventually(`${series} to be ${value}`, async (saw) => {
  const found = await valueOf(service, series);
  saw(found);
  return found === value ? found : undefined;
});
const projector = (project: Projector['project']): Projector => ({ kind: 'projector', name: 'sent', version: 1, topics: ['usage.meters'], events: ['ParcelSent'], project });
const SENT = 'service="payments",consumer="sent@1"';

describe('what moves', () => {
  test('facts, and how many wait for the feed for how long', async () => {
    const usage = bed.open('usage');
    usage.use([]);
    await bed.send(usage, 'a');
    await bed.send(usage, 'b');
    bed.clock.at = '2026-01-01T00:00:30Z';
    const read = (): Promise<(number | undefined)[]> => Promise.all(['relay_behind', 'relay_age_seconds'].map((name) => valueOf(usage, `valueverse_log_${name}{service="usage"}`)));
    expect(await read()).toEqual([2, 30]);
    expect(await valueOf(usage, 'valueverse_log_facts_total{service="usage",name="ParcelSent"}')).toBe(2);
    usage.start();
    await becomes(usage, 'valueverse_log_relay_behind{service="usage"}', 0);
    expect(await read()).toEqual([0, 0]);
  }, TIMEOUT_MS);

  test('how far a consumer is behind', async () => {
    let isReady = false;
    const payments = bed.start('payments', { consumers: [projector(async () => { if (!isReady) throw new NotYetKnown('it comes later'); })] });
    await bed.send(bed.start('usage'), 'a');
    const series = `valueverse_log_consumer_behind{${SENT},topic="usage.meters"}`;
    await becomes(payments, series, 1);
    isReady = true;
    await becomes(payments, series, 0);
  }, TIMEOUT_MS);

  test('a stream that is parked, and the alarm', async () => {
    const payments = bed.start('payments', { consumers: [projector(async () => { throw new Error('it cannot be read'); })] });
    expect(await valueOf(payments, `valueverse_log_parked_streams{${SENT}}`)).toBe(0);
    await bed.send(bed.start('usage'), 'a');
    await becomes(payments, `valueverse_log_parked_streams{${SENT}}`, 1);
    await becomes(payments, 'valueverse_log_alarms_total{service="payments"}', 1);
  }, TIMEOUT_MS);

  test('a partition at which a consumer has stopped, because the feed lost a record', async () => {
    const partition = partitionOf(TENANT, 'x', partitionsOf('usage.meters'));
    const record = (position: bigint): NewRecord => recordOf({ partition, position, type: 'dev.valueverse.usage.parcel.sent.v1', id: 'evt_x', tenant: TENANT, stream: 'x', body: '{}' }, position - 1n);
    await bed.feed.append('usage.meters', partition, [record(1n), record(2n)]);
    const feed = new Database({ url: bed.url, schema: 'feed' });
    await feed.transaction({ role: 'worker' }, (tx) => tx.query('DELETE FROM records WHERE topic = $1 AND position = 1', ['usage.meters']));
    await feed.close();
    const payments = bed.start('payments', { consumers: [projector(async () => undefined)] });
    await becomes(payments, `valueverse_log_halted_partitions{${SENT}}`, 1);
  }, TIMEOUT_MS);

  test('jobs that wait, are overdue, fail and end', async () => {
    let isDown = true;
    const payments = bed.open('payments');
    payments.use([{ consumers: [], jobs: [{ kind: KIND, run: async (job) => { if (isDown) throw new Error('the provider is down'); return reminded(job); } }] }]);
    await payments.database.transaction({ role: 'worker' }, (tx) => payments.jobs.schedule(tx, [remind('a', bed.clock.at)]));
    bed.clock.at = '2026-01-01T00:02:00Z';
    expect(await valueOf(payments, 'valueverse_jobs_waiting{service="payments"}')).toBe(1);
    expect(await valueOf(payments, 'valueverse_jobs_overdue_seconds{service="payments"}')).toBe(120);
    payments.start();
    await becomes(payments, 'valueverse_jobs_failing{service="payments"}', 1);
    expect(await valueOf(payments, `valueverse_jobs_run_seconds_count{kind="${KIND}",outcome="failed"}`)).toBeGreaterThan(0);
    isDown = false;
    await becomes(payments, 'valueverse_jobs_waiting{service="payments"}', 0);
    expect(await valueOf(payments, `valueverse_jobs_run_seconds_count{kind="${KIND}",outcome="done"}`)).toBe(1);
    expect(await valueOf(payments, 'valueverse_jobs_overdue_seconds{service="payments"}')).toBe(0);
  }, TIMEOUT_MS);
});

describe('a line of the log says whose work it is', () => {
  const lineOf = (message: string): Promise<Record<string, unknown>> => eventually(`the line "${message}"`, () => {
    const lines = bed.logged.map((line) => JSON.parse(line) as Record<string, unknown>);
    return lines.find((line) => line['message'] === message);
  });

  test('in a reactor and in the job that follows', async () => {
    const payments: Service = bed.start('payments', {
      consumers: [{ ...receiver, on: { ParcelSent: ({ parcelId }: Sent, fact: Fact) => {
        payments.logger.warn('in the reactor');
        return { commands: [follow(receiving, { type: 'Receive', parcelId })], jobs: [remind(parcelId, fact.at)] };
      } } } satisfies Reactor],
      jobs: [{ kind: KIND, run: async (job) => { payments.logger.warn('in the job'); return reminded(job); } }],
    });
    const { facts: [sent] } = await bed.send(bed.start('usage'), 'a', { traceparent: TRACEPARENT });
    const own = { traceId: TRACE, tenant: TENANT, correlationId: sent!.correlationId };
    expect(await lineOf('in the reactor')).toMatchObject(own);
    expect(await lineOf('in the job')).toMatchObject(own);
  }, TIMEOUT_MS);

  test('of a record that cannot be handled', async () => {
    const usage = bed.start('usage');
    bed.start('payments', { consumers: [projector(async () => { throw new Error('it cannot be read'); })] });
    const { facts: [sent] } = await bed.send(usage, 'a', { traceparent: TRACEPARENT });
    const alarm = await eventually('the alarm', () => bed.logged.map((line) => JSON.parse(line) as Record<string, unknown>).find((line) => line['alarm'] === true));
    expect(alarm).toMatchObject({ message: expect.stringMatching(/parked the stream/) as string, traceId: TRACE, tenant: TENANT, correlationId: sent!.correlationId });
  }, TIMEOUT_MS);
});
