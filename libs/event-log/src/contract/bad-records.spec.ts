import { describeOnKafka, eventually } from '@valueverse/testing';
import { partitionOf } from '@valueverse/kernel';
import { familyOf } from '../codec/codec';
import { NotYetKnown } from '../consume/consumers';
import type { Feed, NewRecord } from '../feed/feed';
import { KafkaFeed } from '../feed/kafka-feed';
import { PostgresFeed } from '../feed/postgres-feed';
import type { Log } from '../log';
import { RecordRejected } from '../consume/inspect';
import { type Bed, eachOnABed, recorder, TENANT } from './bed.spec-kit';

// Whoever may write to a topic may write anything. What none of our writers made is kept apart with its code, alone; the facts around it are handled.
const TIMEOUT_MS = 60_000;
const TOPIC = 'billing.plans';
const PARTITION = partitionOf(TENANT, 'parcel-a', 16);
/** A tenant that nobody knows, whose streams of this name are in the same partition. */
const GHOST = Array.from({ length: 1_000 }, (_, nth) => `org_ghost${nth}:test`).find((tenant) => partitionOf(tenant, 'parcel-a', 16) === PARTITION)!;
const TYPE = 'dev.valueverse.billing.parcel.scanned.v1';

const headers = (more: Readonly<Record<string, string | undefined>>): Record<string, string> => Object.fromEntries(Object.entries(
  { ce_id: 'evt_x', ce_type: TYPE, ce_tenant: TENANT, ce_position: '900', ce_previous: '0', ...more }).filter((entry): entry is [string, string] => entry[1] !== undefined));
const cloudEvent = (more: Record<string, unknown> = {}): string => JSON.stringify({
  specversion: '1.0', id: 'evt_x', type: TYPE, subject: 'parcel-a', tenant: TENANT, streamversion: 9, time: '2026-01-01T00:00:00Z', recordedtime: '2026-01-01T00:00:00Z', actor: 'x', correlationid: 'x',
  data: { parcelId: 'a', scan: 9 }, ...more });

/** A record that stands behind the first fact and before the second, and what is said of it. `follows` makes it pretend to be the next one. */
const BAD: readonly { what: string; code: string; follows?: boolean; headers?: Readonly<Record<string, string | undefined>>; key?: string; value?: string }[] = [
  { what: 'no headers at all', code: 'not_cloudevents', headers: { ce_id: undefined, ce_type: undefined, ce_tenant: undefined, ce_position: undefined, ce_previous: undefined }, value: 'hello' },
  { what: 'no type', code: 'not_cloudevents', headers: { ce_type: undefined } },
  { what: 'a position that is none', code: 'not_cloudevents', headers: { ce_position: 'many' } },
  { what: 'a text that is not JSON', code: 'not_cloudevents', follows: true, value: '{' },
  { what: 'a text that is not a CloudEvent', code: 'not_cloudevents', follows: true, value: 'null' },
  { what: 'a NUL character in its text', code: 'not_cloudevents', follows: true, value: '\0\u0001\0{' },
  { what: 'a NUL character in a header', code: 'not_cloudevents', headers: { ce_tenant: 'org\0' } },
  { what: 'headers of another fact than the text', code: 'not_cloudevents', follows: true, headers: { ce_id: 'evt_y' } },
  { what: 'a key of another partition', code: 'wrong_key', key: 'parcel-b' },
  { what: 'a key of another stream than the text', code: 'wrong_key', follows: true, value: cloudEvent({ subject: 'parcel-c' }) },
  { what: 'a tenant that does not exist', code: 'unknown_tenant', follows: true, headers: { ce_tenant: GHOST }, value: cloudEvent({ tenant: GHOST }) },
  { what: 'a chain that is not ours', code: 'broken_chain', headers: { ce_previous: '899' } },
];

