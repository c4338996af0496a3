import { partitionsOf, USAGE_TOPIC } from '@valueverse/contracts';
import type { Feed, Tx } from '@valueverse/event-log';
import { INGRESS_CONSUMER, ingressOrigin } from './ingress.projector';

const TOPIC = 'usage.ingress';

/** Where `usage.ingress` ends now, by partition: what clients have written before. Empty where clients cannot write. */
export const ingressEnds = async (feed: Feed): Promise<ReadonlyMap<number, bigint>> => {
  if (feed.kind !== 'kafka') return new Map();
  const partitions = Array.from({ length: partitionsOf(TOPIC) }, (_, partition) => ({ topic: TOPIC, partition }) as const);
  const ends = await feed.ends(partitions);
  return new Map(partitions.map(({ partition }) => [partition, ends.get(`${TOPIC}/${partition}`) ?? 0n]));
};

/** What is missing until what was on `usage.ingress` before some ends is in `usage.events`: records that are not read, or envelopes that wait, by the partition of `usage.events` that they go to. */
export interface IngressBehind { readonly unread: string | undefined; readonly waiting: ReadonlyMap<number, string> }
const NOTHING_BEHIND: IngressBehind = { unread: undefined, waiting: new Map() };

/**
 * What is missing until everything that was on `usage.ingress` before these ends is in `usage.events`, or has been rejected. A transaction of a client that is open counts as written: it is waited for
 * until it ends.
 */
export const ingressBehind = async (tx: Tx, ends: ReadonlyMap<number, bigint>): Promise<IngressBehind> => {
  const wanted = [...ends].filter(([, end]) => end > 0n);
  if (wanted.length === 0) return NOTHING_BEHIND;
  const { rows: checkpoints } = await tx.query<{ partition: number; next_offset: bigint }>('SELECT partition, next_offset FROM checkpoints WHERE consumer = $1 AND topic = $2', [INGRESS_CONSUMER, TOPIC]);
  const read = new Map(checkpoints.map(({ partition, next_offset: next }) => [partition, next]));
  for (const [partition, end] of wanted) if ((read.get(partition) ?? 0n) < end) return { ...NOTHING_BEHIND, unread: `${TOPIC}/${partition} is read up to ${read.get(partition) ?? 0n} of ${end}` };
  const { rows } = await tx.query<{ partition: number; origin: string; first_offset: bigint }>(
    `SELECT o.partition, o.origin, min(o.first_offset) AS first_offset FROM unnest($1::text[], $2::bigint[]) w(origin, ending)
     JOIN usage_outbox o ON o.origin = w.origin AND o.first_offset < w.ending WHERE o.topic = $3 GROUP BY 1, 2 ORDER BY 1, 2`,
    [wanted.map(([partition]) => ingressOrigin(partition)), wanted.map(([, end]) => end), USAGE_TOPIC]);
  return { unread: undefined, waiting: new Map(rows.map((row) => [row.partition, `envelopes of ${row.origin} from offset ${row.first_offset} on are not in ${USAGE_TOPIC}/${row.partition} yet`])) };
};

/** What of it concerns the subjects of these partitions of `usage.events`; undefined when nothing does. */
export const behindFor = ({ unread, waiting }: IngressBehind, partitions: Iterable<number>): string | undefined => {
  if (unread !== undefined) return unread;
  for (const partition of partitions) { const reason = waiting.get(partition); if (reason !== undefined) return reason; }
  return undefined;
};
