import { cacheKeyText, MemoryCache } from './cache';

test('remembers for its time', async () => {
  let nowMs = 0;
  const cache = new MemoryCache(10, () => nowMs);
  await cache.set(['t1', 'plan'], { price: '1.00' }, 100);
  expect(await cache.get(['t1', 'plan'])).toEqual({ price: '1.00' });
  nowMs = 100;
  expect(await cache.get(['t1', 'plan'])).toBeUndefined();
});

test('forgets on demand, and what was not used for longest when it is full', async () => {
  const cache = new MemoryCache(2);
  await cache.set(['t1', 'a'], 1, 1000);
  await cache.set(['t1', 'b'], 2, 1000);
  await cache.get(['t1', 'a']);
  await cache.set(['t1', 'c'], 3, 1000);
  expect([await cache.get(['t1', 'a']), await cache.get(['t1', 'b']), await cache.get(['t1', 'c'])]).toEqual([1, undefined, 3]);
  await cache.delete(['t1', 'a']);
  expect(await cache.get(['t1', 'a'])).toBeUndefined();
});

test('what is stored is a copy', async () => {
  const cache = new MemoryCache();
  const value = { list: [1] };
  await cache.set(['t1', 'x'], value, 1000);
  value.list.push(2);
  expect(await cache.get(['t1', 'x'])).toEqual({ list: [1] });
});

test('no characters in a part make two keys one', () => {
  const keys: [string, ...string[]][] = [['a', 'b'], ['a:b'], ['a,b'], ['a","b'], ['a\n', 'b'], ['a', '', 'b']];
  expect(new Set(keys.map(cacheKeyText)).size).toBe(keys.length);
});
