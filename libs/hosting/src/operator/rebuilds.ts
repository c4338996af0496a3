import { consumerName, rebuildAndCompare, rebuildProjector, tableOf, type RebuildOptions, type Rebuilt } from '@valueverse/event-log';
import { Problem, type Service } from '@valueverse/platform';

export type RebuildMode = 'compare' | 'cutover';
/** A read model of a service, and how it can be made again. */
export interface Projection {
  readonly name: string;
  readonly kind: 'stream-rows' | 'projector';
  readonly version: number;
  readonly tables: readonly string[];
  /** Why it cannot be rebuilt; null when it can. */
  readonly fixed: string | null;
  readonly rebuild: RebuildState | null;
}
export interface RebuildState {
  readonly mode: RebuildMode;
  readonly phase: 'building' | 'comparing' | 'swapping' | 'done' | 'failed' | 'abandoned';
  readonly done: number;
  readonly total: number;
  /** Seconds until it is caught up, at the speed so far; null while that cannot be said. */
  readonly etaSeconds: number | null;
  readonly live: string | null;
  readonly rebuilt: string | null;
  readonly equal: boolean | null;
  readonly error: string | null;
  readonly startedAt: string;
}

const TELL_EVERY_MS = 250;
/** A rebuild that has said nothing for this long has ended with its process. */
const SILENT_MAX_MS = 60_000;
const NOT_FROM_FEED = 'its records are kept in the feed for a while only; it has a copy of its own';

interface Found { readonly projection: Omit<Projection, 'rebuild'>; readonly rebuild: (options: RebuildOptions) => Promise<Rebuilt> }

const foundIn = (service: Service): Found[] => [
  ...service.views.map(({ schema, model }): Found => ({
    projection: { name: model.table, kind: 'stream-rows', version: model.version, tables: [tableOf(model)], fixed: null },
    rebuild: (options) => rebuildAndCompare(service.log.store, schema, model, options),
  })),
  ...service.projectors.map((consumer): Found => ({
    projection: { name: consumerName(consumer), kind: 'projector', version: consumer.version, tables: consumer.tables ?? [], fixed: consumer.tables === undefined ? NOT_FROM_FEED : null },
    rebuild: (options) => (consumer.kind === 'records' && consumer.rebuild !== undefined) ? consumer.rebuild(service.log.store, service.name, options) : rebuildProjector(service.log.store, service.feed, service.name, consumer, options),
  })),
];

interface Row { name: string; mode: RebuildMode; phase: RebuildState['phase']; done: bigint; total: bigint; live: string | null; rebuilt: string | null; error: string | null; started_at: string; elapsed: string; silent: string }

const stateOf = (row: Row): RebuildState => {
  const [done, total, elapsed] = [Number(row.done), Number(row.total), Number(row.elapsed)];
  const isOver = row.phase === 'done' || row.phase === 'failed';
  return {
    mode: row.mode, phase: !isOver && Number(row.silent) * 1_000 > SILENT_MAX_MS ? 'abandoned' : row.phase, done, total,
    etaSeconds: row.phase !== 'building' || done === 0 ? null : Math.ceil(elapsed / done * (total - done)),
    live: row.live, rebuilt: row.rebuilt, equal: row.live === null ? null : row.live === row.rebuilt, error: row.error, startedAt: row.started_at,
  };
};

export const projectionsOf = async (service: Service): Promise<Projection[]> => {
  const { rows } = await service.database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<Row>(
    `SELECT name, mode, phase, done, total, live, rebuilt, error, to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS started_at,
       extract(epoch FROM seen_at - started_at)::text AS elapsed, extract(epoch FROM clock_timestamp() - seen_at)::text AS silent FROM rebuilds`));
  const states = new Map(rows.map((row) => [row.name, stateOf(row)]));
  return foundIn(service).map(({ projection }) => ({ ...projection, rebuild: states.get(projection.name) ?? null }));
};

/** One of them. Refuses with 404 `projection_not_found`. */
export const projectionOf = async (service: Service, name: string): Promise<Projection> => {
  const found = (await projectionsOf(service)).find((projection) => projection.name === name);
  if (found === undefined) throw new Problem(404, 'projection_not_found', `${service.name} has no projection ${name.slice(0, 100)}`);
  return found;
};

/** Begins a rebuild and returns at once. Refuses with 409 `rebuild_running`, and with 409 `not_rebuildable`. */
export const beginRebuild = async (service: Service, name: string, mode: RebuildMode): Promise<void> => {
  const { fixed } = await projectionOf(service, name);
  if (fixed !== null) throw new Problem(409, 'not_rebuildable', `${name} cannot be rebuilt from the feed: ${fixed}`);
  const { rowCount } = await service.database.transaction({ role: 'worker' }, (tx) => tx.query(
    `INSERT INTO rebuilds AS r (name, mode, phase) VALUES ($1, $2, 'building') ON CONFLICT (name) DO UPDATE SET mode = excluded.mode, phase = excluded.phase, done = 0, total = 0, live = NULL, rebuilt = NULL,
       error = NULL, started_at = clock_timestamp(), seen_at = clock_timestamp()
     WHERE r.phase IN ('done', 'failed') OR r.seen_at < clock_timestamp() - $3 * interval '1 ms'`, [name, mode, SILENT_MAX_MS]));
  if (rowCount !== 1) throw new Problem(409, 'rebuild_running', `${name} is being rebuilt already`);
  const { rebuild } = foundIn(service).find(({ projection }) => projection.name === name)!;
  void run(service, name, mode, rebuild).catch((error: unknown) => service.logger.error({ err: error, projection: name }, 'the end of a rebuild could not be noted'));
};

const run = async (service: Service, name: string, mode: RebuildMode, rebuild: Found['rebuild']): Promise<void> => {
  let told = 0;
  let latest: { phase: string; done: number; total: number } = { phase: 'building', done: 0, total: 0 };
  const tell = (): Promise<unknown> => service.database.transaction({ role: 'worker' }, (tx) => tx.query(
    `UPDATE rebuilds SET phase = $2, done = $3, total = $4, seen_at = clock_timestamp() WHERE name = $1 AND phase NOT IN ('done', 'failed')`, [name, latest.phase, latest.done, latest.total]));
  // A rebuild that compares for long is still alive.
  const alive = setInterval(() => { void tell().catch(() => undefined); }, SILENT_MAX_MS / 4);
  try {
    const { live, rebuilt } = await rebuild({ cutover: mode === 'cutover', progress: (progress) => {
      latest = progress;
      if (performance.now() - told < TELL_EVERY_MS) return;
      told = performance.now();
      void tell().catch(() => undefined);
    } });
    await service.database.transaction({ role: 'worker' }, (tx) => tx.query(
      `UPDATE rebuilds SET phase = 'done', done = $2, total = $3, live = $4, rebuilt = $5, seen_at = clock_timestamp() WHERE name = $1`, [name, latest.total, latest.total, live, rebuilt]));
    service.logger.info({ projection: name, mode, equal: live === rebuilt }, 'a projection was rebuilt');
  } catch (error) {
    service.logger.error({ err: error, projection: name }, 'a rebuild failed');
    await service.database.transaction({ role: 'worker' }, (tx) => tx.query(`UPDATE rebuilds SET phase = 'failed', error = $2, seen_at = clock_timestamp() WHERE name = $1`, [name, (error as Error).message]));
  } finally {
    clearInterval(alive);
  }
};
