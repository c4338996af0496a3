import { ident, type Tx } from '@valueverse/event-log';
import { columnsOf, type ComparedMeter } from './compared-meters';
import type { Schemas } from './shadow-tables';

/** The rows of a partition, each with the name of the group that it is hashed in. Series are named, since their numbers are not the same. */
const ROW_SQL: Readonly<Record<string, string>> = {
  usage_buckets: `SELECT concat_ws(E'\\n', n.tenant, n.subject) AS name, json_build_array(n.meter, n.version, n.groups, b.bucket, b.events, b.at, b.fold, b.total::text, b.moment::text, b.tie)::text AS line
    FROM usage_series n JOIN usage_buckets b USING (series) JOIN unnest($2::text[], $3::text[]) i(tenant, meter) ON i.tenant = n.tenant AND i.meter = n.meter WHERE n.partition = $1`,
  usage_bucket_values: `SELECT concat_ws(E'\\n', n.tenant, n.subject), json_build_array(n.meter, n.version, n.groups, v.bucket, encode(v.value, 'hex'), v.events)::text
    FROM usage_series n JOIN usage_bucket_values v USING (series) JOIN unnest($2::text[], $3::text[]) i(tenant, meter) ON i.tenant = n.tenant AND i.meter = n.meter WHERE n.partition = $1`,
  usage_bucket_envelopes: `SELECT concat_ws(E'\\n', x.tenant, x.subject), json_build_array(x.bucket, x.position)::text FROM usage_bucket_envelopes x WHERE x.partition = $1 AND $2::text[] IS NOT NULL AND $3::text[] IS NOT NULL`,
  // Ids that another partition had at that time do not follow from the copy of this one; a meter that was made after an event was corrected has not looked at it.
  usage_exceptions: `SELECT concat_ws(E'\\n', x.tenant, x.subject), to_json(x)::text FROM usage_exceptions x WHERE x.partition = $1 AND x.code <> 'id_reused' AND (x.meter = '' OR
    ((x.tenant, x.meter) IN (SELECT * FROM unnest($2::text[], $3::text[])) AND NOT EXISTS (SELECT FROM usage_superseded u WHERE u.tenant = x.tenant AND u.partition = x.partition AND u.position = x.position AND u.nth = x.nth)))`,
  usage_superseded: `SELECT x.tenant, to_json(x)::text FROM usage_superseded x WHERE x.partition = $1 AND $2::text[] IS NOT NULL AND $3::text[] IS NOT NULL`,
  usage_corrections: `SELECT x.tenant, to_json(x)::text FROM usage_corrections x WHERE x.partition = $1 AND $2::text[] IS NOT NULL AND $3::text[] IS NOT NULL`,
  // Days are emptied when their turn comes again, which other partitions decide too: those of the window, 35 days of log time, are there.
  usage_keys: `SELECT left(k.key::text, 3), json_build_array(k.key, k.content, k.position, k.nth)::text FROM usage_keys k JOIN usage_envelopes e ON e.partition = k.partition AND e.position = k.position
    WHERE k.partition = $1 AND e.log_time >= (SELECT (p.log_time / 86400000000 - 34) * 86400000000 FROM usage_partitions p WHERE p.partition = $1) AND $2::text[] IS NOT NULL AND $3::text[] IS NOT NULL`,
  // The link is over every header, which says what does not count, and the hash of every body.
  usage_envelopes: `SELECT 'head', json_build_array(p.position, p.log_time, encode(p.link, 'hex'))::text FROM usage_partitions p WHERE p.partition = $1 AND $2::text[] IS NOT NULL AND $3::text[] IS NOT NULL`,
};

const TABLES = Object.keys(ROW_SQL);

/** Table -> SHA-256 over the rows of a partition in an order that their contents give. */
export type TableHashes = Readonly<Record<string, string>>;

const hashesOf = async (tx: Tx, schema: string, partition: number, meters: readonly ComparedMeter[]): Promise<TableHashes> => {
  const found: Record<string, string> = {};
  await tx.query(`SET LOCAL search_path TO ${ident(schema)}`);
  for (const table of TABLES) {
    const { rows: [row] } = await tx.query<{ hash: string | null }>(
      `SELECT encode(sha256(convert_to(string_agg(g.hash, '' ORDER BY g.name COLLATE "C"), 'UTF8')), 'hex') AS hash FROM (
         SELECT r.name, encode(sha256(convert_to(r.name || E'\\n' || string_agg(r.line, E'\\n' ORDER BY r.line COLLATE "C"), 'UTF8')), 'hex') AS hash FROM (${ROW_SQL[table]}) r(name, line) GROUP BY r.name) g`,
      [partition, ...columnsOf(meters)]);
    found[table] = row?.hash ?? '';
  }
  return found;
};

/** What both hold of a partition. The caller holds the live one. */
export const compare = async (tx: Tx, { live, shadow }: Schemas, partition: number, meters: readonly ComparedMeter[]): Promise<{ live: TableHashes; rebuilt: TableHashes; different: string[] }> => {
  // It is read as a whole, and not by keys as it is while envelopes are taken in.
  await tx.query('SET LOCAL enable_seqscan TO on; SET LOCAL enable_hashjoin TO on; SET LOCAL enable_mergejoin TO on');
  const rebuilt = await hashesOf(tx, shadow, partition, meters);
  const ours = await hashesOf(tx, live, partition, meters);
  return { live: ours, rebuilt, different: TABLES.filter((table) => ours[table] !== rebuilt[table]) };
};
