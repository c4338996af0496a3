import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describeOnKafka, eventually, noteNotRun } from '@valueverse/testing';
import { FeedTimeout, type Feed, type KafkaFeed, type NewRecord } from '@valueverse/event-log';
import { findKafkaJars, type Service } from '@valueverse/platform';
import { ingressBehind, ingressEnds } from './behind';
import { KafkaBed } from './kafka-bed.spec-kit';

const TIMEOUT_MS = 120_000;
const STRUCTURED = 'application/cloudevents+json; charset=UTF-8';
const BATCH = 'application/cloudevents-batch+json';
const event = (id: string, more: object = {}): Record<string, unknown> => ({ specversion: '1.0', id, source: 'gateway', type: 'call', subject: 'acme', data: { tokens: 1 }, ...more });

const ROOT = join(__dirname, '..', '..', '..', '..');
/** Runs a program of docs/examples to its end; fails with what it says. */
const example = (program: string, args: readonly string[], env: Readonly<Record<string, string>>, input = ''): Promise<string> => new Promise((resolve, reject) => {
  const child = execFile(program, args, { cwd: ROOT, timeout: TIMEOUT_MS, env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...env } }, (error, stdout, stderr) => {
    if (error === null) resolve(stdout);
    else reject(new Error(`${program} ${args.join(' ')}: ${stdout}${stderr}`, { cause: error }));
  });
  child.stdin!.end(input);
});

