import Redis from 'ioredis';
import { describeOnRedis } from './redis';

describeOnRedis('the Redis of the run', (url) => {
  test('keeps a value and gives it back', async () => {
    const redis = new Redis(url());
    const key = `testing.probe.${process.pid}`;
    await redis.set(key, 'one', 'PX', 10_000);
    expect(await redis.get(key)).toBe('one');
    await redis.del(key);
    redis.disconnect();
  });
});
