import { setTimeout as pause } from 'node:timers/promises';
import { SERVICES } from '@valueverse/contracts';
import { convergence, faultsOf } from './checks';
import { StormClient } from './client';
import { nextFault, type Fault, type FaultMix } from './faults';
import { observeCheckpoints } from './observer';
import { Random } from './random';
import { Traffic } from './traffic';
import { until, Waited } from './until';
import { World } from './world';

export interface StormOptions {
  readonly seed: number;
  readonly seconds: number;
  /** It goes on until so many faults have begun, also on a machine on which each takes long. */
  readonly faultsMin?: number;
  readonly mix: FaultMix;
  /** A module that the services load first, to plant a bug in them. */
  readonly patch?: string | undefined;
  /** How many customers send at the same time, and how many months are billed at the same time. */
  readonly load?: { readonly senders: number; readonly rounds: number };
}
export interface StormResult { readonly faults: number; readonly events: number; readonly months: number; readonly requests: number; readonly repetitions: number; readonly violations: readonly string[] }

const FAULTS_AT_ONCE = 3;
const PAUSE_MS_MAX = 2_000;
const LOAD = { senders: 3, rounds: 2 };
/** What customers had under way when the storm ended is answered within this. */
const FINISH_TIMEOUT_MS = 60_000;
/** Ten processes that start at once on a busy machine know their first key within this. */
const START_TIMEOUT_MS = 180_000;

/** One of each service. */
const PATHS = ['/api/v1/usage/meters', '/api/v1/billing/plans', '/api/v1/payments', '/api/v1/notifications/messages'];

interface Key { readonly key: string; readonly environment: string; readonly kind: string }

/** One storm: traffic and faults as the seed has them; then everything is healed, and what is there is compared with what was acknowledged. */
export const storm = async (options: StormOptions, say: (line: string) => void): Promise<StormResult> => {
  const world = new World();
  let holds = false;
  try {
    await world.start(options.patch, say);
    const key = await firstKey(world);
    if (key === undefined) return { faults: 0, events: 0, months: 0, requests: 0, repetitions: 0, violations: await stoppedReaders(world) };
    const client = new StormClient(world.url, key);
    const traffic = new Traffic(client, new Random(options.seed + 1), options.load ?? LOAD);
    await traffic.prepare();
    await observeCheckpoints(world);
    traffic.start();
    const faults = await rage(world, options, say);
    say(`${faults} faults are over; ${traffic.events} events and ${traffic.rounds.length} months are acknowledged, ${client.repetitions} of ${client.requests} requests were sent again`);
    await world.heal();
    const violations = [...await finish(traffic, client), ...await convergence(world, client, traffic.rounds)];
    say(violations.length === 0 ? 'everything is at its end; comparing' : 'it did not come to its end; comparing all the same');
    violations.push(...traffic.violations, ...await faultsOf(world, client, traffic));
    holds = violations.length === 0;
    return { faults, events: traffic.events, months: traffic.rounds.length, requests: client.requests, repetitions: client.repetitions, violations };
  } finally {
    await world.stop(!holds && options.patch === undefined);
    if (!holds && options.patch === undefined) say(`the logs are in ${world.folder}/logs`);
  }
};

/** The first key, once every service knows it; undefined where none ever will, because readers have found that the feed lacks something and have stopped. */
const firstKey = async (world: World): Promise<string | undefined> => {
  const made = await new StormClient(world.url, world.operatorToken).post('/api/v1/operator/organizations', { body: { name: 'Storm' } });
  const { key } = (made.keys as Key[]).find(({ environment, kind }) => environment === 'test' && kind === 'secret')!;
  try {
    await until('every service to know the key', async () => {
      const answers = await Promise.all(PATHS.map((path) => fetch(world.url + path, { headers: { authorization: `Bearer ${key}` } })));
      return answers.every(({ ok }) => ok) ? undefined : answers.map(({ url, status }) => `${url}: ${status}`).join(', ');
    }, START_TIMEOUT_MS);
    return key;
  } catch (error) {
    if (error instanceof Waited && (await stoppedReaders(world)).length > 0) return undefined;
    throw error;
  }
};

const stoppedReaders = async (world: World): Promise<string[]> => (await Promise.all(SERVICES.map((service) => world.onPostgres(async (client) => {
  const { rows } = await client.query<{ consumer: string; halted: string }>('SELECT consumer, halted FROM '.concat(client.escapeIdentifier(service), '.checkpoints WHERE halted IS NOT NULL ORDER BY 1 LIMIT 1'));
  return rows.map(({ consumer, halted }) => `${consumer} of ${service} stopped: ${halted}`);
}, world.databaseUrl(service))))).flat();

/** Faults follow each other, a few at the same time, until the time is over; settles when the last one is. */
const rage = async (world: World, { seed, seconds, faultsMin = 0, mix }: StormOptions, say: (line: string) => void): Promise<number> => {
  const random = new Random(seed);
  const began = performance.now();
  const underWay = new Map<string, Promise<void>>();
  let count = 0;
  while (performance.now() - began < seconds * 1_000 || count < faultsMin) {
    const fault = nextFault(world, random, mix);
    if (underWay.size < FAULTS_AT_ONCE && !underWay.has(fault.resource)) {
      count++;
      say(`${((performance.now() - began) / 1_000).toFixed(1).padStart(6)} s  ${fault.what}`);
      underWay.set(fault.resource, run(fault, say).finally(() => { underWay.delete(fault.resource); }));
    }
    await pause(random.whole(100, PAUSE_MS_MAX));
  }
  await Promise.all(underWay.values());
  return count;
};

const run = async (fault: Fault, say: (line: string) => void): Promise<void> => {
  try {
    await fault.run();
  } catch (error) {
    say(`          ${fault.what} did not go as planned: ${(error as Error).message}`);
  }
};

const finish = async (traffic: Traffic, client: StormClient): Promise<string[]> => {
  const late = new AbortController();
  const tooLate = pause(FINISH_TIMEOUT_MS, true, { signal: late.signal }).catch(() => false);
  const isLate = await Promise.race([traffic.finish().then(() => false), tooLate]);
  late.abort();
  if (!isLate) return [];
  client.giveUp();
  await traffic.finish();
  return [`requests were not answered with success within ${FINISH_TIMEOUT_MS / 1_000} s after the last fault`];
};
