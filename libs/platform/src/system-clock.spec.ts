import { isId, microsOf } from '@valueverse/kernel';
import { systemClock, systemIds } from './system-clock';

test('the clock shows the time of the machine', () => {
  const before = Date.now();
  const shown = Number(microsOf(systemClock.now()) / 1000n);
  expect(shown).toBeGreaterThanOrEqual(before);
  expect(shown).toBeLessThanOrEqual(Date.now());
});

test('ids are new each time and carry their kind', () => {
  const ids = Array.from({ length: 1000 }, () => systemIds.next('inv'));
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.every((id) => isId('inv', id))).toBe(true);
});
