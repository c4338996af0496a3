import { eventually } from './probe';

test('gives what the probe found', async () => {
  let looks = 0;
  expect(await eventually('the third look', () => (++looks === 3 ? looks : undefined), { everyMs: 1 })).toBe(3);
});

test('says what it waited for and what it saw last', async () => {
  const waiting = eventually('a paid invoice', (saw) => { saw({ status: 'open' }); return undefined; }, { timeoutMs: 30 });
  await expect(waiting).rejects.toThrow(/waited 30 ms for a paid invoice; saw last: \{ status: 'open' \}/);
});

test('an error is what it saw', async () => {
  await expect(eventually('peace', () => { throw new Error('still war'); }, { timeoutMs: 30 })).rejects.toThrow(/still war/);
});

test('a probe that never answers does not wait for ever', async () => {
  await expect(eventually('an answer', () => new Promise<string>(() => undefined), { timeoutMs: 30 })).rejects.toThrow(/an answer; saw last: 'nothing'; the look after that did not answer/);
});

test('a look that the end of the time cuts off does not hide what was seen before', async () => {
  let looks = 0;
  const waiting = eventually('the end', (saw) => { if (looks++ > 0) return new Promise<string>(() => undefined); saw('half of it'); return undefined; }, { timeoutMs: 60, everyMs: 1 });
  await expect(waiting).rejects.toThrow(/saw last: 'half of it'; the look after that did not answer/);
});
