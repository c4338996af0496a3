import { partitionOf } from '@valueverse/kernel';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import { Client } from 'pg';
import { eventually } from '@valueverse/testing';
import { HostBed } from './host-bed.spec-kit';
import { statementIdOf } from './statements/statements';
import { lookAtMetering } from './stuck-partitions';

const TIMEOUT_MS = 60_000;
const TENANT = 'org_1:test';
const partitionFor = (subject: string): number => partitionOf(TENANT, subject, USAGE_PARTITIONS);
const HELD = 'acme';
const FREE = Array.from({ length: 50 }, (_, nth) => `free-${nth}`).find((subject) => partitionFor(subject) !== partitionFor(HELD))!;
const NAME = `usage.events/${partitionFor(HELD)}`;

let bed: HostBed;
let key: string;
let admin: Client;
let requests = 0;
beforeAll(async () => {
  bed = await HostBed.make();
  key = await bed.key('org_1');
  admin = new Client({ connectionString: bed.service.database.url });
  await admin.connect();
  await admin.query('SET search_path TO usage');
  expect((await bed.ask('POST', 'meters', key, { key: 'calls', eventType: 'call', aggregation: 'count' })).status).toBe(201);
}, TIMEOUT_MS);
afterAll(async () => {
  await admin.end();
  await bed.close();
}, TIMEOUT_MS);

