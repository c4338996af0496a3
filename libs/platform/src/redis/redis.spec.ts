import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, noteNotRun } from '@valueverse/testing';
import { createLogger } from '../logging/logger';
import { findRedis, startRedis, type RedisServer } from '../parts/redis';
import { redisShared, type BetweenProcesses } from './between-processes';

// Two processes of one installation that share a Redis of their own, so that it can be killed, paused and flushed.
const found = findRedis();
const describeWithOwnRedis = found.how === 'program' ? describe : (name: string, _: () => void) => test(name, () => noteNotRun(name, found.how === 'none' ? found.reason : 'a Redis that was given is not killed'));
const TIMEOUT_MS = 30_000;
const POLICY = { name: 'default', quota: 10, windowSeconds: 1_000 };

describeWithOwnRedis('what processes share', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vv-redis-'));
  const said: string[] = [];
  let server: RedisServer;
  let [one, two]: BetweenProcesses[] = [];
  const open = (namespace = 'main'): BetweenProcesses =>
    redisShared({ url: server.url, namespace, logger: createLogger({ service: 'test', destination: { write: (line: string) => { said.push(line); } } }) });
  const isShared = async (): Promise<true | undefined> => {
    await one!.cache.set(['org_1:test', 'probe'], 1, 10_000);
    return (await two!.cache.get(['org_1:test', 'probe'])) === 1 ? true : undefined;
  };

  beforeAll(async () => {
    server = await startRedis({ program: (found as { program: string }).program, folder });
    [one, two] = [open(), open()];
    await eventually('both to be connected', isShared);
  });
  afterAll(async () => {
    await Promise.all([one!.close(), two!.close()]);
    await server.process.stop();
    rmSync(folder, { recursive: true, force: true });
  }, TIMEOUT_MS);

  test('a cache: what one keeps the other finds, until it is deleted or its time is over', async () => {
    await one!.cache.set(['org_1:test', 'a', 'b'], { n: 1 }, 60_000);
    expect(await two!.cache.get(['org_1:test', 'a', 'b'])).toEqual({ n: 1 });
    expect(await two!.cache.get(['org_1:test', 'a b'])).toBeUndefined();
    await two!.cache.delete(['org_1:test', 'a', 'b']);
    expect(await one!.cache.get(['org_1:test', 'a', 'b'])).toBeUndefined();
    await one!.cache.set(['org_1:test', 'short'], 1, 1);
    await eventually('its end', async () => ((await two!.cache.get(['org_1:test', 'short'])) === undefined ? true : undefined));
  }, TIMEOUT_MS);

  test('a cache: what is no JSON is not found', async () => {
    const { Redis } = await import('ioredis');
    const client = new Redis(server.url);
    await client.set('vv:main:cache:["org_1:test","spoilt"]', '{"n":');
    client.disconnect();
    expect(await one!.cache.get(['org_1:test', 'spoilt'])).toBeUndefined();
  }, TIMEOUT_MS);

  test('limits: both take from one bucket, keys are counted apart, a refusal costs nothing', async () => {
    for (let left = 9; left >= 0; left--) expect(await (left % 2 === 0 ? one : two)!.rateLimiter.take('k', POLICY)).toMatchObject({ allowed: true, remaining: left });
    expect(await one!.rateLimiter.take('k', POLICY)).toEqual({ allowed: false, remaining: 0, waitSeconds: 100 });
    expect(await two!.rateLimiter.take('l', POLICY, 8)).toEqual({ allowed: true, remaining: 2, waitSeconds: 800 });
    expect(await two!.rateLimiter.take('l', POLICY, 3)).toEqual({ allowed: false, remaining: 2, waitSeconds: 100 });
    expect(await one!.rateLimiter.take('l', POLICY, 2)).toMatchObject({ allowed: true, remaining: 0 });
  }, TIMEOUT_MS);

  test('hints: told here at once, there soon, and never to another installation', async () => {
    const heard: string[] = [];
    const stranger = open('other');
    stranger.fanOut.listen('credentials', () => heard.push('stranger'));
    one!.fanOut.listen('credentials', () => heard.push('one'));
    two!.fanOut.listen('credentials', () => heard.push('two'));
    one!.fanOut.tell('credentials');
    expect(heard).toEqual(['one']);
    await eventually('the other one', () => (heard.includes('two') ? true : undefined));
    expect(heard).toEqual(['one', 'two']);
    await stranger.close();
  }, TIMEOUT_MS);

  test('F75 F76: flushed, what was kept is not found, buckets are full again, and nothing fails', async () => {
    await one!.cache.set(['org_1:test', 'kept'], 1, 60_000);
    await one!.rateLimiter.take('flushed', POLICY, 10);
    const { Redis } = await import('ioredis');
    const client = new Redis(server.url);
    await client.flushall();
    client.disconnect();
    expect(await two!.cache.get(['org_1:test', 'kept'])).toBeUndefined();
    expect(await two!.rateLimiter.take('flushed', POLICY)).toMatchObject({ allowed: true, remaining: 9 });
  }, TIMEOUT_MS);

  test('F79: paused, nobody waits for it for long: each process counts for itself, and both share again when it goes on', async () => {
    server.process.signal('SIGSTOP');
    try {
      for (let left = 9; left >= 0; left--) expect(await one!.rateLimiter.take('paused', POLICY)).toMatchObject({ allowed: true, remaining: left });
      expect(await one!.rateLimiter.take('paused', POLICY)).toMatchObject({ allowed: false });
      expect(await two!.rateLimiter.take('paused', POLICY)).toMatchObject({ allowed: true });
      expect(await two!.cache.get(['org_1:test', 'probe'])).toBeUndefined();
      await two!.cache.set(['org_1:test', 'unheard'], 1, 60_000);
    } finally {
      server.process.signal('SIGCONT');
    }
    await eventually('both to share again', isShared);
  }, TIMEOUT_MS);

  test('F79 F80: killed, the same; it is said once that it is gone and once that it is back, and hints are heard again', async () => {
    said.length = 0;
    server.process.signal('SIGKILL');
    await server.process.whenEnded;
    for (let nth = 0; nth < 5; nth++) {
      expect(await one!.rateLimiter.take(`killed ${nth}`, POLICY)).toMatchObject({ allowed: true, remaining: 9 });
      expect(await one!.cache.get(['org_1:test', 'probe'])).toBeUndefined();
    }
    one!.fanOut.tell('credentials');
    await server.restart();
    await eventually('both to share again', isShared);
    const heard: number[] = [];
    two!.fanOut.listen('store usage', () => heard.push(1));
    await eventually('a hint', () => { one!.fanOut.tell('store usage'); return heard.length > 0 ? true : undefined; });
    const words = said.map((line) => (JSON.parse(line) as { message: string }).message);
    // Two processes, each of which says it for itself.
    expect(words.filter((word) => word.includes('does not answer'))).toHaveLength(2);
    expect(words.filter((word) => word.includes('answers again'))).toHaveLength(2);
  }, TIMEOUT_MS);
});
