import { instantFromMicros } from '@valueverse/kernel';
import { USAGE_TOPIC } from '@valueverse/contracts';
import type { LookResult, Service } from '@valueverse/platform';
import { AHEAD_MAX_MICROS } from './log-time';

/** What the doctor is told of partitions whose log time went far ahead before nobody's clock could do that any more: it stands still until the time has come. */
export const lookAtLogTime = async ({ database }: Pick<Service, 'database'>): Promise<LookResult> => {
  const { rows: [first] } = await database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ partition: number; log_time: bigint; partitions: bigint }>(
    `SELECT partition, log_time, count(*) OVER () AS partitions FROM usage_partitions WHERE log_time > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + 2 * $1::bigint ORDER BY log_time DESC LIMIT 1`, [AHEAD_MAX_MICROS]));
  if (first === undefined) return { ok: true, detail: 'is nowhere ahead of the clock of the database' };
  const more = first.partitions === 1n ? '' : `, that of ${first.partitions - 1n} more is ahead, too`;
  return {
    ok: false, detail: `that of ${USAGE_TOPIC}/${first.partition} stands at ${instantFromMicros(first.log_time)}, ahead of the clock of the database${more}; until then what came there over a month before it is not known to be a duplicate`,
    next: 'look at the clocks of the database and of the processes of usage (timedatectl); nothing more is moved by them',
  };
};

const DAY_MICROS = 86_400_000_000;
/** More are not counted. */
const LEFT_OUT_COUNTED_MAX = 10_000;

/** What the doctor is told of events that meters left out in the last day of log time, because their subjects have too many combinations of dimensions: they are kept, and billed to nobody. */
export const lookAtLeftOut = async ({ database }: Pick<Service, 'database'>): Promise<LookResult> => {
  const { rows } = await database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ tenant: string; meter: string; subject: string; events: bigint }>(
    `SELECT x.tenant, x.meter, min(x.subject) AS subject, count(*) AS events FROM
       (SELECT tenant, meter, subject FROM usage_exceptions WHERE code = 'too_many_groups' AND log_time > (SELECT max(log_time) FROM usage_partitions) - $1::bigint ORDER BY log_time DESC LIMIT $2) x
     GROUP BY 1, 2 ORDER BY 4 DESC, 1, 2`, [DAY_MICROS, LEFT_OUT_COUNTED_MAX]));
  const [first] = rows;
  if (first === undefined) return { ok: true, detail: 'no event is left out for having too many combinations' };
  const most = rows.reduce((sum, { events }) => sum + Number(events), 0) >= LEFT_OUT_COUNTED_MAX ? ' or more' : '';
  return {
    ok: false, detail: `${first.events}${most} events of ${first.tenant} were left out of meter ${first.meter} within a day (too_many_groups), among them of ${first.subject}${rows.length === 1 ? '' : `; so were events of ${rows.length - 1} more meters`}: they are kept and not billed`,
    next: 'npx vv doctor usage with a key of that organization; make a version of the meter without the dimension that has too many values',
  };
};