const badRecords = (makeFeed: (bed: Bed) => Feed): void => {
  let bed: Bed;
  let log: Log;
  let feed: Feed;
  eachOnABed(makeFeed, (made) => { ({ bed, log, feed } = made); });

  const smuggle = (record: NewRecord): Promise<void> => bed.smuggle(log, feed, TOPIC, PARTITION, record);
  const rejected = async (): Promise<{ code: string; value: string }[]> =>
    (await log.database.transaction({ role: 'worker' }, (tx) => tx.query<{ code: string; value: string }>('SELECT code, value FROM rejected_records ORDER BY record_offset'))).rows;
  const handled = (count: number): Promise<unknown> => eventually(`${count} handled facts`, async (saw) => {
    const effects = await bed.effects(log);
    saw({ effects, alarms: bed.alarms, errors: bed.errors });
    return effects.length >= count ? effects : undefined;
  }, { timeoutMs: TIMEOUT_MS / 2 });

  test('each kind of them is rejected with its code, and the facts before and behind are handled', async () => {
    const relay = bed.relay(log, feed);
    const publish = async (): Promise<void> => { while ((await relay.publish()) > 0); };
    const codes: string[] = [];
    const subscription = bed.subscription(log, feed, recorder(), {
      published: new Set([familyOf(TYPE)]), isTenant: async (tenant) => tenant === TENANT, onRejected: (code) => codes.push(code),
    });
    await bed.scan(log, 'a');
    await publish();
    // The one that says it follows the first fact is believed until its text is read; all others are told by their headers.
    for (const bad of BAD) await smuggle({ key: bad.key ?? 'parcel-a', value: bad.value ?? cloudEvent(), headers: headers({ ...(bad.follows ? { ce_position: '2', ce_previous: '1' } : {}), ...bad.headers }) });
    await bed.scan(log, 'a');
    await publish();
    subscription.start();
    expect(await handled(2)).toEqual([{ stream: 'parcel-a', version: 1 }, { stream: 'parcel-a', version: 2 }]);
    expect((await rejected()).map(({ code }) => code)).toEqual(BAD.map(({ code }) => code));
    const { rows } = await log.database.transaction({ role: 'worker' }, (tx) => tx.query(`SELECT headers::json->>'ce_tenant' FROM rejected_records`));
    expect(rows).toHaveLength(BAD.length);
    expect(codes).toHaveLength(BAD.length);
    expect(bed.alarms).toHaveLength(BAD.length);
    for (const { code } of BAD) expect(bed.alarms.some((alarm) => alarm.includes(`${TOPIC}/${PARTITION}`) && alarm.includes(code))).toBe(true);
  }, TIMEOUT_MS);

  test('a type that no release publishes is kept, and is a link of the chain; what follows it is handled', async () => {
    const known: Set<string> = new Set();
    const relay = bed.relay(log, feed);
    for (let nth = 0; nth < 2; nth++) await bed.scan(log, 'a');
    while ((await relay.publish()) > 0);
    const subscription = bed.subscription(log, feed, recorder(), { published: known });
    subscription.start();
    await eventually('both to be kept', async () => ((await rejected()).length === 2 ? true : undefined), { timeoutMs: TIMEOUT_MS / 2 });
    expect((await rejected()).map(({ code }) => code)).toEqual(['unknown_type', 'unknown_type']);
    known.add(familyOf(TYPE));
    await bed.scan(log, 'a');
    while ((await relay.publish()) > 0);
    expect(await handled(1)).toEqual([{ stream: 'parcel-a', version: 3 }]);
    // Folded now, it would come after what is newer.
    await expect(subscription.retryRejected('recorder@1', { topic: TOPIC, partition: PARTITION, offset: 0n })).rejects.toThrow(/rebuild recorder@1 with --cutover/);
    expect(await rejected()).toHaveLength(2);
  }, TIMEOUT_MS);

  test('what pretends to be the next link keeps no fact from a reader that passes over its type, or does not know it', async () => {
    const relay = bed.relay(log, feed);
    const types = [TYPE.replace('scanned', 'weighed'), 'dev.valueverse.nobody.knows.v1'];
    await bed.scan(log, 'a');
    while ((await relay.publish()) > 0);
    await smuggle({ key: 'parcel-a', value: '{', headers: headers({ ce_type: types[0], ce_position: '2', ce_previous: '1' }) });
    await smuggle({ key: 'parcel-a', value: cloudEvent({ type: types[1], tenant: GHOST }), headers: headers({ ce_type: types[1], ce_tenant: GHOST, ce_position: '2', ce_previous: '1' }) });
    await bed.scan(log, 'a');
    while ((await relay.publish()) > 0);
    bed.subscription(log, feed, recorder(), { published: new Set([familyOf(TYPE), familyOf(types[0]!)]), isTenant: async (tenant) => tenant === TENANT }).start();
    expect(await handled(2)).toEqual([{ stream: 'parcel-a', version: 1 }, { stream: 'parcel-a', version: 2 }]);
    expect((await rejected()).map(({ code }) => code)).toEqual(['not_cloudevents', 'unknown_tenant']);
  }, TIMEOUT_MS);

  test('what was rejected is handled when its tenant is known after all, and only as the next link of its chain', async () => {
    const known = new Set<string>();
    const relay = bed.relay(log, feed);
    await bed.scan(log, 'a');
    while ((await relay.publish()) > 0);
    const subscription = bed.subscription(log, feed, recorder(), { isTenant: async (tenant) => known.has(tenant) });
    subscription.start();
    await eventually('the rejected record', async () => ((await rejected()).length === 1 ? true : undefined), { timeoutMs: TIMEOUT_MS / 2 });
    const place = { topic: TOPIC, partition: PARTITION, offset: 0n };
    await expect(subscription.retryRejected('recorder@1', place)).rejects.toThrow(RecordRejected);
    known.add(TENANT);
    expect(await subscription.retryRejected('recorder@1', place)).toBe(1);
    // A second fact of the same place in the chain: a forgery of one of them.
    known.delete(TENANT);
    await smuggle({ key: 'parcel-a', value: cloudEvent({ tenant: GHOST }), headers: headers({ ce_tenant: GHOST, ce_position: '2', ce_previous: '1' }) });
    await smuggle({ key: 'parcel-a', value: cloudEvent({ id: 'evt_z' }), headers: headers({ ce_id: 'evt_z', ce_position: '900', ce_previous: '899' }) });
    known.add(TENANT);
    await bed.scan(log, 'a');
    while ((await relay.publish()) > 0);
    expect(await handled(2)).toEqual([{ stream: 'parcel-a', version: 1 }, { stream: 'parcel-a', version: 2 }]);
    expect((await rejected()).map(({ code }) => code)).toEqual(['unknown_tenant', 'broken_chain']);
    known.add(GHOST);
    await expect(subscription.retryRejected('recorder@1', { ...place, offset: 1n })).rejects.toMatchObject({ code: 'broken_chain' });
    await expect(subscription.retryRejected('recorder@1', { ...place, offset: 2n })).rejects.toMatchObject({ code: 'broken_chain' });
    expect(await bed.effects(log)).toHaveLength(2);
  }, TIMEOUT_MS);

  test('a newer version of a fact parks its stream, because what follows rests on it; other streams go on', async () => {
    const relay = bed.relay(log, feed);
    await bed.scan(log, 'a');
    while ((await relay.publish()) > 0);
    await smuggle({ key: 'parcel-a', value: cloudEvent({ type: TYPE.replace('.v1', '.v2') }), headers: headers({ ce_type: TYPE.replace('.v1', '.v2'), ce_position: '2', ce_previous: '1' }) });
    bed.subscription(log, feed, recorder(), { published: new Set([familyOf(TYPE)]) }).start();
    const parked = await eventually('the parked stream', async () => {
      const { rows } = await log.database.transaction({ role: 'worker' }, (tx) => tx.query<{ stream: string; reason: string }>('SELECT stream, reason FROM parked_streams'));
      return rows[0];
    }, { timeoutMs: TIMEOUT_MS / 2 });
    expect(parked).toEqual({ stream: 'parcel-a', reason: expect.stringContaining('is newer than this release') });
    await bed.scan(log, 'b');
    while ((await relay.publish()) > 0);
    await handled(2);
  }, TIMEOUT_MS);

  test('a fact of a tenant that this service has not heard of yet waits', async () => {
    let isThere = false;
    let asked = 0;
    const relay = bed.relay(log, feed);
    await bed.scan(log, 'a');
    while ((await relay.publish()) > 0);
    bed.subscription(log, feed, recorder(), { isTenant: async () => { asked += 1; if (!isThere) throw new NotYetKnown('the credentials are behind'); return true; } }).start();
    await eventually('it to have been asked again', () => (asked > 2 ? true : undefined), { timeoutMs: TIMEOUT_MS / 2 });
    expect(await bed.effects(log)).toEqual([]);
    isThere = true;
    await handled(1);
    expect(await rejected()).toEqual([]);
  }, TIMEOUT_MS);
};

describe('records that are no facts, on PostgreSQL', () => badRecords((bed) => new PostgresFeed(bed.url, 12)));
describeOnKafka('records that are no facts, on Kafka', (brokers) => badRecords((bed) => new KafkaFeed({ brokers: brokers(), clientId: 'bad-records', namespace: `${bed.group}.` })));
