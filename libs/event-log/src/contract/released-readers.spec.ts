import { describeOnKafka, eventually } from '@valueverse/testing';
import type { Consumer } from '../consume/consumers';
import type { Feed } from '../feed/feed';
import { KafkaFeed } from '../feed/kafka-feed';
import { PostgresFeed } from '../feed/postgres-feed';
import type { Log } from '../log';
import { type Bed, eachOnABed, recorder } from './bed.spec-kit';

// A reader that stopped is released while another one of the same process goes on with the same partition.
const TIMEOUT_MS = 60_000;
const other: Consumer = {
  kind: 'projector', name: 'other', version: 1, topics: ['billing.plans'], events: ['ParcelScanned'],
  project: async (tx, facts) => { for (const { stream, version } of facts) await tx.query(`INSERT INTO effects (consumer, stream, version) VALUES ('other', $1, $2)`, [stream, version]); },
};

const released = (makeFeed: (bed: Bed) => Feed): void => {
  let bed: Bed;
  let log: Log;
  let feed: Feed;
  eachOnABed(makeFeed, (made) => { ({ bed, log, feed } = made); });

  test('it catches up though nothing new is written', async () => {
    const worker = (text: string): Promise<unknown> => log.database.transaction({ role: 'worker' }, (tx) => tx.query(text));
    const handled = (consumer: string, count: number): Promise<unknown> => eventually(`${count} facts of ${consumer}`, async (saw) => {
      const effects = await bed.effects(log, consumer);
      saw({ effects, alarms: bed.alarms, errors: bed.errors });
      return effects.length === count ? true : undefined;
    }, { timeoutMs: TIMEOUT_MS / 2 });
    bed.relay(log, feed).start();
    bed.subscription(log, feed, recorder(), other).start();
    await bed.scan(log, 'a');
    await Promise.all([handled('recorder', 1), handled('other', 1)]);
    // As an alarm of one of them would: the epoch makes its process look again.
    await worker(`UPDATE checkpoints SET halted = 'an operator has to look', epoch = epoch + 1 WHERE consumer = 'recorder@1'`);
    for (let nth = 0; nth < 3; nth++) await bed.scan(log, 'a');
    await handled('other', 4);
    expect(await bed.effects(log)).toHaveLength(1);
    await worker('UPDATE checkpoints SET halted = NULL');
    await Promise.all([handled('recorder', 4), handled('other', 4)]);
    await bed.scan(log, 'a');
    await Promise.all([handled('recorder', 5), handled('other', 5)]);
    expect(bed.alarms).toEqual([]);
  }, TIMEOUT_MS);
};

describe('a released reader on PostgreSQL', () => released((bed) => new PostgresFeed(bed.url, 12)));
describeOnKafka('a released reader on Kafka', (brokers) => released((bed) => new KafkaFeed({ brokers: brokers(), clientId: 'released', namespace: `${bed.group}.` })));
