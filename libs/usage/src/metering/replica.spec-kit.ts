import fc from 'fast-check';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import { Codec, Database, EventStore, type Feed, type FeedRecord, type GroupMember, isTransient, partitionName, Subscription, type TopicPartition } from '@valueverse/event-log';
import { type Bed, NOW } from '../bed.spec-kit';
import { usageShape } from '../usage.context';
import { METERING_CONSUMER, meteringProjector } from './metering.projector';

const PARTITIONS: readonly TopicPartition[] = Array.from({ length: USAGE_PARTITIONS }, (_, partition) => ({ topic: 'usage.events', partition }));

/** What goes wrong at a statement that is counted from the beginning of a round, or at the end of its transaction. */
export type Fault = { readonly kind: 'kill' | 'conflict' | 'bug' | 'unknown key'; readonly at: number } | { readonly kind: 'answer of the commit lost' };

/** Which partitions somebody is given. */
export const SHARES = { all: () => true, even: (partition: number) => partition % 2 === 0, odd: (partition: number) => partition % 2 === 1, low: (partition: number) => partition < USAGE_PARTITIONS / 2 };
export const fault: fc.Arbitrary<Fault | undefined> = fc.oneof(
  { weight: 4, arbitrary: fc.constant(undefined) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('kill' as const, 'conflict' as const, 'bug' as const, 'unknown key' as const), at: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'answer of the commit lost' } as const) });

const dead = (): Error => new Error('killed');
const PLANTED = 'planted:';

/** A process that counts, moved step by step. What it remembers between transactions is its own. */
export class Replica {
  isDead = false;
  readonly errors: unknown[] = [];
  private readonly database: Database;
  private readonly subscription: Subscription;
  private member: GroupMember | undefined;
  private readonly nexts = new Map<string, bigint>();
  private fault: Fault | undefined;
  private statements = 0;

  constructor(private readonly bed: Bed) {
    this.database = new Database({ url: bed.database.url, schema: 'usage', connectionsMax: 8, beforeStatement: (text) => this.before(text) });
    const join: Feed['join'] = (_group, _topics, member) => { this.member = member; return { wake: () => undefined, retake: () => undefined, stop: async () => undefined }; };
    this.subscription = new Subscription({
      group: 'usage', store: new EventStore(this.database, new Codec('usage', usageShape.definitions)), feed: Object.assign(Object.create(bed.feed) as Feed, { join }), consumers: [meteringProjector()],
      jobs: bed.jobs, wallClock: () => NOW, reports: { error: (_, cause) => { this.errors.push(cause); }, alarm: () => undefined },
    });
    this.subscription.start();
  }

  /** Takes partitions over, and believes that those are all that it has; others are read on by whoever had them, until that is found out. */
  async assign(share: (partition: number) => boolean): Promise<void> {
    for (const [name, next] of await this.member!.onAssigned(PARTITIONS.filter(({ partition }) => share(partition)))) this.nexts.set(name, next);
  }
  /** One round over all of its partitions, side by side. Answers how many records there were. */
  async read(given: Fault | undefined): Promise<number> {
    [this.fault, this.statements] = [given, 0];
    try {
      const wanted = PARTITIONS.filter((partition) => this.nexts.has(partitionName(partition)));
      const records = await this.bed.feed.readMany(new Map(wanted.map((partition) => [partitionName(partition), { ...partition, next: this.nexts.get(partitionName(partition))! }])));
      await Promise.all([...Map.groupBy(records, (record: FeedRecord) => partitionName(record))].map(([name, run]) => this.hand(name, run)));
      return records.length;
    } finally {
      this.fault = undefined;
    }
  }
  /** Until there is nothing left for it. */
  async readAll(): Promise<void> { while (await this.read(undefined) > 0); }
  private async hand(name: string, run: readonly FeedRecord[]): Promise<void> {
    const answer = await this.member!.onRecords(run[0]!, run).catch((error: unknown) => {
      // A failure of the moment, or ours where failures are noted, says nothing: the feed offers the run again.
      if (!this.isDead && !isTransient(error) && !(error as Error).message.startsWith(PLANTED)) this.errors.push(error);
      return 'later' as const;
    });
    if (typeof answer === 'object') this.nexts.set(name, answer.next);
    else if (answer !== 'later') this.nexts.delete(name);
  }
  async retryAll(): Promise<void> {
    const { rows } = await this.bed.database.transaction({ role: 'worker' }, (tx) => tx.query<{ tenant: string; stream: string }>('SELECT tenant, stream FROM parked_streams WHERE consumer = $1', [METERING_CONSUMER]));
    for (const { tenant, stream } of rows) await this.subscription.retryParked(METERING_CONSUMER, tenant, stream);
  }
  async end(): Promise<void> {
    await this.subscription.stop();
    await this.database.close();
  }

  private before(text: string): void {
    if (this.isDead) throw dead();
    if (this.fault === undefined) return;
    if (this.fault.kind === 'answer of the commit lost') {
      if (text !== 'AFTER COMMIT') return;
      this.fault = undefined;
      throw Object.assign(new Error('Connection terminated'), { code: 'ECONNRESET' });
    }
    this.statements += 1;
    if (this.statements < this.fault.at) return;
    const { kind } = this.fault;
    this.fault = undefined;
    if (kind === 'kill') { this.isDead = true; throw dead(); }
    throw Object.assign(new Error(`${PLANTED} ${kind}`), kind === 'conflict' ? { code: '40001' } : kind === 'unknown key' ? { code: '23505' } : {});
  }
}
