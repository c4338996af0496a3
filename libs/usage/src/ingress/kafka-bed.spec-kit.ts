import { randomBytes } from 'node:crypto';
import { Kafka, logLevel, type Consumer, type IHeaders, type Message, type Producer } from 'kafkajs';
import { eventually } from '@valueverse/testing';
import { digestKeyOf, digestOf, newKeyText } from '@valueverse/auth';
import { IDENTITY_EVENTS, USAGE_PARTITIONS, type CredentialIssued } from '@valueverse/contracts';
import { Codec, KafkaFeed, recordOf, type Feed } from '@valueverse/event-log';
import { HostBed, MASTER_KEY } from '../host-bed.spec-kit';
import type { UsageEvent } from '../ingest/domain/usage-event';
import { envelopeIn, type KeptBody } from '../metering/body';
import { ingressBehind, ingressEnds } from './behind';

export interface Rejection { readonly code: string | undefined; readonly value: string | null; readonly headers: Readonly<Record<string, string>>; readonly partition: number }
const NOW = '2026-01-01T00:00:00Z';
const textsOf = (headers: IHeaders = {}): Record<string, string> => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));

/** The usage service on a real Kafka, a client that writes to it, and a reader of what was rejected. */
export class KafkaBed {
  readonly rejected: Rejection[] = [];
  readonly namespace = `ingress${randomBytes(4).toString('hex')}.`;
  readonly kafka: Kafka;
  host!: HostBed;
  producer!: Producer;
  private reader!: Consumer;
  private facts = 0n;

  private constructor(readonly brokers: readonly string[]) { this.kafka = new Kafka({ clientId: 'a client', brokers: [...brokers], logLevel: logLevel.NOTHING }); }

  static async make(brokers: readonly string[], wrap: (feed: KafkaFeed) => Feed = (feed) => feed): Promise<KafkaBed> {
    const bed = new KafkaBed(brokers);
    bed.host = await HostBed.make(() => wrap(bed.newFeed()));
    // Then the broker has a coordinator for groups, which a client of kafkajs does not wait for.
    await eventually('the service to read', () => (bed.host.service.reads.isAssigned ? true : undefined), { timeoutMs: 60_000 });
    bed.producer = bed.kafka.producer({ allowAutoTopicCreation: false });
    await bed.producer.connect();
    bed.reader = bed.kafka.consumer({ groupId: `${bed.namespace}spec`, maxWaitTimeInMs: 50 });
    await bed.reader.connect();
    await bed.reader.subscribe({ topics: [`${bed.namespace}usage.ingress.rejected`], fromBeginning: true });
    await bed.reader.run({ autoCommit: false, eachMessage: async ({ message, partition }) => {
      const headers = textsOf(message.headers);
      bed.rejected.push({ code: headers['vv_code'], value: message.value === null ? null : message.value.toString('latin1'), headers, partition });
    } });
    return bed;
  }
  newFeed(): KafkaFeed { return new KafkaFeed({ brokers: this.brokers, clientId: 'usage', namespace: this.namespace }); }

  send(messages: readonly Message[], producer: Pick<Producer, 'send'> = this.producer): Promise<unknown> { return producer.send({ topic: `${this.namespace}usage.ingress`, acks: -1, messages: [...messages] }); }

  /** Until everything that was sent is in `usage.events` or rejected, and metering has counted it. */
  async arrived(): Promise<void> {
    const ends = await ingressEnds(this.host.feed);
    await eventually('everything on usage.ingress to arrive', async (saw) => {
      const behind = await this.host.service.database.transaction({ role: 'worker' }, (tx) => ingressBehind(tx, { ends, aside: 0n }));
      saw(behind);
      return behind.unread === undefined && behind.waiting.size === 0 ? true : undefined;
    }, { timeoutMs: 30_000 });
    const partitions = Array.from({ length: USAGE_PARTITIONS }, (_, partition) => ({ topic: 'usage.events' as const, partition }));
    const events = await this.host.feed.ends(partitions);
    await eventually('metering to have counted it', async () => {
      const { rows } = await this.host.service.database.transaction({ role: 'worker' }, (tx) => tx.query<{ partition: number; next_offset: bigint }>(`SELECT partition, next_offset FROM checkpoints WHERE consumer = 'metering@1'`));
      const read = new Map(rows.map((row) => [`usage.events/${row.partition}`, row.next_offset]));
      return [...events].every(([name, end]) => (read.get(name) ?? 0n) >= end) ? true : undefined;
    }, { timeoutMs: 30_000 });
  }
  /** The ids of the events of a tenant that count, in order, and how many duplicates and conflicts were found. */
  async known(tenant: string): Promise<{ ids: string[]; clashes: number }> {
    const { rowCount } = await this.host.service.database.transaction({ role: 'worker' }, (tx) => tx.query('SELECT FROM usage_exceptions WHERE tenant = $1', [tenant]));
    return { ids: (await this.events(tenant)).map(({ id }) => id).sort(), clashes: rowCount ?? 0 };
  }
  /** The events of a tenant that count as they are kept, in the order of each subject. */
  async events(tenant: string): Promise<UsageEvent[]> {
    const { rows } = await this.host.service.database.transaction({ role: 'worker' }, (tx) => tx.query<KeptBody & { not_counted: number[] }>('SELECT body, packed, not_counted FROM usage_envelopes WHERE tenant = $1 ORDER BY partition, position', [tenant]));
    return rows.flatMap(({ not_counted: out, ...kept }) => envelopeIn(kept)!.events.filter((_, nth) => !out.includes(nth)));
  }
  rejection(matches: (one: Rejection) => boolean): Promise<Rejection> {
    return eventually('a rejection', (saw) => { saw(this.rejected); return this.rejected.find(matches); });
  }

  /** Publishes a credential as identity would; answers its key. */
  async issue(organizationId: string): Promise<string> {
    const { text, prefix } = newKeyText('test', 'ingest');
    const keyId = `key_${prefix.slice(-8)}`;
    const issued: CredentialIssued = { type: 'CredentialIssued', keyId, organizationId, environment: 'test', kind: 'ingest', name: 'a key', prefix, digest: digestOf(digestKeyOf(MASTER_KEY), text), scopes: ['usage:write'], issuedAt: NOW };
    const fact = new Codec('billing', [...IDENTITY_EVENTS]).encode(issued, `key-${keyId}`, 1, { tenant: 'platform', at: NOW, actor: 'test' }, NOW);
    this.facts += 1n;
    await this.host.feed.append('identity.credentials', fact.partition, [recordOf({ ...fact, position: this.facts }, 0n)]);
    return text;
  }
  async close(): Promise<void> {
    await Promise.all([this.producer.disconnect(), this.reader.disconnect()]);
    await this.host.close();
  }
}
