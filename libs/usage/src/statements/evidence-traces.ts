import { partitionOf } from '@valueverse/kernel';
import { type StatementRequest, USAGE_PARTITIONS } from '@valueverse/contracts';
import { LINKS_MAX, traceHeader, tracingIsOn, type Tx } from '@valueverse/event-log';
import { HEAD_CHARACTERS } from '../metering/body';
import { bucketOf } from '../metering/domain/bucket';
import { stretchesOf } from './domain/evidence';

/** The traces of the latest envelopes that each request counts: what a statement is made of. Nobody is asked where nothing is traced. */
export const tracesOfEvidence = async (tx: Tx, tenant: string, requests: readonly StatementRequest[]): Promise<readonly (readonly string[])[]> => {
  if (!tracingIsOn() || requests.length === 0) return requests.map(() => []);
  const stretches = requests.flatMap((request, nth) => stretchesOf(request).map((stretch) => ({ nth, ...stretch })));
  const { rows } = await tx.query<{ nth: number; head: string | null }>(
    `SELECT g.nth, left(e.body, $6) AS head FROM unnest($2::int[], $3::text[], $4::bigint[], $5::bigint[], $8::int[]) g(nth, subject, first, until, partition)
     JOIN LATERAL (SELECT x.partition, x.position FROM usage_bucket_envelopes x WHERE x.partition = g.partition AND x.tenant = $1 AND x.subject = g.subject AND x.bucket >= g.first AND x.bucket < g.until
       ORDER BY x.bucket DESC, x.position DESC LIMIT $7) l ON true
     JOIN usage_envelopes e ON e.tenant = $1 AND e.partition = l.partition AND e.position = l.position`,
    [tenant, stretches.map(({ nth }) => nth), stretches.map(({ subject }) => subject), stretches.map(({ from }) => bucketOf(from)), stretches.map(({ to }) => to), HEAD_CHARACTERS, LINKS_MAX,
      stretches.map(({ subject }) => partitionOf(tenant, subject, USAGE_PARTITIONS))]);
  const found = requests.map((): string[] => []);
  for (const { nth, head } of rows) found[nth]!.push(...Object.values(traceHeader(head ?? '')));
  return found;
};