const event = (id: string, subject: string): object => ({ specversion: '1.0', id, source: 'gateway', type: 'call', subject, time: '2026-03-01T12:00:00Z' });
/** Asks for a statement as billing would; answers where it will be. */
const ask = async (subject: string): Promise<string> => {
  const requestId = `req_${++requests}`;
  await bed.request(TENANT, [{ requestId, subscriptionId: 'sub_1', chargeKey: 'calls', meterKey: 'calls', meterVersion: 1, usage: [{ subject, from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z' }], groupBy: [] }], '2026-03-03T00:00:00Z');
  return `statements/${statementIdOf(TENANT, requestId)}`;
};
const issued = (path: string): Promise<string> => eventually(`the statement ${path}`, async (saw) => {
  const answer = await bed.ask('GET', path, key);
  saw(answer.body);
  return answer.status === 200 ? answer.body.quantities[0]?.value as string ?? '0' : undefined;
}, { timeoutMs: 20_000 });
const waits = (path: string): Promise<unknown> => eventually(`${path} to wait`, async (saw) => {
  const { rows } = await admin.query<{ waits_for: string | null }>(`SELECT waits_for FROM jobs WHERE kind LIKE '%statement%'`);
  saw(rows);
  return rows.some(({ waits_for: reason }) => reason?.includes(`envelopes of ${NAME} are parked or rejected`)) ? true : undefined;
}, { timeoutMs: 20_000 });
interface Said { readonly status: number; readonly health: string; readonly metric: string; readonly look: Awaited<ReturnType<typeof lookAtMetering>> }
/** The metric is what is waited for, so it is read first: what is read after it cannot say what was before. */
const said = async (kind: string): Promise<Said> => {
  const metric = new RegExp(`valueverse_usage_stuck_partitions\\{[^}]*kind="${kind}"[^}]*\\} (\\d+)`).exec(await bed.service.metrics.text())?.[1] ?? 'none';
  const look = await lookAtMetering(bed.service);
  const ready = await fetch(`${bed.url}/health/ready`);
  const { details } = await ready.json() as { details: Record<string, { status: string; reason?: string }> };
  const { status, reason } = details['usage metering']!;
  return { status: ready.status, health: `${status} ${reason ?? ''}`, metric, look };
};
const WELL: Omit<Said, 'metric'> = { status: 200, health: 'up ', look: { ok: true, detail: 'gets on in all partitions' } };
/** Before it is parked it fails a few times. */
const until = (kind: string, isStuck: boolean): Promise<Said> => eventually(`metering ${isStuck ? 'to be stuck' : 'to get on'}`, async (saw) => {
  const found = await said(kind);
  saw(found);
  return found.metric === (isStuck ? '1' : '0') && found.look.ok !== isStuck ? found : undefined;
}, { timeoutMs: 20_000 });

test('an envelope that cannot be taken in holds back its own partition, says so everywhere, and counts once the cause is mended and it is retried', async () => {
  expect(await said('parked')).toEqual({ ...WELL, metric: '0' });
  await admin.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'somebody has broken this table'; END $$`);
  await admin.query(`CREATE TRIGGER refuse BEFORE INSERT ON usage_envelopes FOR EACH ROW WHEN (new.body LIKE '%"id":"planted"%') EXECUTE FUNCTION refuse()`);
  await bed.send(key, [event('planted', HELD), event('free 1', FREE)]);
  const stuck = await until('parked', true);
  expect(stuck).toEqual({
    status: 200, metric: '1', health: expect.stringMatching(new RegExp(`^up ${NAME} has 1 parked records \\(.*somebody has broken this table\\); statements of their subjects wait, those of others do not; next: npx vv dlq list usage`)),
    look: { ok: false, detail: expect.stringContaining(`${NAME} has 1 parked records`), next: expect.stringContaining('npx vv dlq retry usage') },
  });
  // What comes behind it is counted, and is not the whole of it.
  await bed.send(key, [event('behind', HELD)]);
  const [held, free] = [await ask(HELD), await ask(FREE)];
  expect(await issued(free)).toBe('1');
  await waits(held);
  expect((await bed.ask('GET', held, key)).status).toBe(404);

  const { rows: [letter] } = await admin.query<{ consumer: string; tenant: string; stream: string }>('SELECT consumer, tenant, stream FROM parked_streams');
  const retry = (): Promise<number> => bed.service.reads.retryParked(letter!.consumer, letter!.tenant, letter!.stream);
  await expect(retry()).rejects.toThrow('somebody has broken this table');
  await admin.query('DROP TRIGGER refuse ON usage_envelopes');
  expect(await retry()).toBe(1);
  expect(await issued(held)).toBe('2');
  expect(await said('parked')).toEqual({ ...WELL, metric: '0' });
}, TIMEOUT_MS);

test.each([
  ['no time of an event', 'parked', (envelope: object): string => JSON.stringify(envelope)], ['no JSON', 'rejected', (): string => '{"id":'],
])('a record that never can be taken in (%s) holds back its own partition until it is given up', async (what, kind, write) => {
  const envelope = { id: `env_${kind}`, tenant: TENANT, recordedAt: '2026-03-01T12:00:00Z', events: [{ ...event(what, HELD), time: 'never' }] };
  await bed.feed.append('usage.events', partitionFor(HELD), [{ key: envelope.id, value: write(envelope), headers: { ce_tenant: TENANT } }]);
  expect(await until(kind, true)).toMatchObject({ status: 200, metric: '1', look: { detail: expect.stringContaining(`${NAME} has 1 ${kind} records`), next: expect.stringContaining('npx vv dlq list usage') } });
  const [held, free] = [await ask(HELD), await ask(FREE)];
  expect(await issued(free)).toBe('1');
  await waits(held);
  // As `vv dlq discard` does.
  await admin.query('DELETE FROM parked_streams; DELETE FROM parked_records; DELETE FROM rejected_records');
  expect(await issued(held)).toBe('2');
  expect(await until(kind, false)).toEqual({ ...WELL, metric: '0' });
}, TIMEOUT_MS);

test('a partition that is stopped is named with the command that lets it go on, and the process stays ready', async () => {
  await admin.query(`UPDATE checkpoints SET halted = 'a record is missing', epoch = epoch + 1 WHERE consumer = 'metering@1' AND partition = $1`, [partitionFor(HELD)]);
  expect(await until('stopped', true)).toMatchObject({
    status: 200, metric: '1', health: expect.stringContaining(`${NAME} is stopped (a record is missing)`), look: { next: expect.stringContaining(`npx vv readers resume usage metering@1 --topic usage.events --partition ${partitionFor(HELD)}`) },
  });
  await admin.query('UPDATE checkpoints SET halted = NULL');
  expect(await until('stopped', false)).toEqual({ ...WELL, metric: '0' });
}, TIMEOUT_MS);
