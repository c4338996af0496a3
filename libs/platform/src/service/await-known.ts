import { microsOf, unixMillisOfId } from '@valueverse/kernel';
import { partitionsOf, TOPICS } from '@valueverse/contracts';
import { Problem } from '../problem/problem';
import type { Service } from './service';
import type { Tx } from '@valueverse/event-log';

const WAIT_MAX_MS = 2_000;
const LOOK_EVERY_MS = 20;
/** An id of ours that is older than this has arrived everywhere, through brokers and relays that failed meanwhile too, or never existed. */
const YOUNG_ID_MS = 60_000;
/** Waiters of one tenant: what one does must not be felt by another. */
const WAITERS_PER_TENANT_MAX = 20;
const waiters = new Map<string, number>();

/**
 * Finds what another context made, waiting while the news of it may still be on its way: 2 s at most, holding no connection.
 * `undefined` when it is not there; refuses with 503 `not_yet_known` when this service is behind the feed, when the id is so young that it need not
 * be in the feed yet, or when too many requests of the tenant wait already. `hasArrived` looks at all tenants: what has come for another one is not on its way.
 */
export const awaitKnown = async <T>(service: Service, tenant: string, idOrKey: string, find: (tx: Tx) => Promise<T | undefined>, hasArrived?: (tx: Tx) => Promise<boolean>): Promise<T | undefined> => {
  const look = (): Promise<T | undefined> => service.database.transaction({ role: 'api', tenant, readOnly: true }, find);
  const found = await look();
  if (found !== undefined) return found;
  const madeAt = unixMillisOfId(idOrKey);
  const wallMs = Number(microsOf(service.clock.now()) / 1000n);
  if (madeAt !== undefined && wallMs - madeAt > YOUNG_ID_MS) return undefined;
  const notYet = (): Problem => new Problem(503, 'not_yet_known', `${idOrKey} is not known here yet`, { retryAfterSeconds: 1 });
  const waiting = waiters.get(tenant) ?? 0;
  if (waiting >= WAITERS_PER_TENANT_MAX) throw notYet();
  waiters.set(tenant, waiting + 1);
  try {
    const deadline = performance.now() + WAIT_MAX_MS;
    while (performance.now() < deadline) {
      await new Promise((resolve) => { setTimeout(resolve, LOOK_EVERY_MS); });
      const later = await look();
      if (later !== undefined) return later;
    }
    // It may have come this very moment, so it is looked for once more.
    if (hasArrived !== undefined && await service.database.transaction({ role: 'worker', readOnly: true }, hasArrived)) return await look();
    // What its owner has not published yet is not in the feed either.
    if (madeAt !== undefined || await isBehind(service)) throw notYet();
    return undefined;
  } finally {
    const left = waiters.get(tenant)! - 1;
    if (left === 0) waiters.delete(tenant);
    else waiters.set(tenant, left);
  }
};

/** Whether anything in the feed has not been read by this service's consumers. */
const isBehind = async (service: Service): Promise<boolean> => {
  const partitions = service.reads.topics.filter((topic) => TOPICS[topic].kind === 'facts')
    .flatMap((topic) => Array.from({ length: partitionsOf(topic) }, (_, partition) => ({ topic, partition })));
  const ends = await service.feed.ends(partitions);
  const { rows } = await service.database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ topic: string; partition: number; read: bigint }>(
    // Checkpoints of readers that this release no longer has stand still for ever.
    'SELECT topic, partition, min(next_offset) AS read FROM checkpoints WHERE consumer = ANY($1) GROUP BY topic, partition', [service.readers]));
  const read = new Map(rows.map((row) => [`${row.topic}/${row.partition}`, row.read]));
  return [...ends].some(([name, end]) => end > (read.get(name) ?? 0n));
};
