import { microsBetween } from '@valueverse/kernel';
import type { Topic } from '@valueverse/contracts';
import { partitionName, type Tx } from '@valueverse/event-log';
import type { Metrics } from '../metrics/metrics';
import type { Service } from './service';

const MICROS = 1e6;
const secondsBetween = (from: string, to: string): number => Math.max(0, Number(microsBetween(from, to)) / MICROS);

interface Reader { consumer: string; topic: Topic; partition: number; next_offset: bigint; halted: boolean }

const readNow = async (tx: Tx, readers: readonly string[], now: string) => ({
  relay: (await tx.query<{ facts: bigint; oldest: string | null }>(
    `SELECT coalesce(sum(h.position - r.position), 0)::bigint AS facts, min(substring(e.body from '"recordedtime":"([^"]+)"')) AS oldest
     FROM heads h JOIN relay_partitions r USING (partition)
     LEFT JOIN LATERAL (SELECT body FROM events e WHERE e.partition = r.partition AND e.position > r.position ORDER BY e.position LIMIT 1) e ON true`)).rows[0]!,
  parked: (await tx.query<{ consumer: string; streams: bigint }>('SELECT consumer, count(*) AS streams FROM parked_streams GROUP BY consumer')).rows,
  readers: (await tx.query<Reader>('SELECT consumer, topic, partition, next_offset, halted IS NOT NULL AS halted FROM checkpoints WHERE consumer = ANY($1)', [readers])).rows,
  jobs: (await tx.query<{ open: bigint; failing: bigint; overdue: number | null }>(
    `SELECT count(*) AS open, count(*) FILTER (WHERE attempt > 1 OR (attempt = 1 AND locked_by IS NULL)) AS failing, extract(epoch FROM $1::timestamptz - min(due_at) FILTER (WHERE clock IS NULL AND due_at <= $1))::float8 AS overdue FROM jobs`, [now])).rows[0]!,
});

/** What a service's log and jobs look like at the moment of a scrape: asked of its database and its feed, so every replica says the same. */
export const watchLog = (service: Service, metrics: Metrics): void => {
  const { name } = service;
  const behind = metrics.gauge({ subsystem: 'log', what: 'relay_behind', help: 'Facts in the store that are not in the feed yet', labels: ['service'] });
  const age = metrics.gauge({ subsystem: 'log', what: 'relay_age', unit: 'seconds', help: 'For how long the oldest fact that is not in the feed yet has waited', labels: ['service'] });
  const parked = metrics.gauge({ subsystem: 'log', what: 'parked_streams', help: 'Streams that a consumer could not handle and has set aside', labels: ['service', 'consumer'] });
  const unread = metrics.gauge({ subsystem: 'log', what: 'consumer_behind', help: 'Records of a topic that a consumer has not handled yet', labels: ['service', 'consumer', 'topic'] });
  const halted = metrics.gauge({ subsystem: 'log', what: 'halted_partitions', help: 'Partitions at which a consumer has stopped for good; somebody has to look', labels: ['service', 'consumer'] });
  const open = metrics.gauge({ subsystem: 'jobs', what: 'waiting', help: 'Jobs that are not done', labels: ['service'] });
  const failing = metrics.gauge({ subsystem: 'jobs', what: 'failing', help: 'Jobs that have failed at least once and are not done', labels: ['service'] });
  const overdue = metrics.gauge({ subsystem: 'jobs', what: 'overdue', unit: 'seconds', help: 'For how long the oldest job of the wall clock that is due has waited', labels: ['service'] });
  metrics.beforeScrape(async () => {
    const now = service.clock.now();
    const found = await service.database.transaction({ role: 'worker', readOnly: true }, (tx) => readNow(tx, service.readers, now));
    behind.set({ service: name }, Number(found.relay.facts));
    age.set({ service: name }, found.relay.oldest === null ? 0 : secondsBetween(found.relay.oldest, now));
    open.set({ service: name }, Number(found.jobs.open));
    failing.set({ service: name }, Number(found.jobs.failing));
    overdue.set({ service: name }, found.jobs.overdue ?? 0);
    for (const consumer of service.readers) {
      parked.set({ service: name, consumer }, Number(found.parked.find((row) => row.consumer === consumer)?.streams ?? 0));
      halted.set({ service: name, consumer }, found.readers.filter((row) => row.consumer === consumer && row.halted).length);
    }
    const ends = await service.feed.ends(found.readers);
    const sums = new Map<string, { consumer: string; topic: Topic; records: bigint }>();
    for (const { consumer, topic, partition, next_offset: next } of found.readers) {
      const key = `${consumer} ${topic}`;
      const left = (ends.get(partitionName({ topic, partition })) ?? next) - next;
      sums.set(key, { consumer, topic, records: (sums.get(key)?.records ?? 0n) + (left > 0n ? left : 0n) });
    }
    for (const { consumer, topic, records } of sums.values()) unread.set({ service: name, consumer, topic }, Number(records));
  });
};
