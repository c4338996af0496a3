import { partitionsOf, USAGE_TOPIC } from '@valueverse/contracts';
import type { Feed, Tx } from '@valueverse/event-log';
import { asideBefore, asideEnd } from '../ingest/outbox';
import { INGRESS_CONSUMER, ingressOrigin } from './ingress.projector';

const TOPIC = 'usage.ingress';

/** Where `usage.ingress` ends now, by partition: what clients have written before. Empty where clients cannot write. */
export const ingressEnds = async (feed: Feed): Promise<ReadonlyMap<number, bigint>> => {
  if (feed.kind !== 'kafka') return new Map();
  const partitions = Array.from({ length: partitionsOf(TOPIC) }, (_, partition) => ({ topic: TOPIC, partition }) as const);
  const ends = await feed.ends(partitions);
  return new Map(partitions.map(({ partition }) => [partition, ends.get(`${TOPIC}/${partition}`) ?? 0n]));
};

/** What was accepted and is not in `usage.events` yet: up to where clients have written to `usage.ingress`, and up to where envelopes were set aside. */
export interface AcceptedElsewhere { readonly ends: ReadonlyMap<number, bigint>; readonly aside: bigint }

/** Where that ends now. A feed without partitions that fail alone has none of it. */
export const acceptedElsewhere = async (tx: Tx, feed: Feed): Promise<AcceptedElsewhere> => ({ ends: await ingressEnds(feed), aside: feed.appendAll === undefined ? await asideEnd(tx) : 0n });

/** What is missing until what was on `usage.ingress` before some ends is in `usage.events`: records that are not read, or envelopes that wait, by the partition of `usage.events` that they go to. */
export interface IngressBehind { readonly unread: string | undefined; readonly waiting: ReadonlyMap<number, string> }

/**
 * What is missing until everything that was on `usage.ingress` before these ends is in `usage.events`, or has been rejected, and all that had been set aside. A transaction of a client that is open counts as written: it is waited for
 * until it ends.
 */
export const ingressBehind = async (tx: Tx, { ends, aside }: AcceptedElsewhere): Promise<IngressBehind> => {
  const wanted = [...ends].filter(([, end]) => end > 0n);
  const waiting = new Map(aside === 0n ? [] : (await asideBefore(tx, aside)).map((partition) => [partition, `envelopes that were set aside are not in ${USAGE_TOPIC}/${partition} yet`]));
  if (wanted.length === 0) return { unread: undefined, waiting };
  const { rows: checkpoints } = await tx.query<{ partition: number; next_offset: bigint }>('SELECT partition, next_offset FROM checkpoints WHERE consumer = $1 AND topic = $2', [INGRESS_CONSUMER, TOPIC]);
  const read = new Map(checkpoints.map(({ partition, next_offset: next }) => [partition, next]));
  for (const [partition, end] of wanted) if ((read.get(partition) ?? 0n) < end) return { waiting, unread: `${TOPIC}/${partition} is read up to ${read.get(partition) ?? 0n} of ${end}` };
  const { rows } = await tx.query<{ partition: number; origin: string; first_offset: bigint }>(
    `SELECT o.partition, o.origin, min(o.first_offset) AS first_offset FROM unnest($1::text[], $2::bigint[]) w(origin, ending)
     JOIN usage_outbox o ON o.origin = w.origin AND o.first_offset < w.ending WHERE o.topic = $3 GROUP BY 1, 2 ORDER BY 1, 2`,
    [wanted.map(([partition]) => ingressOrigin(partition)), wanted.map(([, end]) => end), USAGE_TOPIC]);
  for (const row of rows) waiting.set(row.partition, `envelopes of ${row.origin} from offset ${row.first_offset} on are not in ${USAGE_TOPIC}/${row.partition} yet`);
  return { unread: undefined, waiting };
};

/** What of it concerns the subjects of these partitions of `usage.events`; undefined when nothing does. */
export const behindFor = ({ unread, waiting }: IngressBehind, partitions: Iterable<number>): string | undefined => {
  if (unread !== undefined) return unread;
  for (const partition of partitions) { const reason = waiting.get(partition); if (reason !== undefined) return reason; }
  return undefined;
};
