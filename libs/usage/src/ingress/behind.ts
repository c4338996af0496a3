import { partitionsOf } from '@valueverse/contracts';
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

/**
 * What is missing until everything that was on `usage.ingress` before these ends is in `usage.events`, or has been rejected; undefined when nothing is. A
 * transaction of a client that is open counts as written: it is waited for until it ends.
 */
export const ingressBehind = async (tx: Tx, ends: ReadonlyMap<number, bigint>): Promise<string | undefined> => {
  const wanted = [...ends].filter(([, end]) => end > 0n);
  if (wanted.length === 0) return undefined;
  const { rows: checkpoints } = await tx.query<{ partition: number; next_offset: bigint }>('SELECT partition, next_offset FROM checkpoints WHERE consumer = $1 AND topic = $2', [INGRESS_CONSUMER, TOPIC]);
  const read = new Map(checkpoints.map(({ partition, next_offset: next }) => [partition, next]));
  for (const [partition, end] of wanted) if ((read.get(partition) ?? 0n) < end) return `${TOPIC}/${partition} is read up to ${read.get(partition) ?? 0n} of ${end}`;
  const { rows: waiting } = await tx.query<{ origin: string; first_offset: bigint }>('SELECT origin, min(first_offset) AS first_offset FROM usage_outbox WHERE origin = ANY($1) GROUP BY origin', [wanted.map(([partition]) => ingressOrigin(partition))]);
  const late = waiting.find(({ origin, first_offset: first }) => wanted.some(([partition, end]) => ingressOrigin(partition) === origin && first < end));
  return late === undefined ? undefined : `envelopes of ${late.origin} from offset ${late.first_offset} on are not in the feed yet`;
};
