// Figures of the log: append, relay, feed and consumers, on PostgreSQL and on Kafka, against COPY of the same bytes and Kafka's own producer tool.
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir, cpus, release } from 'node:os';
import { join } from 'node:path';
import { copyIn, copyText } from './copy-in.mjs';
import { LogBed, TENANT } from './log-bed.mjs';
import { pairs } from './pairs.mjs';
import { scratchFolder } from './scratch-folder.mjs';

const require = createRequire(import.meta.url);
const { KafkaFeed, PostgresFeed } = require('@valueverse/event-log');
const { fetchOnce, fetchWithMaven, findKafka, KAFKA_VERSION, partCache, startKafkaCluster } = require('@valueverse/platform');

const FLOORS = { bulkOfCopy: 0.4, relayPerSecond: 10_000, consumePerSecond: 20_000 };
const ROUNDS = 5;
const SECONDS_DEFAULT = 45;
const FACTS_PER_APPEND = 5_000;
const WRITERS = 8;
const BACKLOG = 100_000;
const RECORDS_PER_REQUEST = 500;
const round = (value, digits = 2) => Number(value.toFixed(digits));
const option = (options, name, otherwise) => { const at = options.indexOf(`--${name}`); return at < 0 ? otherwise : Number(options[at + 1]); };

const copyRows = (facts, base) => copyText(facts.map((fact, nth) => [fact.partition, base + nth, fact.tenant, fact.stream, fact.version, fact.topic, fact.type, fact.id, fact.clock, fact.body, fact.hash]));
let copied = 0;
const copySide = (bed, table) => ({
  prepare: async () => { await bed.client.query(`TRUNCATE ${table}`); return copyRows(bed.facts(FACTS_PER_APPEND), copied += FACTS_PER_APPEND); },
  round: async (bytes) => { await copyIn(bed.client, `COPY ${table} FROM STDIN`, bytes); return FACTS_PER_APPEND; },
});

/** Facts one by one by several writers, each a transaction of its own, against an INSERT of the same row in one. */
const appendOne = (bed) => {
  const each = async (facts, write) => {
    const waiting = [...facts];
    await Promise.all(Array.from({ length: WRITERS }, async () => { for (let fact = waiting.pop(); fact !== undefined; fact = waiting.pop()) await write(fact); }));
    return facts.length;
  };
  const insert = (fact) => bed.database.transaction({ role: 'owner' }, (tx) => tx.query('INSERT INTO copy_keyed VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)',
    [fact.partition, copied++, fact.tenant, fact.stream, fact.version, fact.topic, fact.type, fact.id, fact.clock, fact.body, fact.hash]));
  return { ours: { prepare: async () => bed.facts(400), round: (facts) => each(facts, (fact) => bed.append([fact])) }, others: { 'INSERT of the row': { prepare: async () => bed.facts(400), round: (facts) => each(facts, insert) } } };
};
const appendBulk = (bed) => ({
  ours: { prepare: async () => bed.facts(FACTS_PER_APPEND), round: async (facts) => { await bed.append(facts); return facts.length; } },
  others: { 'COPY, same keys': copySide(bed, 'copy_keyed'), 'COPY, no keys': copySide(bed, 'copy_bare') },
});

/** From the store to the feed, until nothing is left. */
const relaying = (bed, feed, others) => {
  const relay = bed.relay(feed);
  return {
    ours: {
      prepare: async () => { while ((await relay.publish()) > 0); for (let nth = 0; nth < BACKLOG / FACTS_PER_APPEND; nth++) await bed.append(bed.facts(FACTS_PER_APPEND)); },
      round: async () => { let sum = 0; for (let done = 1; done > 0; sum += done) done = await relay.publish(); return sum; },
    },
    others, end: () => relay.stop(),
  };
};

/** Records as the relay makes them, straight to the feed: every partition at once, one request each. */
const feedAppend = (bed, feed, others) => ({
  ours: {
    prepare: async () => bed.facts(16 * RECORDS_PER_REQUEST),
    round: async (facts) => {
      const records = facts.map((fact) => ({ key: fact.stream, value: fact.body, headers: { ce_id: fact.id, ce_type: fact.type, ce_tenant: TENANT } }));
      await Promise.all(Array.from({ length: 16 }, (_, partition) => feed.append('usage.events', partition, records.slice(partition * RECORDS_PER_REQUEST, (partition + 1) * RECORDS_PER_REQUEST))));
      return facts.length;
    },
  },
  others,
});

/** A new reader reads all facts of the topic and writes a row for each, in the transaction of its checkpoint. */
const consuming = (bed, feed) => {
  let nth = 0;
  return { ours: {
    prepare: async () => bed.appended(),
    round: async (facts) => {
      const name = `reader_${feed.kind}_${++nth}`;
      const subscription = bed.subscription(feed, name);
      subscription.start();
      while ((await bed.effects(name)) < facts) await new Promise((resolve) => { setTimeout(resolve, 20); });
      await subscription.stop();
      return facts;
    },
    tidy: () => bed.client.query('TRUNCATE effects'),
  }, others: { 'COPY of the effects, same key': {
    prepare: async () => copyText(bed.facts(BACKLOG).map(({ stream, version }) => ['copied', stream, version, '1234.56'])),
    round: async (bytes) => { await copyIn(bed.client, 'COPY effects FROM STDIN', bytes); return BACKLOG; },
    tidy: () => bed.client.query('TRUNCATE effects'),
  } } };
};

