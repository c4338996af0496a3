import { isBefore, partitionOf } from '@valueverse/kernel';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import { describeOnKafka, eventually } from '@valueverse/testing';
import { FeedTimeout, type Feed, type KafkaFeed, type NewRecord } from '@valueverse/event-log';
import { systemClock } from '@valueverse/platform';
import { lookAtMetering } from '../stuck-partitions';
import { statementIdOf } from '../statements/statements';
import { Nas } from '../radius/nas.spec-kit';
import { KafkaBed } from './kafka-bed.spec-kit';

const TIMEOUT_MS = 120_000;
const TENANT = 'org_stuck:test';
const partitionFor = (subject: string): number => partitionOf(TENANT, subject, USAGE_PARTITIONS);
const HELD = 'acme';
const FREE = Array.from({ length: 50 }, (_, nth) => `free-${nth}`).find((subject) => partitionFor(subject) !== partitionFor(HELD))!;
const SECRET = 'xyzzy5461';
/** 2026-03-01T12:00:00Z, in Unix seconds. */
const NOON = 1_772_366_400;
const NAME = `usage.events/${partitionFor(HELD)}`;
/** More than may wait in the outbox while every partition takes something. */
const BACKLOG = 2_100;

describeOnKafka('a partition of usage.events that takes nothing', (brokers) => {
  let bed: KafkaBed;
  let key: string;
  let refuses: 'nothing' | 'by silence' | 'by failing' = 'nothing';
  let speakAgain: () => void = () => undefined;
  const refusing = (feed: KafkaFeed): Feed => Object.assign(Object.create(feed) as Feed, {
    append: async (topic: 'usage.events', partition: number, records: readonly NewRecord[]): Promise<void> => {
      if (refuses !== 'nothing' && topic === 'usage.events' && partition === partitionFor(HELD)) {
        if (refuses === 'by silence') await new Promise<void>((resolve) => { speakAgain = resolve; });
        throw new FeedTimeout('the partition has no leader');
      }
      await feed.append(topic, partition, records);
    },
  });
  const rows = async <T extends Record<string, unknown>>(sql: string, values: unknown[] = []): Promise<T[]> => (await bed.host.service.database.transaction({ role: 'worker' }, (tx) => tx.query<T>(sql, values))).rows;

  let nas: Nas;
  let sessions = 0;
  beforeAll(async () => {
    bed = await KafkaBed.make(brokers(), refusing);
    key = await bed.host.key('org_stuck');
    expect((await bed.host.ask('POST', 'meters', key, { key: 'calls', eventType: 'call', aggregation: 'count' })).status).toBe(201);
    expect((await bed.host.ask('POST', 'meters', key, { key: 'octets', eventType: 'radius.accounting', aggregation: 'sum', valueProperty: '$.totalOctets' })).status).toBe(201);
    expect((await bed.host.ask('POST', 'radius/clients', key, { name: 'bng', address: '127.0.0.0/8', secret: SECRET })).status).toBe(201);
    nas = await Nas.at(await bed.host.radius(), SECRET);
  }, TIMEOUT_MS);
  afterAll(async () => {
    await (nas as Nas | undefined)?.close();
    await (bed as KafkaBed | undefined)?.close();
  }, TIMEOUT_MS);

  const counted = (subject: string, value: string, meter = 'calls'): Promise<unknown> => eventually(`${value} of ${subject}`, async (saw) => {
    const { body } = await bed.host.ask('GET', `meters/${meter}/query?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z&subject=${subject}`, key);
    saw(body);
    return body.data[0]?.value === value ? true : undefined;
  }, { timeoutMs: 30_000 });
  const metric = async (): Promise<string | undefined> => /valueverse_usage_stuck_partitions\{[^}]*kind="not_taken"[^}]*\} (\d+)/.exec(await bed.host.service.metrics.text())?.[1];
  const ask = async (requestId: string, subject: string): Promise<string> => {
    await bed.host.request(TENANT, [{ requestId, subscriptionId: 'sub_1', chargeKey: 'calls', meterKey: 'calls', meterVersion: 1, usage: [{ subject, from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z' }], groupBy: [] }], '2026-03-03T00:00:00Z');
    return `statements/${statementIdOf(TENANT, requestId)}`;
  };
  const issued = (path: string): Promise<string> => eventually(`the statement ${path}`, async (saw) => {
    const answer = await bed.host.ask('GET', path, key);
    saw(answer.body);
    return answer.status === 200 ? answer.body.quantities[0]?.value as string : undefined;
  }, { timeoutMs: 30_000 });
  /** Over HTTP: an event of the partition and one of another, in one request. */
  const post = async (id: string): Promise<void> => {
    const event = { specversion: '1.0', id, source: 'over http', type: 'call', time: '2026-03-01T12:00:00Z' };
    expect(await bed.host.send(key, [HELD, FREE].map((subject) => ({ ...event, subject })))).toMatchObject({ status: 202, body: { accepted: 2, rejected: [] } });
  };
  const asOf = async (subject: string): Promise<string> => (await bed.host.ask('GET', `meters/calls/query?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z&subject=${subject}`, key)).body.asOf;
  const send = async (ingest: string, ids: readonly string[]): Promise<void> => {
    const headers = { 'content-type': 'application/cloudevents+json', 'authorization': `Bearer ${ingest}` };
    await bed.send(ids.flatMap((id) => [HELD, FREE].map((subject) => ({ key: 'clients', headers, value: JSON.stringify({ specversion: '1.0', id, source: 'gateway', type: 'call', subject, time: '2026-03-01T12:00:00Z' }) }))));
  };

  afterEach(() => {
    refuses = 'nothing';
    speakAgain();
  });

  test.each(['by silence', 'by failing'] as const)('%s: what is accepted over HTTP and by RADIUS is durable, others are counted at once; statements and the instant of an answer wait for it, once', async (how) => {
    const before = Number((await bed.host.ask('GET', `meters/calls/query?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z&subject=${FREE}`, key)).body.data[0]?.value ?? 0);
    refuses = how;
    await Promise.all([post(`${how} 1`), post(`${how} 2`)]);
    await post(`${how} 3`);
    const stop = (subject: string): Promise<unknown> => nas.send({ ACCT_STATUS_TYPE: 2, USER_NAME: subject, NAS_IDENTIFIER: 'nas', ACCT_SESSION_ID: `${how} ${subject}`, EVENT_TIMESTAMP: NOON, ACCT_SESSION_TIME: 60, ACCT_INPUT_OCTETS: 1_000 });
    await Promise.all([stop(HELD), stop(FREE)]);
    const sent = systemClock.now();
    await counted(FREE, String(before + 3));
    expect([isBefore(await asOf(FREE), sent), isBefore(await asOf(HELD), sent)]).toEqual([false, true]);
    const { body: lookedUp } = await bed.host.ask('GET', `events/lookup?subject=${HELD}&source=over%20http&id=${encodeURIComponent(`${how} 1`)}`, key);
    expect([lookedUp.occurrences, isBefore(lookedUp.asOf, sent)]).toEqual([[], true]);
    expect(await bed.host.ask('POST', 'events/void', key, { subject: HELD, source: 'over http', id: `${how} 1`, reason: 'a test' })).toMatchObject({ status: 503, body: { code: 'not_yet_known' } });
    const [heldBefore, free] = [await ask(`http held ${how}`, HELD), await ask(`http free ${how}`, FREE)];
    expect(await issued(free)).toBe(String(before + 3));
    await eventually('the statement to wait', async (saw) => {
      const jobs = await rows<{ waits_for: string | null }>(`SELECT waits_for FROM jobs WHERE kind LIKE '%statement%'`);
      saw(jobs);
      return jobs.some(({ waits_for: reason }) => reason === `envelopes that were set aside are not in ${NAME} yet`) ? true : undefined;
    });
    expect((await bed.host.ask('GET', heldBefore, key)).status).toBe(404);
    refuses = 'nothing';
    speakAgain();
    expect(await issued(heldBefore)).toBe(String(before + 3));
    await counted(HELD, String(before + 3));
    expect((await bed.host.ask('GET', 'exceptions?code=duplicate', key)).body.data).toEqual([]);
    await counted(HELD, String(1_000 * ++sessions), 'octets');
    await post(`${how} 4`);
    await Promise.all([counted(HELD, String(before + 4)), counted(FREE, String(before + 4))]);
  }, TIMEOUT_MS);

  test.each(['by silence', 'by failing'] as const)('%s holds back its own usage and nobody else\'s: clients, files and statements of others go on, it is told of, and nothing is lost', async (how) => {
    const ingest = await bed.host.key('org_stuck', 'ingest');
    const nth = how === 'by silence' ? 1 : 2;
    refuses = how;
    await rows(
      `INSERT INTO usage_outbox (tenant, topic, partition, key, headers, value, has_value, origin, first_offset)
       SELECT $1, 'usage.events', $2, id, json_build_object('ce_tenant', $1::text, 'content-type', 'application/json')::text, convert_to(json_build_object('id', id, 'tenant', $1::text, 'recordedAt', '2026-03-02T00:00:00Z',
         'events', json_build_array(json_build_object('id', id, 'source', 'gateway', 'type', 'call', 'subject', $3::text, 'time', '2026-03-01T12:00:00Z')))::text, 'UTF8'), true, 'a test', 0
       FROM (SELECT format('env_%s_%s', $4::text, n) AS id FROM generate_series(1, $5) n) g`, [TENANT, partitionFor(HELD), HELD, how, BACKLOG]);
    await send(ingest, [`${how} 1`, `${how} 2`]);
    const already = 8;
    await counted(FREE, String(already + 4 * nth - 2));
    const file = `id,subject,at\n${[3, 4].map((nth) => `${how} ${nth},${FREE},2026-03-01T12:00:00Z\n`).join('')}`;
    const mapping = encodeURIComponent(JSON.stringify({ type: { const: 'call' }, subject: 'subject', id: 'id', time: 'at' }));
    const { body: imported } = await bed.host.ask('POST', `imports?mapping=${mapping}`, key, file, { 'content-type': 'text/csv' });
    await eventually('the file to be read', async (saw) => { const { body } = await bed.host.ask('GET', `imports/${imported.id}`, key); saw(body); return body.status === 'done' ? true : undefined; }, { timeoutMs: 30_000 });
    await counted(FREE, String(already + 4 * nth));
    const [held, free] = [await ask(`held ${how}`, HELD), await ask(`free ${how}`, FREE)];
    expect(await issued(free)).toBe(String(already + 4 * nth));
    await eventually('the statement to wait', async (saw) => {
      const jobs = await rows<{ waits_for: string | null }>(`SELECT waits_for FROM jobs WHERE kind LIKE '%statement%'`);
      saw(jobs);
      return jobs.some(({ waits_for: reason }) => reason?.endsWith(`are not in ${NAME} yet`)) ? true : undefined;
    });
    expect((await bed.host.ask('GET', held, key)).status).toBe(404);
    expect(await metric()).toBe('1');
    expect(await lookAtMetering(bed.host.service)).toEqual({
      ok: false, next: expect.stringContaining(`the brokers of ${NAME}`),
      detail: expect.stringMatching(new RegExp(`^${NAME} takes nothing, and 2\\d{3} records of clients and files wait for it \\(${how === 'by silence' ? 'an append has no answer for 5 seconds' : 'the partition has no leader'}\\)`)),
    });
    refuses = 'nothing';
    speakAgain();
    expect(await issued(held)).toBe(String(already + (BACKLOG + 2) * nth));
    await eventually('it to be well', async () => ((await metric()) === '0' ? true : undefined));
    expect(await lookAtMetering(bed.host.service)).toMatchObject({ ok: true });
  }, TIMEOUT_MS);
});
