import { MemoryRateLimiter } from './rate-limiter';

const policy = { name: 'default', quota: 10, windowSeconds: 10 };
let nowMs = 0;
const limiter = () => { nowMs = 0; return new MemoryRateLimiter(() => nowMs); };

test('a full bucket lets its quota pass and then says how long to wait', async () => {
  const limits = limiter();
  for (let left = 9; left >= 0; left--) expect(await limits.take('k', policy)).toMatchObject({ allowed: true, remaining: left });
  expect(await limits.take('k', policy)).toEqual({ allowed: false, remaining: 0, waitSeconds: 1 });
});

test('it fills steadily and never over its quota', async () => {
  const limits = limiter();
  await limits.take('k', policy, 10);
  nowMs = 2_500;
  expect(await limits.take('k', policy, 2)).toEqual({ allowed: true, remaining: 0, waitSeconds: 10 });
  nowMs = 1_000_000;
  expect(await limits.take('k', policy)).toMatchObject({ remaining: 9 });
});

test('a refusal costs nothing', async () => {
  const limits = limiter();
  await limits.take('k', policy, 8);
  expect(await limits.take('k', policy, 5)).toEqual({ allowed: false, remaining: 2, waitSeconds: 3 });
  expect(await limits.take('k', policy, 2)).toMatchObject({ allowed: true });
});

test('keys and policies are counted apart', async () => {
  const limits = limiter();
  await limits.take('k', policy, 10);
  expect(await limits.take('l', policy)).toMatchObject({ allowed: true });
  expect(await limits.take('k', { ...policy, name: 'other' })).toMatchObject({ allowed: true });
});
