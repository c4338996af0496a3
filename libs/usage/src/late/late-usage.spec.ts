import { eventually } from '@valueverse/testing';
import { PostgresFeed } from '@valueverse/event-log';
import { microsNumberOfText, partitionOf } from '@valueverse/kernel';
import { USAGE_PARTITIONS, type StatementRequest } from '@valueverse/contracts';
import { HostBed, type Answer } from '../host-bed.spec-kit';
import { statementIdOf } from '../statements/statements';

const TIMEOUT_MS = 60_000;
const TENANT = 'org_1:test';
const MARCH = { from: '2026-03-01T00:00:00Z', to: '2026-04-01T00:00:00Z' };
const NOW = '2026-04-01T01:00:00Z';
const QUIET_MS = 2_500;

let bed: HostBed;
let key: string;
let ids = 0;
interface Event { readonly id: string; readonly subject: string; readonly time: string; readonly data: object; readonly type: string }
const event = (time: string, more: Partial<Event> = {}): Event & object => ({ specversion: '1.0', source: 'gateway', type: 'call', subject: 'acme', id: `e${++ids}`, time, data: { tokens: 1 }, ...more } as Event);
const send = async (...events: readonly object[]): Promise<void> => { expect((await bed.send(key, events)).body).toMatchObject({ accepted: events.length }); };
const request = (requestId: string, usage: StatementRequest['usage'], meterKey = 'tokens'): StatementRequest =>
  ({ requestId, subscriptionId: 'sub_1', chargeKey: 'tokens', meterKey, meterVersion: 1, usage, groupBy: [], period: MARCH });
const statement = async (requestId: string): Promise<Answer['body']> => (await bed.ask('GET', `statements/${statementIdOf(TENANT, requestId)}`, key)).body;
const issued = (requestId: string): Promise<Answer['body']> => eventually(`the statement of ${requestId}`, async (saw) => {
  const found = await statement(requestId);
  saw(found);
  return found.id === undefined ? undefined : found;
});
const until = (requestId: string, events: number): Promise<Answer['body']> => eventually(`${events} late events of ${requestId}`, async (saw) => {
  const found = await statement(requestId);
  saw(found.late);
  return found.late?.events === events ? found : undefined;
});
interface LateFact { readonly events: number; readonly partition: number; readonly positions: string[]; readonly receivedFrom: string; readonly receivedTo: string }
const factsOf = async (requestId: string): Promise<LateFact[]> => (await bed.service.database.transaction({ role: 'worker' }, (tx) => tx.query<{ body: string }>(
  `SELECT body FROM events WHERE tenant = $1 AND stream = $2 AND type LIKE '%late_usage.found%' ORDER BY version`, [TENANT, `statement-${statementIdOf(TENANT, requestId)}`]))).rows.map(({ body }) => (JSON.parse(body) as { data: LateFact }).data);
/** Everything that was sent of these subjects is in the copy, and the worker has looked at all of it. */
const lookedThrough = (subjects: readonly string[], sent: number): Promise<true> => eventually('the look for late usage to be through', async (saw) => {
  const { rows } = await bed.service.database.transaction({ role: 'worker' }, (tx) => tx.query<{ events: bigint; behind: bigint; fresh: bigint }>(
    `SELECT (SELECT count(*) FROM usage_envelopes e, json_array_elements(e.body::json->'events') v WHERE e.tenant = $1 AND v->>'subject' = ANY($2)) AS events, (SELECT count(*) FROM usage_late_progress l JOIN usage_partitions p USING (partition) WHERE l.position < p.position) AS behind, (SELECT count(*) FROM usage_stated_spans WHERE NOT is_looked_behind) AS fresh`, [TENANT, subjects]));
  saw(rows[0]);
  const { events, behind, fresh } = rows[0]!;
  return Number(events) === sent && behind === 0n && fresh === 0n ? true : undefined;
}, { timeoutMs: QUIET_MS * 4 });

