import { createHash } from 'node:crypto';
import { canonicalJson } from '@valueverse/kernel';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import { type EventStore, ident, type RebuildOptions, type Rebuilt, rebuildingAlone, type RecordProjector, type Tx } from '@valueverse/event-log';
import type { KnownLogTime } from '../metering/copy';
import { compare, type TableHashes } from './compare';
import { type ComparedMeter, followingMeters, unchanged } from './compared-meters';
import { beginOld } from './old-part';
import { DroppedMeanwhile, ENVELOPES_PER_PAGE, type Replay, replayBy, replayPage } from './replay';
import { dropShadows, emptyShadow, makeShadow, type Schemas } from './shadow-tables';
import { swap } from './swap';

/** Below this many envelopes the rest is taken in while the partition is held. */
const CATCH_UP_BELOW = ENVELOPES_PER_PAGE;
/** A partition whose envelopes are dropped while it is read is begun anew so often. */
const ATTEMPTS_MAX = 5;

interface Rebuild extends RebuildOptions { readonly store: EventStore; readonly schemas: Schemas; readonly makeProjector: (known: KnownLogTime) => RecordProjector; readonly done: { envelopes: number; readonly total: number; isUsed: boolean } }

const headOf = async (tx: Tx, { live }: Schemas, partition: number): Promise<number> =>
  Number((await tx.query<{ position: bigint }>(`SELECT position FROM ${ident(live)}.usage_partitions WHERE partition = $1`, [partition])).rows[0]!.position);

/** Begins a partition in the shadow: empty, or as far as it has lost envelopes. All meters follow it from the first envelope on. */
const begin = ({ store, schemas, done }: Rebuild, partition: number): Promise<{ meters: ComparedMeter[]; at: number }> => store.database.transaction({ role: 'worker', isolation: 'repeatable read' }, async (tx) => {
  if (done.isUsed) await emptyShadow(tx, schemas);
  const meters = await followingMeters(tx, schemas, partition);
  await tx.query(`INSERT INTO ${ident(schemas.shadow)}.usage_partitions VALUES ($1, 0, ''::bytea, 0)`, [partition]);
  const versions = meters.flatMap(({ tenant, meter }) => meter.versions.map(({ version }) => ({ tenant, key: meter.meterKey, version })));
  await tx.query(
    `INSERT INTO ${ident(schemas.shadow)}.usage_meter_progress (tenant, meter, version, partition) SELECT tenant, meter, version, $1 FROM unnest($2::text[], $3::text[], $4::int[]) g(tenant, meter, version)`,
    [partition, versions.map(({ tenant }) => tenant), versions.map(({ key }) => key), versions.map(({ version }) => version)]);
  return { meters, at: await beginOld(tx, schemas, partition, meters) };
});

/** Takes in what is left while the live partition is held, compares both, and puts in place what differs where that is wanted. */
const finish = ({ store, schemas, cutover, progress, done }: Rebuild, replay: Replay, partition: number, before: readonly ComparedMeter[], from: number): Promise<{ live: TableHashes; rebuilt: TableHashes }> =>
  store.database.transaction({ role: 'worker' }, async (tx) => {
    await tx.query(`SELECT FROM ${ident(schemas.live)}.usage_partitions WHERE partition = $1 FOR UPDATE`, [partition]);
    for (let at = from; ;) {
      const next = await replayPage(tx, schemas, replay, partition, at);
      if (next === at) break;
      at = next;
    }
    progress({ phase: 'comparing', done: done.envelopes, total: done.total });
    const meters = unchanged(before, await followingMeters(tx, schemas, partition));
    const { different, ...hashes } = await compare(tx, schemas, partition, meters);
    if (cutover && different.length > 0) {
      progress({ phase: 'swapping', done: done.envelopes, total: done.total });
      await swap(tx, schemas, partition, meters, different);
    }
    return hashes;
  });

const rebuildPartition = async (rebuild: Rebuild, partition: number): Promise<{ live: TableHashes; rebuilt: TableHashes }> => {
  const { store, schemas, progress, done } = rebuild;
  const { meters, at: old } = await begin(rebuild, partition);
  done.isUsed = false;
  const replay = replayBy(rebuild.makeProjector);
  const before = done.envelopes;
  let at = old;
  for (;;) {
    const { next, head } = await store.database.transaction({ role: 'worker' }, async (tx) => ({ next: await replayPage(tx, schemas, replay, partition, at), head: await headOf(tx, schemas, partition) }));
    at = next;
    done.isUsed ||= at > 0;
    done.envelopes = before + at;
    progress({ phase: 'building', done: done.envelopes, total: Math.max(done.total, done.envelopes) });
    if (head - at < CATCH_UP_BELOW) break;
  }
  return finish(rebuild, replay, partition, meters, at);
};

const withoutDrops = async (rebuild: Rebuild, partition: number): Promise<{ live: TableHashes; rebuilt: TableHashes }> => {
  for (let attempt = 1; ; attempt++) {
    const before = rebuild.done.envelopes;
    try {
      return await rebuildPartition(rebuild, partition);
    } catch (error) {
      if (!(error instanceof DroppedMeanwhile) || attempt >= ATTEMPTS_MAX) throw error;
      Object.assign(rebuild.done, { envelopes: before, isUsed: true });
    }
  }
};

/**
 * Makes all that metering derives from its copy again from the envelopes, in a schema of its own, while it goes on: partition by partition, by the same code that took them in. A partition is held only while
 * the last of its envelopes are taken in and both are compared by the SHA-256 of all their rows. With `cutover` what differs is put in place in the same transaction. Meters that are back-filled, or changed
 * meanwhile, are left out of the comparison.
 */
export const rebuildMeteringBy = (makeProjector: (known: KnownLogTime) => RecordProjector) => (store: EventStore, live: string, options: RebuildOptions): Promise<Rebuilt> => {
  const prefix = `${live}_shadow_metering_copy_`;
  return rebuildingAlone(store, prefix, async (nth) => {
    const schemas: Schemas = { live, shadow: prefix + nth };
    await dropShadows(store, prefix);
    await makeShadow(store, schemas);
    try {
      const { rows: [row] } = await store.database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ total: bigint }>('SELECT sum(position)::bigint AS total FROM usage_partitions'));
      const rebuild: Rebuild = { ...options, store, schemas, makeProjector, done: { envelopes: 0, total: Number(row!.total), isUsed: false } };
      const [ours, rebuilt] = [createHash('sha256'), createHash('sha256')];
      for (let partition = 0; partition < USAGE_PARTITIONS; partition++) {
        const hashes = await withoutDrops(rebuild, partition);
        ours.update(canonicalJson({ partition, ...hashes.live }));
        rebuilt.update(canonicalJson({ partition, ...hashes.rebuilt }));
      }
      return { live: ours.digest('hex'), rebuilt: rebuilt.digest('hex') };
    } finally {
      await dropShadows(store, schemas.shadow);
    }
  });
};
