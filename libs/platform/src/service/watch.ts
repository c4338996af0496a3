import type { Relay } from '@valueverse/event-log';
import type { HealthRegistry } from '../health/registry';
import type { Metrics } from '../metrics/metrics';
import type { Service } from './service';

/** Makes a service visible: readiness by its database, its feed and its halted readers; gauges of the log. */
export const watchService = ({ service, relay, health, metrics }: { service: Service; relay: Relay; health: HealthRegistry; metrics: Metrics }): void => {
  const { name, database, feed } = service;
  health.register(`${name} database`, async () => {
    if (!(await database.isReachable())) throw new Error('the database does not answer');
  });
  health.register(`${name} log`, async () => {
    if (!(await feed.isReachable())) throw new Error('the feed does not answer');
    const { halted } = relay.status();
    if (halted !== undefined) throw new Error(`the relay stopped: ${halted}`);
    const stopped = await haltedReaders(service);
    if (stopped.length > 0) throw new Error(stopped.join('; '));
  });
  const behind = metrics.gauge({ subsystem: 'log', what: 'relay_behind', help: 'Facts in the store that are not in the feed yet', labels: ['service'] });
  const parked = metrics.gauge({ subsystem: 'log', what: 'parked_streams', help: 'Streams that a consumer could not handle', labels: ['service'] });
  const open = metrics.gauge({ subsystem: 'jobs', what: 'waiting', help: 'Jobs that are not done', labels: ['service'] });
  metrics.beforeScrape(async () => {
    behind.set({ service: name }, Number(relay.status().behind));
    const { rows } = await database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ parked: bigint; jobs: bigint }>(
      'SELECT (SELECT count(*) FROM parked_streams) AS parked, (SELECT count(*) FROM jobs) AS jobs'));
    parked.set({ service: name }, Number(rows[0]!.parked));
    open.set({ service: name }, Number(rows[0]!.jobs));
  });
};

const haltedReaders = async (service: Service): Promise<string[]> => {
  const { rows } = await service.database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ consumer: string; topic: string; partition: number; halted: string }>(
    'SELECT consumer, topic, partition, halted FROM checkpoints WHERE halted IS NOT NULL AND consumer = ANY($1) ORDER BY 1, 2, 3 LIMIT 10', [service.readers]));
  return rows.map(({ consumer, topic, partition, halted }) => `${consumer} stopped at ${topic}/${partition}: ${halted}`);
};