beforeAll(async () => {
  bed = await HostBed.make();
  key = await bed.key('org_1');
  await bed.ask('POST', 'meters', key, { key: 'tokens', eventType: 'call', aggregation: 'sum', valueProperty: '$.tokens', groupBy: {} });
  await bed.ask('POST', 'meters', key, { key: 'level', eventType: 'level', aggregation: 'sum', valueProperty: '$.tokens', groupBy: {}, carryOver: true });
}, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

test('what comes after a statement and would be in it, is taken back or amended, is told of that statement alone, once', async () => {
  const [first, taken, changed, moved, outside, before] = [event('2026-03-10T00:00:00Z'), event('2026-03-11T00:00:00Z'), event('2026-03-12T00:00:00Z'), event('2026-03-13T00:00:00Z'), event('2026-04-02T00:00:00Z'), event('2026-02-02T00:00:00Z')];
  await send(first, taken, changed, moved, outside, before);
  await bed.request(TENANT, [
    request('march', [{ subject: 'acme', ...MARCH }]), request('march of two', [{ subject: 'acme', ...MARCH }, { subject: 'beta', ...MARCH }]), request('february', [{ subject: 'acme', from: '2026-02-01T00:00:00Z', to: MARCH.from }]),
    request('carried', [{ subject: 'acme', ...MARCH }], 'level'),
  ], NOW);
  const stated = await issued('march');
  expect([stated.quantities[0].value, stated.late]).toEqual(['4', null]);
  await issued('carried');
  await send(
    event(MARCH.from), event('2026-03-31T23:59:59.999999Z'), // in it
    event(MARCH.to), event('2026-02-28T23:59:59.999999Z'), event('2026-03-15T00:00:00Z', { subject: 'gamma' }), event('2026-03-15T00:00:00Z', { type: 'other' }), event('2026-03-15T00:00:00Z', { data: { tokens: 'many' } }), // not
    first, { ...first, data: { tokens: 7 } }, // a duplicate and a conflict
    event('2026-03-20T00:00:00Z', { subject: 'beta' }), event('2026-01-20T00:00:00Z', { type: 'level' }),
  );
  await until('march', 2);
  const correct = async (kind: 'void' | 'amend', { id }: Event, more: object = {}, times = 1): Promise<void> => {
    for (let nth = 0; nth < times; nth++) expect(await bed.ask('POST', `events/${kind}`, key, { subject: 'acme', source: 'gateway', id, reason: 'wrong', ...more }, { 'idempotency-key': `${kind}-${id}` })).toMatchObject({ status: 202 });
  };
  await correct('void', taken, {}, 2);
  await correct('amend', changed, { data: { tokens: 5 } });
  await correct('amend', moved, { time: '2026-04-05T00:00:00Z' }); // out of it
  await correct('amend', outside, { time: '2026-03-05T00:00:00Z' }); // into it
  await correct('void', before);
  const late = await until('march', 6);
  expect(await until('march of two', 7)).toMatchObject({ quantities: [{ value: '4' }] });
  // Of February an event came, and one was taken back. What is carried into March came in January.
  await until('february', 2);
  expect((await until('carried', 1)).quantities).toEqual([]);
  // 6 before and 9 after, two of them again, and 5 corrections.
  await lookedThrough(['acme'], 20);
  expect({ ...late, late: null }).toEqual(stated);
  const facts = await factsOf('march');
  expect(facts.reduce((sum, { events }) => sum + events, 0)).toBe(6);
  const partition = partitionOf(TENANT, 'acme', USAGE_PARTITIONS);
  const positions = facts.flatMap((fact) => fact.positions.map(Number));
  expect(facts.every((fact) => fact.partition === partition && fact.receivedFrom <= fact.receivedTo)).toBe(true);
  expect(positions).toEqual([...positions].sort((left, right) => left - right));
  expect(positions[0]).toBeGreaterThan(Number(stated.asOf[partition]));
  expect((await statement('march')).late.since).toBe(facts[0]!.receivedFrom);

  // What is looked through again, as after a rebuild of what was stated, is not told again.
  await bed.service.database.transaction({ role: 'worker' }, (tx) => tx.query('UPDATE usage_stated_spans SET is_looked_behind = false'));
  await lookedThrough(['acme'], 20);
  expect(await factsOf('march')).toEqual(facts);
}, TIMEOUT_MS);

test('whatever is sent while statements are made, by two processes: what is not in a statement came late to it', async () => {
  const feed = new PostgresFeed(bed.databaseUrl);
  const second = bed.another(feed);
  try {
    const subjects = Array.from({ length: 6 }, (_, nth) => `busy-${nth}`);
    const days = (nth: number): string => `2026-03-${String((nth % 28) + 1).padStart(2, '0')}T00:00:00Z`;
    const rounds = Array.from({ length: 8 }, (_, round) => round);
    for (const round of rounds) {
      const asked = bed.request(TENANT, subjects.map((subject, nth) => request(`busy ${round} ${nth}`, [{ subject, from: days(round), to: days(round + 9) }])), NOW);
      await Promise.all([asked, ...[0, 1, 2].map(() => send(...subjects.flatMap((subject, nth) => [event(days(round + nth), { subject }), event(days(round * 3 + nth), { subject }), event(days(nth * 5), { subject, type: 'other' })])))]);
    }
    const requests = rounds.flatMap((round) => subjects.map((_, nth) => `busy ${round} ${nth}`));
    await Promise.all(requests.map(issued));
    // A day that is in every span, so that something is late to each, beside what chance made so.
    await send(...subjects.map((subject) => event(days(8), { subject })));
    await Promise.all(requests.map((requestId) => eventually('something late', async () => ((await statement(requestId)).late === null ? undefined : true))));
    await lookedThrough(subjects, rounds.length * 3 * subjects.length * 3 + subjects.length);
    for (const requestId of requests) {
      const { quantities, usage: [span], late: told } = await statement(requestId);
      const { rows } = await bed.service.database.transaction({ role: 'worker' }, (tx) => tx.query<{ events: bigint }>(
        `SELECT count(*) AS events FROM usage_envelopes e, json_array_elements(e.body::json->'events') WITH ORDINALITY v(event, nth)
         WHERE e.tenant = $1 AND e.partition = $2 AND event->>'subject' = $3 AND event->>'type' = 'call' AND (event->>'time')::timestamptz >= $4::timestamptz AND (event->>'time')::timestamptz < $5::timestamptz AND NOT (nth::int - 1) = ANY(e.not_counted)`,
        [TENANT, partitionOf(TENANT, span.subject, USAGE_PARTITIONS), span.subject, span.from, span.to]));
      expect([requestId, Number(quantities[0]?.value ?? 0) + told.events]).toEqual([requestId, Number(rows[0]!.events)]);
      expect(microsNumberOfText(told.since)).toBeGreaterThan(0);
    }
  } finally {
    await second.stop();
    await feed.close();
  }
}, TIMEOUT_MS);
