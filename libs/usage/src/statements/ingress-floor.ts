import { USAGE_TOPIC } from '@valueverse/contracts';
import type { Feed, Log, Tx } from '@valueverse/event-log';
import { partitionName } from '@valueverse/event-log';
import { type AcceptedElsewhere, behindFor, ingressBehind, type IngressBehind } from '../ingress/behind';

/** Up to where envelopes were set aside, beside the partitions of `usage.ingress`. */
const ASIDE = 'aside';

/** Where `usage.ingress` ended and up to where envelopes were set aside, as it is kept with a request. */
export const ingressText = ({ ends, aside }: AcceptedElsewhere): string | null => {
  const wanted: [string, bigint][] = [...ends].map(([partition, end]) => [String(partition), end]);
  const kept = [...wanted, [ASIDE, aside] as const].filter(([, end]) => end > 0n);
  return kept.length === 0 ? null : JSON.stringify(Object.fromEntries(kept.map(([name, end]) => [name, String(end)])));
};
const elsewhereOf = (text: string): AcceptedElsewhere => {
  const { [ASIDE]: aside = '0', ...ends } = JSON.parse(text) as Record<string, string>;
  return { ends: new Map(Object.entries(ends).map(([partition, end]) => [Number(partition), BigInt(end)])), aside: BigInt(aside) };
};

interface Row { request: string; floor: string; ingress: string }

const partitionsIn = (floor: string): number[] => Object.keys(JSON.parse(floor) as object).map(Number);

/**
 * Raises the floors of requests above what clients had written to `usage.ingress`, and what had been set aside, when they were taken, once all of that is in the partitions of their subjects. Answers what is still
 * missing, by request: what waits for another partition holds up nobody here.
 */
export const raiseFloors = async (log: Log, feed: Feed, tenant: string, requestIds: readonly string[]): Promise<ReadonlyMap<string, string>> => {
  const read = <T>(work: (tx: Tx) => Promise<T>): Promise<T> => log.database.transaction({ role: 'worker', readOnly: true }, work);
  const { rows } = await read((tx) => tx.query<Row>('SELECT request, floor, ingress FROM usage_statement_requests WHERE tenant = $1 AND request = ANY($2) AND NOT answered AND ingress IS NOT NULL', [tenant, requestIds]));
  const missing = new Map<string, string>();
  if (rows.length === 0) return missing;
  const behind = new Map<string, IngressBehind>();
  for (const ingress of new Set(rows.map((row) => row.ingress))) behind.set(ingress, await read((tx) => ingressBehind(tx, elsewhereOf(ingress))));
  const arrived: Row[] = [];
  for (const row of rows) {
    const reason = behindFor(behind.get(row.ingress)!, partitionsIn(row.floor));
    if (reason === undefined) arrived.push(row);
    else missing.set(row.request, reason);
  }
  if (arrived.length === 0) return missing;
  const partitions = [...new Set(arrived.flatMap(({ floor }) => partitionsIn(floor)))];
  // After it has arrived: whatever the feed ends with now holds it.
  const ends = partitions.length === 0 ? new Map<string, bigint>() : await feed.ends(partitions.map((partition) => ({ topic: USAGE_TOPIC, partition })));
  const floors = arrived.map(({ floor }) => JSON.stringify(Object.fromEntries(partitionsIn(floor).map((partition) => [partition, String(ends.get(partitionName({ topic: USAGE_TOPIC, partition })) ?? 0n)]))));
  await log.database.transaction({ role: 'worker' }, (tx) => tx.query(
    'UPDATE usage_statement_requests r SET floor = g.floor, ingress = NULL FROM unnest($2::text[], $3::text[]) g(request, floor) WHERE r.tenant = $1 AND r.request = g.request',
    [tenant, arrived.map(({ request }) => request), floors]));
  return missing;
};
