import type { Clock } from '@valueverse/kernel';
import type { Tx } from '@valueverse/event-log';
import { Problem, rowOf } from '@valueverse/platform';
import { clocksModel, type ClockRow } from './clock.model';

/** The time of whoever has this test clock, or the wall clock's. Refuses with 404 `clock_not_found`. */
export const clockTime = async (tx: Tx, wall: Clock, clockId: string | undefined): Promise<string> => {
  if (clockId === undefined) return wall.now();
  const row = await rowOf<ClockRow>(tx, clocksModel, clockId);
  if (row === undefined) throw new Problem(404, 'clock_not_found', `there is no clock ${clockId}`, { errors: [{ pointer: '/testClockId', code: 'clock_not_found', detail: 'is not a clock of this tenant' }] });
  return row.now;
};