describeOnKafka('usage.ingress', (brokers) => {
  let bed: KafkaBed;
  /** Appends of envelopes that are made and whose answer is lost. */
  let answersLost = 0;
  const losingAnswers = (feed: KafkaFeed): Feed => Object.assign(Object.create(feed) as Feed, {
    append: async (topic: 'usage.events', partition: number, records: readonly NewRecord[]): Promise<void> => {
      await feed.append(topic, partition, records);
      if (topic === 'usage.events' && answersLost > 0) { answersLost -= 1; throw new FeedTimeout('the answer was lost'); }
    },
  });
  beforeAll(async () => { bed = await KafkaBed.make(brokers(), losingAnswers); }, TIMEOUT_MS);
  afterAll(() => (bed as KafkaBed | undefined)?.close(), TIMEOUT_MS);
  const sent = (value: unknown, key: string, contentType = STRUCTURED, headers: Record<string, string | string[]> = {}) => ({
    key: 'acme', value: typeof value === 'string' || Buffer.isBuffer(value) || value === null ? value as string : JSON.stringify(value), headers: { 'content-type': contentType, 'authorization': `Bearer ${key}`, ...headers },
  });

  test('one event, a batch, lines and binary mode are taken; without a time an event has that of its record', async () => {
    const key = await bed.host.key('org_modes', 'ingest');
    await bed.send([
      { ...sent(event('structured'), key), timestamp: '1700158546680' },
      sent([event('batch 1', { time: '2023-11-16T18:15:46Z' }), event('batch 2', { traceparent: 'x' })], key, BATCH),
      sent(`${JSON.stringify(event('line 1'))}\n${JSON.stringify(event('line 2'))}\n`, key, 'application/x-ndjson'),
      sent('{"tokens":"1.50"}', key, 'application/json', { ce_specversion: '1.0', ce_id: 'binary', ce_source: 'gateway', ce_type: 'call', ce_subject: 'François 100%' }),
      sent(null, key, '', { ce_specversion: '1.0', ce_id: 'no data', ce_source: 'gateway', ce_type: 'call', ce_subject: 'acme' }),
    ]);
    await bed.arrived();
    const events = new Map((await bed.events('org_modes:test')).map((one) => [one.id, one]));
    expect([...events.keys()].sort()).toEqual(['batch 1', 'batch 2', 'binary', 'line 1', 'line 2', 'no data', 'structured']);
    expect(events.get('structured')).toEqual({ id: 'structured', source: 'gateway', type: 'call', subject: 'acme', time: '2023-11-16T18:15:46.680Z', data: { tokens: 1 } });
    expect(events.get('batch 1')).toMatchObject({ time: '2023-11-16T18:15:46Z' });
    expect(events.get('batch 2')).toMatchObject({ extensions: { traceparent: 'x' } });
    expect(events.get('binary')).toMatchObject({ subject: 'François 100%', data: { tokens: '1.50' } });
    expect(events.get('no data')).not.toHaveProperty('data');
    // Clients' records travel on together.
    expect((await bed.known('org_modes:test')).ids).toHaveLength(7);
  }, TIMEOUT_MS);

  test('what cannot be read is in usage.ingress.rejected with the reason, as it came and without its credential; what is beside it counts', async () => {
    const [key, publishable, secret] = [await bed.host.key('org_bad', 'ingest'), await bed.host.key('org_bad', 'publishable', ['mine']), await bed.host.key('org_bad', 'secret')];
    const odd = `[${JSON.stringify(event('good beside'))}, {"specversion":"1.0", "id":"odd","source":"a, b]","type":"call","subject":"acme","data":{"tokens":12345678901234567890}}  ,5]`;
    const latin = Buffer.from('{"id":"Fran\u00e7ois"}', 'latin1');
    await bed.send([
      sent(odd, key, BATCH), sent(latin, key), sent(event('by secret'), secret), sent(event('of another'), publishable), sent(event('mine', { subject: 'mine' }), publishable),
      { ...sent(event('nobody'), key), headers: { 'content-type': STRUCTURED } }, sent(event('stranger'), `${key.slice(0, -3)}abc`), sent(event('twice'), key, STRUCTURED, { authorization: [`Bearer ${key}`, `Bearer ${publishable}`] }),
    ]);
    await bed.arrived();
    expect((await bed.known('org_bad:test')).ids).toEqual(['good beside', 'mine']);
    const [number, noObject] = [await bed.rejection(({ code }) => code === 'unsafe_number'), await bed.rejection(({ code }) => code === 'object_expected')];
    expect([number.value, number.headers['vv_index'], number.headers['content-type'], number.headers['vv_record']]).toEqual([
      '{"specversion":"1.0", "id":"odd","source":"a, b]","type":"call","subject":"acme","data":{"tokens":12345678901234567890}}', '1', 'application/cloudevents+json', expect.stringMatching(/^usage\.ingress\/\d+\/\d+$/)]);
    expect([noObject.value, noObject.headers['vv_index']]).toEqual(['5', '2']);
    expect((await bed.rejection(({ code }) => code === 'malformed_json')).value).toBe(latin.toString('latin1'));
    for (const [code, id] of [['secret_key_refused', 'by secret'], ['subject_not_allowed', 'of another'], ['credential_missing', 'nobody'], ['invalid_credential', 'stranger'], ['invalid_header', 'twice']]) {
      expect((await bed.rejection(({ code: found, value }) => found === code && value!.includes(id!))).value).toBe(JSON.stringify(event(id!)));
    }
    expect(JSON.stringify(bed.rejected)).not.toMatch(/vv_(test|live)_/);
  }, TIMEOUT_MS);

  test('the example in plain kafkajs: events by subject in batches, sent twice and counted once', async () => {
    const key = await bed.host.key('org_js', 'ingest');
    const lines = Array.from({ length: 250 }, (_, nth) => JSON.stringify({ ...event(`js ${nth}`), subject: `s${nth % 3}`, specversion: undefined })).join('\n');
    const env = { KAFKA_BROKERS: brokers().join(','), KAFKA_NAMESPACE: bed.namespace, VV_KEY: key };
    for (let times = 0; times < 2; times++) expect(await example(process.execPath, ['docs/examples/send-usage.mjs'], env, lines)).toBe('250 events sent\n');
    await bed.arrived();
    const { ids, clashes } = await bed.known('org_js:test');
    expect([ids.length, new Set(ids).size, clashes]).toEqual([250, 250, 250]);
    expect(bed.rejected.filter(({ value }) => value?.includes('js '))).toEqual([]);
  }, TIMEOUT_MS);

  test('the example in Java: binary mode', async () => {
    const found = findKafkaJars();
    if ('reason' in found) { noteNotRun('the example of a sender in Java', found.reason); return; }
    const key = await bed.host.key('org_java', 'publishable', ['Zoë']);
    const env = { KAFKA_BROKERS: brokers().join(','), KAFKA_NAMESPACE: bed.namespace, VV_KEY: key, LC_ALL: 'C.UTF-8' };
    expect(await example('java', ['-XX:TieredStopAtLevel=1', '-cp', `${found.jars}/*`, 'docs/examples/SendUsage.java', 'llm.completion', 'Zoë', '40'], env)).toBe('40 events sent\n');
    await bed.arrived();
    const events = await bed.events('org_java:test');
    expect(events.map(({ id }) => id)).toEqual(Array.from({ length: 40 }, (_, nth) => `call-${nth}`));
    expect(events[11]).toEqual({ id: 'call-11', source: '/examples/java', type: 'llm.completion', subject: 'Zoë', time: '2023-11-16T18:00:11Z', data: { tokens: 2 } });
  }, TIMEOUT_MS);

  test('a key that is on its way is waited for, and so are the records behind it', async () => {
    const { database } = bed.host.service;
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => { release = resolve; });
    let holding: () => void = () => undefined;
    const holds = new Promise<void>((resolve) => { holding = resolve; });
    // The reader of credentials cannot get on while somebody holds its checkpoints.
    const hold = database.transaction({ role: 'worker' }, async (tx) => {
      await tx.query(`SELECT FROM checkpoints WHERE consumer = 'credentials@1' FOR UPDATE`);
      holding();
      await held;
    });
    await holds;
    const key = await bed.issue('org_late');
    await bed.send([sent(event('early'), key)]);
    const ends = await ingressEnds(bed.host.feed);
    await eventually('the record to be waited for', async (saw) => {
      const { unread } = await database.transaction({ role: 'worker' }, (tx) => ingressBehind(tx, { ends, aside: 0n }));
      saw(unread);
      return unread?.startsWith('usage.ingress/') ? true : undefined;
    });
    expect((await bed.known('org_late:test')).ids).toEqual([]);
    release();
    await hold;
    await bed.arrived();
    expect((await bed.known('org_late:test')).ids).toEqual(['early']);
    expect(bed.rejected.some(({ value }) => value?.includes('early'))).toBe(false);
  }, TIMEOUT_MS);

  test('transactions of clients: what was committed counts, what was taken back does not, and neither is waited for for ever', async () => {
    const key = await bed.host.key('org_tx', 'ingest');
    const producer = bed.kafka.producer({ transactionalId: `${bed.namespace}tx`, maxInFlightRequests: 1, idempotent: true });
    await producer.connect();
    for (const [id, ends] of [['kept', 'commit'], ['taken back', 'abort'], ['kept too', 'commit'], ['taken back last', 'abort']] as const) {
      const transaction = await producer.transaction();
      await bed.send([sent(event(id), key)], transaction);
      await transaction[ends]();
    }
    await producer.disconnect();
    await bed.arrived();
    expect((await bed.known('org_tx:test')).ids).toEqual(['kept', 'kept too']);
  }, TIMEOUT_MS);

  test('effect-once: answers that are lost and processes that come and go change no count, make no duplicate and keep the order of a subject', async () => {
    const key = await bed.host.key('org_once', 'ingest');
    const COUNT = 600;
    const subjects = Array.from({ length: 20 }, (_, nth) => `s${nth}`);
    const messages = Array.from({ length: COUNT }, (_, nth) => { const subject = subjects[nth % subjects.length]!; return { ...sent(event(String(nth), { subject }), key), key: subject }; });
    answersLost = 10;
    const others: Service[] = [];
    for (let start = 0; start < COUNT; start += 100) {
      await bed.send(messages.slice(start, start + 100));
      // A second process takes half of the partitions over in the middle of it, and one goes again.
      if (start === 200) others.push(bed.host.another(bed.newFeed()));
      if (start === 400) await others.pop()?.stop();
    }
    await bed.arrived();
    const { ids, clashes } = await bed.known('org_once:test');
    expect([ids.length, clashes]).toEqual([COUNT, 0]);
    expect(answersLost).toBe(0);
    const events = await bed.events('org_once:test');
    for (const subject of subjects) {
      const order = events.filter((one) => one.subject === subject).map(({ id }) => Number(id));
      expect(order).toEqual([...order].sort((a, b) => a - b));
    }
  }, TIMEOUT_MS);
});
