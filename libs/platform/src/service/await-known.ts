import { setTimeout as pause } from 'node:timers/promises';
import { partitionsOf, TOPICS, type ServiceName } from '@valueverse/contracts';
import type { Tx } from '@valueverse/event-log';
import { Problem } from '../problem/problem';
import type { Service } from './service';

const WAIT_MAX_MS = 2_000;
const LOOK_EVERY_MS = 20;
/** Waiters of one tenant: what one does must not be felt by another. */
const WAITERS_PER_TENANT_MAX = 20;
const waiters = new Map<string, number>();

/**
 * Finds what another context made, waiting while the news of it may still be on its way: 2 s at most, holding no connection. `undefined` when it is not
 * there: its owner has published everything that it had when this was asked, and this service has read it. Refuses with 503 `not_yet_known` while that
 * cannot be said, and when too many requests of the tenant wait already.
 */
export const awaitKnown = async <T>(service: Service, owner: ServiceName, tenant: string, idOrKey: string, find: (tx: Tx) => Promise<T | undefined>): Promise<T | undefined> => {
  const look = (): Promise<T | undefined> => service.database.transaction({ role: 'api', tenant, readOnly: true }, find);
  const found = await look();
  if (found !== undefined) return found;
  const notYet = (): Problem => new Problem(503, 'not_yet_known', `${idOrKey} is not known here yet`, { retryAfterSeconds: 1 });
  const waiting = waiters.get(tenant) ?? 0;
  if (waiting >= WAITERS_PER_TENANT_MAX) throw notYet();
  waiters.set(tenant, waiting + 1);
  try {
    const deadline = performance.now() + WAIT_MAX_MS;
    const proof = hasReadAll(service, owner, deadline).catch(() => false);
    for (;;) {
      const proven = await Promise.race([proof, pause(LOOK_EVERY_MS, 'open' as const)]);
      const later = await look();
      if (later !== undefined) return later;
      if (proven === true) return undefined;
      if (proven === false || performance.now() >= deadline) throw notYet();
    }
  } finally {
    const left = waiters.get(tenant)! - 1;
    if (left === 0) waiters.delete(tenant);
    else waiters.set(tenant, left);
  }
};

/** Whether everything that the owner had committed by now is in the feed, and this service's consumers have read up to where the feed then ended. */
const hasReadAll = async (service: Service, owner: ServiceName, deadline: number): Promise<boolean> => {
  if (!(await service.hasPublished(owner))) return false;
  const partitions = service.reads.topics.filter((topic) => TOPICS[topic].kind === 'facts' && TOPICS[topic].owner === owner)
    .flatMap((topic) => Array.from({ length: partitionsOf(topic) }, (_, partition) => ({ topic, partition })));
  const ends = await service.feed.ends(partitions);
  while (performance.now() < deadline) {
    const { rows } = await service.database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ topic: string; partition: number; read: bigint }>(
      // Checkpoints of readers that this release no longer has stand still for ever.
      'SELECT topic, partition, min(next_offset) AS read FROM checkpoints WHERE consumer = ANY($1) GROUP BY topic, partition', [service.readers]));
    const read = new Map(rows.map((row) => [`${row.topic}/${row.partition}`, row.read]));
    if ([...ends].every(([name, end]) => end <= (read.get(name) ?? 0n))) return true;
    await pause(LOOK_EVERY_MS);
  }
  return false;
};