/** Kafka's own producer, in Java: the same bytes, acknowledged by all, to a topic of our own settings. */
const producerTool = (jars, brokers, folder, bed) => ({ 'Kafka producer tool': {
  round: async () => {
    const records = 200_000;
    const payload = join(folder, 'payload.txt');
    writeFileSync(payload, `${bed.facts(1_000).map(({ body }) => body).join('\n')}\n`);
    const child = spawn('java', ['-Xmx256m', '-XX:+UseSerialGC', '-cp', jars.map((each) => join(each, '*')).join(':'), 'org.apache.kafka.tools.ProducerPerformance', '--topic', 'bench1.usage.events', '--num-records', String(records),
      '--payload-file', payload, '--throughput', '-1', '--producer-props', `bootstrap.servers=${brokers.join(',')}`, 'acks=all', 'linger.ms=5', 'batch.size=262144'], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (text) => { said += text; });
    await new Promise((resolve, reject) => child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`the producer tool ended with ${code}`)))));
    // Its last line: `200000 records sent, 123456.7 records/sec (...)`.
    return { units: records, milliseconds: records / Number(/([\d.]+) records\/sec[^\n]*\n$/.exec(said)[1]) * 1_000 };
  },
} });

async function withKafka(feeds) {
  const found = findKafka();
  if (found.how !== 'java') { process.stdout.write(`not measured on Kafka: ${found.how === 'none' ? found.reason : 'this measures a broker of its own, by Java'}\n`); return; }
  const tools = partCache(`kafka-tools-${KAFKA_VERSION}`);
  const hasTools = fetchOnce(tools, (folder) => fetchWithMaven(folder, 'copy', [{ group: 'org.apache.kafka', artifact: 'kafka-tools', version: KAFKA_VERSION }]));
  const folder = scratchFolder('bench-kafka');
  mkdirSync(folder, { recursive: true });
  const cluster = await startKafkaCluster({ jars: found.jars, folder, brokers: 1, disposable: true });
  let beds = 0;
  const open = async () => {
    const feed = new KafkaFeed({ brokers: cluster.brokers, clientId: 'bench', replication: 1, namespace: `bench${++beds}.` });
    await feed.ensureTopics();
    return feed;
  };
  try {
    await feeds(open, (bed) => (hasTools ? producerTool([join(tools, 'libs'), found.jars], cluster.brokers, folder, bed) : {}), cluster.nodes.map((node) => node.process.pid));
  } finally {
    await cluster.stop();
  }
}

/** `--seconds` a comparison, `--seed` of the order. Floors end the program with 1. */
export async function benchLog(options) {
  const [seconds, seed] = [option(options, 'seconds', SECONDS_DEFAULT), option(options, 'seed', 1)];
  const bed = await LogBed.start();
  const results = {};
  const compare = async (name, sides, pids = []) => {
    const result = await pairs({ ...sides, seconds, rounds: ROUNDS, seed, pids: [process.pid, ...pids] });
    await sides.end?.();
    results[name] = result;
    process.stdout.write(`${name}: ${Math.round(result.sides.ours.perSecond)}/s, ${round(result.sides.ours.cpuMicrosPerUnit)} µs of CPU each\n`);
    for (const [other, { speed, cpu, spread }] of Object.entries(result.ratio)) {
      process.stdout.write(`    ${round(speed)} of ${other} (${Math.round(result.sides[other].perSecond)}/s; from ${round(spread[0])} to ${round(spread[1])}); ${round(cpu)} by CPU\n`);
    }
    return result;
  };
  const floor = (name, value, least) => {
    process.stdout.write(`    ${value >= least ? 'holds' : 'BELOW'} the floor: ${round(value)} (at least ${least})\n`);
    if (value < least) process.exitCode = 1;
  };
  process.stdout.write(`${cpus()[0].model}, ${cpus().length} cores, Linux ${release()}, Node ${process.versions.node}, ${seconds} s a comparison, ${ROUNDS} rounds each, --seed ${seed}\n`);
  try {
    await compare('append, one fact a transaction, 8 writers', appendOne(bed));
    const bulk = await compare(`append, ${FACTS_PER_APPEND} facts of as many streams a transaction`, appendBulk(bed));
    floor('bulk append of COPY', bulk.ratio['COPY, same keys'].speed, FLOORS.bulkOfCopy);
    // Beds of their own: who reads a topic from its beginning must not meet what other comparisons have left.
    const onBed = async (open, pids, use) => {
      const own = await LogBed.start();
      const feed = await open(own);
      try { await use(own, feed, pids); } finally { await feed.close(); await own.stop(); }
    };
    const feeds = async (open, others, pids) => {
      await onBed(open, pids, async (own, feed) => {
        const relay = await compare(`${feed.kind}: relay, facts`, relaying(own, feed, {}), pids);
        floor('relay', relay.sides.ours.perSecond, FLOORS.relayPerSecond);
        await compare(`${feed.kind}: feed append, records in requests of ${RECORDS_PER_REQUEST}`, feedAppend(own, feed, others(own)), pids);
      });
      await onBed(open, pids, async (own, feed) => {
        for (let nth = 0; nth < BACKLOG / FACTS_PER_APPEND; nth++) await own.append(own.facts(FACTS_PER_APPEND));
        const relay = own.relay(feed);
        while ((await relay.publish()) > 0);
        await relay.stop();
        const consume = await compare(`${feed.kind}: consume with an effect each, facts`, consuming(own, feed), pids);
        floor('consume', consume.sides.ours.perSecond, FLOORS.consumePerSecond);
      });
    };
    const openPostgres = async (own) => { const feed = new PostgresFeed(own.server.url); await feed.ensureTopics(); return feed; };
    await feeds(openPostgres, (own) => ({ 'COPY, same keys': copySide(own, 'copy_keyed') }), []);
    await withKafka(feeds);
    process.stdout.write(`${JSON.stringify(Object.fromEntries(Object.entries(results).map(([name, { samples }]) => [name, samples])))}\n`);
  } finally {
    await bed.stop();
  }
}
