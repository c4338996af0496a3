import type { Clock, IdSource } from '@valueverse/kernel';
import type { Authenticator } from '@valueverse/auth';
import { consumerName, NotYetKnown, type FeedRecord, type RecordProjector, type Tx } from '@valueverse/event-log';
import { outboxEnvelopes, type OutboxRecord, type UsageOutbox } from '../ingest/outbox';
import type { UsageMeter } from '../usage-meter';
import { Callers } from './callers';
import { planRecords } from './plan-records';

interface IngressDeps {
  readonly authenticator: Authenticator;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly outbox: UsageOutbox;
  readonly meter: UsageMeter;
}

/** Where a run of records of a partition of `usage.ingress` comes from, as the outbox notes it. */
export const ingressOrigin = (partition: number): string => `usage.ingress/${partition}`;

/**
 * Takes in what clients write to `usage.ingress`: the envelopes of a run of records, and what is said of those that cannot be read, are in the outbox in
 * the transaction of the checkpoint. So a run that comes again is no duplicate.
 */
export const ingressProjector = ({ authenticator, clock, ids, outbox, meter }: IngressDeps): RecordProjector => {
  const callers = new Callers(authenticator);
  const takeIn = async (tx: Tx, partition: number, records: readonly FeedRecord[]): Promise<void> => {
    const plan = planRecords(records, (record) => callers.of(record), clock.now());
    const rejected = plan.rejected.map((record): OutboxRecord => ({ tenant: '', topic: 'usage.ingress.rejected', partition, record }));
    await outbox.put(tx, { name: ingressOrigin(partition), firstOffset: records[0]!.offset }, [...outboxEnvelopes(plan.parcels, ids), ...rejected]);
    tx.afterCommit(() => meter.ingested(plan.accepted, plan.refused));
  };
  return {
    kind: 'records', name: 'ingress', version: 1, topics: ['usage.ingress'],
    prepare: async (records) => {
      if (await outbox.isFull()) throw new NotYetKnown('the feed is slower than what comes in: envelopes wait to be appended');
      await callers.look(records);
    },
    project: async (tx, records) => {
      for (const partition of new Set(records.map((record) => record.partition))) await takeIn(tx, partition, records.filter((record) => record.partition === partition));
    },
  };
};
export const INGRESS_CONSUMER = consumerName({ kind: 'records', name: 'ingress', version: 1, topics: [], project: async () => undefined });
