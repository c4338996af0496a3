import type { Topic } from '@valueverse/contracts';

/** A record as it is given to the feed. */
export interface NewRecord {
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
  /** For facts: the position in the store, and that of the record before it in the same topic partition (0 for the first). */
  readonly position?: bigint;
  readonly previous?: bigint;
  /** The value, where it may be no text; null is none at all. */
  readonly bytes?: Buffer | null;
}

/** What a client wrote, as the broker keeps it. */
export interface ClientRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Each value that a header was written with. */
  readonly headers: Readonly<Record<string, readonly Buffer[]>>;
  /** When it was written, by the clock of the client or of the broker, in milliseconds since 1970. */
  readonly timestampMs: number;
}

/** A record as it is read. Offsets of a topic partition count up from 0. */
export interface FeedRecord extends NewRecord {
  readonly topic: Topic;
  readonly partition: number;
  readonly offset: bigint;
  /** Of a topic that clients write. The key names the record, value and headers are empty then: nothing of it is kept or told before somebody has looked, because it may hold a credential. */
  readonly client?: ClientRecord;
}

export interface TopicPartition { readonly topic: Topic; readonly partition: number }
export const partitionName = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;

/**
 * What became of a run of records: the offset to go on from; `reassign` when the partition is no longer the reader's; `later` when something
 * that it depends on has not come yet, and it is to be offered again soon; `halt` when nobody reads it any more.
 */
export type Delivery = { readonly next: bigint } | 'reassign' | 'later' | 'halt';
/** How long a run that has to wait is left alone. */
export const LATER_MS = 25;

/** Told by the feed to a member of a group. Assignment is only a proposal: the epochs in the reader's own database decide. */
export interface GroupMember {
  /** The partitions that are proposed now; answers from which offset each is to be read. A partition that is left out is not read. */
  onAssigned(partitions: readonly TopicPartition[]): Promise<Map<string, bigint>>;
  /** A run of records of one partition, in order. See `Delivery`. */
  onRecords(partition: TopicPartition, records: readonly FeedRecord[]): Promise<Delivery>;
  /** The feed no longer holds the record that comes next. */
  onMissing(partition: TopicPartition, wanted: bigint, first: bigint): Promise<void>;
  /** Nothing for a reader stands between these offsets of a topic that clients write: marks of their transactions, and what these took back. */
  onPassed(partition: TopicPartition, from: bigint, next: bigint): Promise<void>;
  onError(error: unknown): void;
}
export interface GroupMembership {
  /** Looks again at once, because something was written in this process. */
  wake(): void;
  /** Asks again where to read a partition that was given up with `halt`, if it is still this member's. */
  retake(partition: TopicPartition): void;
  stop(): Promise<void>;
}

/**
 * The log that everybody else reads. Two adapters, PostgreSQL and Kafka, under one contract suite: records of a topic partition are
 * kept in the order of their appends, an append that was answered is durable, and a record may come twice but never out of order.
 */
export interface Feed {
  readonly kind: 'postgres' | 'kafka';
  /** Makes what is missing; refuses to start when a topic has another number of partitions, or may lose facts. */
  ensureTopics(): Promise<void>;
  /** What is wrong with the topics that are there: settings that could lose records, partitions without enough copies. */
  faults(): Promise<readonly string[]>;
  /**
   * Appends to one topic partition. One append is under way per partition at any time; a deadline stands around it.
   * A repetition of what was appended is dropped (PostgreSQL), or comes twice and is dropped by its readers (Kafka).
   * Throws `FeedGap` when the predecessor of the first record is not the last one of the partition.
   */
  append(topic: Topic, partition: number, records: readonly NewRecord[]): Promise<void>;
  /** The same for several partitions of a topic, all or nothing; only on a feed where that costs about as much as one append, and not of a topic of keys. */
  appendAll?(topic: Topic, byPartition: ReadonlyMap<number, readonly NewRecord[]>): Promise<void>;
  /**
   * Drops the first records of partitions of a topic that is transport, below an offset each and appended so long ago, some at a time; answers how many went. Only on a feed that does not
   * do so by itself.
   */
  forget?(topic: Topic, below: ReadonlyMap<number, bigint>, olderThanMs: number): Promise<number>;
  /** The offset that the next record of each partition will get. */
  ends(partitions: readonly TopicPartition[]): Promise<Map<string, bigint>>;
  /** Reads without a group, from an offset; used by rebuilds and checks. */
  read(partition: TopicPartition, from: bigint, limit: number): Promise<FeedRecord[]>;
  join(group: string, topics: readonly Topic[], member: GroupMember): GroupMembership;
  isReachable(): Promise<boolean>;
  close(): Promise<void>;
}

/** A record would follow one that the feed does not have. The relay stops and alarms. */
export class FeedGap extends Error {
  readonly code = 'feed_gap';
}
/** The feed did not answer in time. What was sent may or may not be there; the sender sends it again. */
export class FeedTimeout extends Error {
  readonly code = 'feed_timeout';
}
/** The brokers did not take records at this moment: too few copies are in sync, or no leader is there. They are sent again. */
export class NotTaken extends FeedTimeout {}
/** The client says that all went well, and nobody said that the records are there. They are sent again. */
export class NotAcknowledged extends FeedTimeout {}
