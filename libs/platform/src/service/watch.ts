import type { Relay } from '@valueverse/event-log';
import type { HealthRegistry } from '../health/registry';
import type { Service } from './service';

/** Makes a service visible: readiness by its database, its feed and its relay. Readers that stopped are noted; whoever is not waiting for them can be served. */
export const watchService = ({ service, relay, health }: { service: Service; relay: Relay; health: HealthRegistry }): void => {
  const { name, database, feed } = service;
  health.register(`${name} database`, async () => {
    if (!(await database.isReachable())) throw new Error('the database does not answer');
  });
  health.register(`${name} log`, async () => {
    if (!(await feed.isReachable())) throw new Error('the feed does not answer');
    const { halted } = relay.status();
    if (halted !== undefined) throw new Error(`the relay stopped: ${halted}`);
    const stopped = await haltedReaders(service);
    return stopped.length > 0 ? stopped.join('; ') : undefined;
  });
};

const haltedReaders = async (service: Service): Promise<string[]> => {
  const { rows } = await service.database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ consumer: string; topic: string; partition: number; halted: string }>(
    'SELECT consumer, topic, partition, halted FROM checkpoints WHERE halted IS NOT NULL AND consumer = ANY($1) ORDER BY 1, 2, 3 LIMIT 10', [service.readers]));
  return rows.map(({ consumer, topic, partition, halted }) => `${consumer} stopped at ${topic}/${partition}: ${halted}`);
};
