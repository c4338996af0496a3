import type { Clock } from '@valueverse/kernel';
import { ident, type Tx } from '@valueverse/event-log';
import { Problem, rowOf } from '@valueverse/platform';
import { accountsModel } from '../accounts/account.model';
import { clocksModel, type ClockRow } from './clock.model';

/** The time of whoever has this test clock, or the wall clock's. Refuses with 404 `clock_not_found`. */
export const clockTime = async (tx: Tx, wall: Clock, clockId: string | undefined): Promise<string> => {
  if (clockId === undefined) return wall.now();
  const row = await rowOf<ClockRow>(tx, clocksModel, clockId);
  if (row === undefined) throw new Problem(404, 'clock_not_found', `there is no clock ${clockId}`, { errors: [{ pointer: '/testClockId', code: 'clock_not_found', detail: 'is not a clock of this tenant' }] });
  return row.now;
};

/** The name of the test clock of an account `a`, as `its.clock`: taken out of the row apart, because under row level security no condition with `->>` finds its rows by an index. */
export const NAME_OF_CLOCK_SQL = `CROSS JOIN LATERAL (SELECT a.row->>'testClockId' AS clock OFFSET 0) its`;
/** The test clock `c` of an account `a`, where it has one. */
export const CLOCK_OF_ACCOUNT_SQL = `${NAME_OF_CLOCK_SQL} LEFT JOIN ${ident(clocksModel.table)} c ON c.tenant = a.tenant AND c.key = its.clock`;

/** The time of each of these accounts: of its test clock, or the wall clock's. */
export const timesOfAccounts = async (tx: Tx, wall: Clock, accountIds: readonly string[]): Promise<ReadonlyMap<string, string>> => {
  const { rows } = await tx.query<{ key: string; now: string | null }>(
    `SELECT a.key, c.row->>'now' AS now FROM ${ident(accountsModel.table)} a ${CLOCK_OF_ACCOUNT_SQL} WHERE a.tenant = $1 AND a.key = ANY($2)`,
    [tx.tenant, [...new Set(accountIds)]]);
  return new Map(rows.map(({ key, now }) => [key, now ?? wall.now()]));
};
