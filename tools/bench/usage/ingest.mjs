// From a request until its events are durable, against the feed's own append of the same envelopes; and the latency of single events. Metering is not at work here.
import 'reflect-metadata';
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from '../edition.mjs';
import { pairs } from '../pairs.mjs';
import { Traffic } from './traffic.mjs';
import { scratchFolder } from '../scratch-folder.mjs';

const require = createRequire(import.meta.url);
const platform = require('@valueverse/platform');
const { CREDENTIALS, authFor, digestKeyOf, digestOf, newKeyText } = require('@valueverse/auth');
const { PostgresFeed } = require('@valueverse/event-log');
const { partitionOf } = require('@valueverse/kernel');
const { USAGE_PARTITIONS } = require('@valueverse/contracts');
const { CLOUD_EVENT_TYPES, usageContext, usageShape } = require('@valueverse/usage');

const TENANT = 'org_bench:live';
const [PER_REQUEST, CONNECTIONS, REQUESTS_PER_ROUND] = [100, 24, 2_000];
/** What the ingress puts into one append under load. */
const EVENTS_PER_APPEND = 1_600;
const SINGLES_SECONDS = 15;

/** The usage service's face with its feed, in this process; nothing reads the feed. */
async function startFace() {
  const folder = scratchFolder('bench');
  const server = await platform.startEmbeddedPostgres({ dataDir: join(folder, 'postgres') });
  const feed = new PostgresFeed(server.url);
  await feed.ensureTopics();
  const masterKey = Buffer.alloc(32, 7);
  const logger = platform.createLogger({ service: 'usage', level: 'silent' });
  const service = new platform.Service({
    name: 'usage', databaseUrl: server.url, feed, masterKey, clock: platform.systemClock, logger, health: new platform.HealthRegistry(), metrics: new platform.Metrics(), fanOut: new platform.LocalFanOut(),
    anchors: { append: async () => undefined, read: async () => [] }, contexts: [{ name: 'auth', definitions: [], readModels: [], migrations: [CREDENTIALS] }, usageShape], connectionsMax: 12,
  });
  await service.migrate();
  const auth = authFor(service, { digestKey: digestKeyOf(masterKey), operatorToken: 'o'.repeat(20), serviceToken: 's'.repeat(20) });
  const usage = usageContext(service, { auth, ids: platform.systemIds, secretsKey: masterKey, billing: () => undefined });
  const { text, prefix } = newKeyText('live', 'ingest');
  await service.database.transaction({ role: 'worker' }, (tx) => tx.query('INSERT INTO credentials (tenant, key_id, organization_id, environment, kind, prefix, digest, scopes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)',
    [TENANT, 'key_1', 'org_bench', 'live', 'ingest', prefix, digestOf(digestKeyOf(masterKey), text), ['usage:write']]));
  const unlimited = { take: async () => ({ allowed: true, remaining: 1, waitSeconds: 1 }) };
  const host = await platform.createHost({ service: 'usage', module: usage.module, routes: usage.routes, port: 0, cursorSecret: 'c', logger, rateLimiter: unlimited, rawContentTypes: CLOUD_EVENT_TYPES });
  const url = await host.listen();
  const stop = async () => { await host.close(); await service.database.close(); await feed.close(); await server.stop(); rmSync(folder, { recursive: true, force: true }); };
  return { url, key: text, feed, stop };
}

const send = (options) => new Promise((resolve, reject) => {
  const child = spawn(process.execPath, [join(root, 'tools/bench/usage/sender.mjs'), JSON.stringify({ rate: 0, ...options })], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  let said;
  child.on('message', (message) => { said = message; });
  child.once('exit', (code) => (code === 0 ? resolve(said) : reject(new Error(`the sender ended with ${code}`))));
});

/** Megabytes of usage a second; ratio of the route to the feed alone. */
export async function compareIngest({ seconds, rounds, seed }) {
  const face = await startFace();
  const traffic = new Traffic({ seed, run: 'feed' });
  let run = 0;
  try {
    const result = await pairs({
      seconds, rounds, seed, pids: [process.pid],
      ours: { round: async () => {
        const { accepted, milliseconds, bytes } = await send({ url: `${face.url}/api/v1/usage/events`, key: face.key, requests: REQUESTS_PER_ROUND, perRequest: PER_REQUEST, connections: CONNECTIONS, run: `http${++run}`, seed: run });
        if (accepted === 0) throw new Error('nothing was accepted');
        return { units: bytes / 1e6, milliseconds };
      } },
      others: { 'the feed alone': {
        prepare: async () => Array.from({ length: 10 }, () => {
          const byPartition = new Map();
          for (let nth = 0; nth < EVENTS_PER_APPEND; nth++) {
            const { specversion, ...event } = JSON.parse(traffic.event());
            const partition = partitionOf(TENANT, event.subject, USAGE_PARTITIONS);
            if (!byPartition.has(partition)) byPartition.set(partition, []);
            byPartition.get(partition).push(JSON.stringify(event));
          }
          return new Map([...byPartition].map(([partition, events]) => [partition, [{ key: `env_${partition}`, headers: { ce_tenant: TENANT, ce_id: 'env' }, value: `{"id":"env","tenant":"${TENANT}","events":[${events.join(',')}]}` }]]));
        }),
        round: async (appends) => {
          let bytes = 0;
          for (const records of appends) {
            for (const [{ value }] of records.values()) bytes += value.length;
            await face.feed.appendAll('usage.events', records);
          }
          return bytes / 1e6;
        },
      } },
    });
    return result;
  } finally {
    await face.stop();
  }
}

/** Latency of single events in milliseconds, sent at 60 % of what the same clients can send. */
export async function latencyOfSingles() {
  const face = await startFace();
  try {
    const url = `${face.url}/api/v1/usage/events`;
    const most = await send({ url, key: face.key, seconds: SINGLES_SECONDS / 2, perRequest: 1, connections: CONNECTIONS, run: 'most' });
    const capacity = most.sent / most.milliseconds * 1_000;
    const { latencies } = await send({ url, key: face.key, seconds: SINGLES_SECONDS, perRequest: 1, connections: CONNECTIONS, run: 'single', rate: capacity * 0.6 });
    return { capacity, ...latencies };
  } finally {
    await face.stop();
  }
}
