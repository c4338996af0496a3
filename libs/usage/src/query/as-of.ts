import { earlierOf, type Instant, instantFromMicros, microsBetween, partitionOf } from '@valueverse/kernel';
import { USAGE_PARTITIONS, USAGE_TOPIC } from '@valueverse/contracts';
import { type Database, partitionName, type Feed, type Tx } from '@valueverse/event-log';
import { asideSince } from '../ingest/outbox';
import type { Meter } from '../metering/domain/measure';
import { METERING_CONSUMER } from '../metering/metering.projector';

const PARTITIONS = Array.from({ length: USAGE_PARTITIONS }, (_, partition) => ({ topic: USAGE_TOPIC, partition }) as const);

/** Where the feed ended at an instant of the wall clock. `aside`: partition -> since when accepted envelopes wait for it. */
export interface FeedEnds { readonly at: string; readonly ends: ReadonlyMap<string, bigint>; readonly aside: ReadonlyMap<number, Instant> }

/** Looks that are kept are this far apart, and there are so many of them: the last quarter of a minute. */
const KEPT_EVERY_MICROS = 250_000n;
const KEPT_MAX = 60;

/**
 * Remembers where the feed ended when. A partition that is behind says little about up to when an answer is complete; that it has passed an
 * earlier end of the feed says it exactly.
 */
export class FeedHorizon {
  private kept: FeedEnds[] = [];

  constructor(private readonly database: Database, private readonly feed: Feed, private readonly wallClock: () => string) {}

  /** Looks at the feed now; answers this look and earlier ones, the latest first. To be called before the snapshot that is compared, outside any transaction. */
  async look(): Promise<readonly FeedEnds[]> {
    const at = this.wallClock();
    const now = { at, ends: await this.feed.ends(PARTITIONS), aside: await this.aside() };
    const looks = [now, ...this.kept];
    const last = this.kept[0];
    if (last === undefined || microsBetween(last.at, at) >= KEPT_EVERY_MICROS) this.kept = looks.slice(0, KEPT_MAX);
    return looks;
  }

  private aside(): Promise<ReadonlyMap<number, Instant>> | ReadonlyMap<number, Instant> {
    return this.feed.appendAll === undefined ? this.database.transaction({ role: 'worker', readOnly: true }, asideSince) : NONE;
  }
}

/** The partitions that hold the usage of these subjects; all of them where none is named. */
export const partitionsFor = (tenant: string, subjects: readonly string[] | undefined): readonly number[] =>
  (subjects === undefined ? PARTITIONS.map(({ partition }) => partition) : [...new Set(subjects.map((subject) => partitionOf(tenant, subject, USAGE_PARTITIONS)))]);

/** An instant up to which everything is counted, as far as nothing of these partitions is set aside since: that is accepted, and in no end of the feed. */
export const beforeAside = (looks: readonly FeedEnds[], partitions: readonly number[], counted: Instant): Instant =>
  partitions.map((partition) => looks[0]?.aside.get(partition)).reduce<Instant>((until, since) => (since === undefined ? until : earlierOf(until, since)), counted);

const NONE: ReadonlyMap<number, Instant> = new Map();

interface Row { partition: number; log_time: bigint; next_offset: bigint | null; follows: boolean | null }

const hasPassed = ({ ends }: FeedEnds, rows: readonly Row[]): boolean =>
  rows.every(({ partition, next_offset: next }) => (next ?? 0n) >= (ends.get(partitionName({ topic: USAGE_TOPIC, partition })) ?? 0n));

/**
 * The instant up to which everything that was accepted is in an answer about a meter from this snapshot: of the latest look at the feed that metering has
 * passed, or else the log time of the partition that is furthest behind. `subjects` narrows it to their partitions. 1970 for a meter that is still being back-filled.
 */
export const asOfIn = async (tx: Tx, tenant: string, meter: Pick<Meter, 'meterKey' | 'versions'>, looks: readonly FeedEnds[], subjects?: readonly string[]): Promise<string> => {
  const wanted = new Set(partitionsFor(tenant, subjects));
  const found = await tx.query<Row>(
    `SELECT p.partition, p.log_time, c.next_offset, m.follows FROM usage_partitions p
     LEFT JOIN checkpoints c ON c.consumer = $1 AND c.topic = $2 AND c.partition = p.partition
     LEFT JOIN (SELECT partition, bool_and(position IS NULL) AND count(*) = $5 AS follows FROM usage_meter_progress WHERE tenant = $3 AND meter = $4 GROUP BY partition) m ON m.partition = p.partition`,
    [METERING_CONSUMER, USAGE_TOPIC, tenant, meter.meterKey, meter.versions.length]);
  const rows = found.rows.filter(({ partition }) => wanted.has(partition));
  if (!rows.every(({ follows }) => follows)) return instantFromMicros(0);
  const passed = looks.find((look) => hasPassed(look, rows));
  const counted = passed?.at ?? instantFromMicros(Math.min(...rows.map((row) => Number(row.log_time))));
  return beforeAside(looks, rows.map(({ partition }) => partition), counted);
};
