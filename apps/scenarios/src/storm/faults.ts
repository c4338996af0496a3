import { setTimeout as pause } from 'node:timers/promises';
import { SERVICES } from '@valueverse/contracts';
import type { Random } from './random';
import type { Replica, World } from './world';

/** Something that goes wrong and is over when `run` settles. Two faults of one resource never overlap. */
export interface Fault {
  readonly kind: FaultKind;
  readonly resource: string;
  readonly what: string;
  readonly run: () => Promise<void>;
}
export type FaultKind = 'broker-kill' | 'broker-freeze' | 'service-kill' | 'service-freeze' | 'service-asleep' | 'redis-kill' | 'redis-freeze' | 'cut' | 'slow' | 'stall' | 'drop-answer' | 'backends';
export type FaultMix = Readonly<Partial<Record<FaultKind, number>>>;

/** How often each comes. */
export const EVERYTHING: FaultMix = {
  'broker-kill': 2, 'broker-freeze': 2, 'service-kill': 4, 'service-freeze': 3, 'service-asleep': 2, 'redis-kill': 1, 'redis-freeze': 1, cut: 4, slow: 3, stall: 3, 'drop-answer': 6, backends: 3,
};

/** Longer than the session of a consumer group: the others take over meanwhile. */
const FREEZE_MS_MAX = 14_000;
/** So long nothing comes back from the database, so that transactions are open when the process falls asleep. */
const SILENCE_BEFORE_SLEEP_MS = 500;
/** Longer than it takes the others to take over, which is the session of a consumer group and a rebalance: what the process then goes on with, it does as a zombie. */
const SLEEP_MS = 20_000;

const MAKERS: Readonly<Record<FaultKind, (world: World, random: Random) => Fault>> = {
  'broker-kill': (world, random) => brokerFault(world, random, 'broker-kill', 'kill -9', async (node) => {
    node.process.signal('SIGKILL');
    await node.process.whenEnded;
    await pause(random.whole(500, 4_000));
    await node.restart();
  }),
  'broker-freeze': (world, random) => brokerFault(world, random, 'broker-freeze', 'SIGSTOP', async (node) => {
    node.process.signal('SIGSTOP');
    await pause(random.whole(1_000, 8_000));
    node.process.signal('SIGCONT');
  }),
  'service-kill': (world, random) => serviceFault(world, random, 'service-kill', 'kill -9', ({ actor }) => actor.kill(random.whole(0, 3_000))),
  'service-freeze': (world, random) => serviceFault(world, random, 'service-freeze', 'SIGSTOP', ({ actor }) => actor.freeze(random.whole(500, FREEZE_MS_MAX))),
  'service-asleep': (world, random) => serviceFault(world, random, 'service-asleep', 'sleep inside its transactions', async ({ actor, database }) => {
    const silence = database.stall(SILENCE_BEFORE_SLEEP_MS * 2);
    await pause(SILENCE_BEFORE_SLEEP_MS);
    await Promise.all([actor.freeze(SLEEP_MS), silence]);
  }),
  'redis-kill': (world, random) => ({ kind: 'redis-kill', resource: 'redis', what: 'kill -9 of Redis', run: async () => {
    world.redis?.process.signal('SIGKILL');
    await pause(random.whole(500, 4_000));
    await world.redis?.restart();
  } }),
  'redis-freeze': (world, random) => ({ kind: 'redis-freeze', resource: 'redis', what: 'SIGSTOP of Redis', run: async () => {
    world.redis?.process.signal('SIGSTOP');
    await pause(random.whole(500, 5_000));
    world.redis?.process.signal('SIGCONT');
  } }),
  cut: (world, random) => proxyFault(world, random, 'cut', 'cut', (proxy) => proxy.cut(random.whole(0, 3_000))),
  slow: (world, random) => proxyFault(world, random, 'slow', 'slow', (proxy) => proxy.slow(random.whole(5, 80), random.whole(1_000, 5_000))),
  stall: (world, random) => proxyFault(world, random, 'stall', 'silence', (proxy) => proxy.stall(random.whole(500, 7_000))),
  'drop-answer': (world, random) => proxyFault(world, random, 'drop-answer', 'an answer dropped', async (proxy) => { proxy.dropAnswer(); await pause(500); proxy.heal(); }),
  backends: (world, random) => {
    const service = random.one(SERVICES);
    return { kind: 'backends', resource: `backends of ${service}`, what: `every backend of ${service} terminated`, run: () => world.onPostgres(async (client) => {
      await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [service]);
    }) };
  },
};

/** The next fault of a mix, as the seed has it. */
export const nextFault = (world: World, random: Random, mix: FaultMix): Fault => {
  const kinds = (Object.entries(mix) as [FaultKind, number][]).map(([kind, weight]) => ({ kind, weight })).filter(({ kind }) => world.redis !== undefined || !kind.startsWith('redis'));
  return MAKERS[random.weighted(kinds).kind](world, random);
};

/** One broker at a time, and the next one when all copies are there again: with two of three missing nothing could be written. */
const brokerFault = (world: World, random: Random, kind: FaultKind, how: string, work: (node: World['kafka']['nodes'][number]) => Promise<void>): Fault => {
  const node = random.one(world.kafka.nodes);
  return { kind, resource: 'brokers', what: `${how} of broker ${node.id}`, run: async () => {
    await work(node);
    await world.brokersInSync();
  } };
};

const serviceFault = (world: World, random: Random, kind: FaultKind, how: string, work: (replica: Replica) => Promise<void>): Fault => {
  const replica = random.one(world.replicas);
  return { kind, resource: replica.actor.name, what: `${how} of ${replica.actor.name}`, run: () => work(replica) };
};

const proxyFault = (world: World, random: Random, kind: FaultKind, how: string, work: (proxy: World['proxies'][number]) => Promise<void>): Fault => {
  const proxy = random.one(world.proxies);
  return { kind, resource: `way to ${proxy.name}`, what: `${how} on the way to ${proxy.name}`, run: () => work(proxy) };
};
