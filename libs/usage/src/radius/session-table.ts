import type { Tx } from '@valueverse/event-log';
import { COUNTERS, type Counters } from './domain/accounting';
import type { Chain, Link } from './domain/counter-chain';
import type { Session } from './domain/sessions';

/** What a NAS calls a session. The client is not in it: a NAS may fall under another one while its sessions go on. */
export interface SessionKey { readonly tenant: string; readonly nas: string; readonly sessionId: string }

export interface SessionRow {
  session: string; nas: string; client: string; acct_session_id: string; subject: string; started_at: bigint; anchor: bigint; heard_from: bigint; updated_at: bigint; ended_at: bigint | null; cause: string | null;
  framed_address: string | null; calling_station: string | null; input_octets: string; output_octets: string; input_packets: string; output_packets: string; session_seconds: string;
  told_seconds: string | null; chain: string;
}

type StoredCounters = readonly (string | null)[];
interface StoredChain { readonly links: readonly (readonly [id: string, order: number, counters: StoredCounters])[]; readonly floor: readonly [order: number, counters: StoredCounters] | null }

const storedCounters = (counters: Counters): StoredCounters => COUNTERS.map((counter) => counters[counter]?.toString() ?? null);
const countersOf = (stored: StoredCounters): Counters =>
  Object.fromEntries(COUNTERS.flatMap((counter, index) => (stored[index] == null ? [] : [[counter, BigInt(stored[index])]])));
const storedChain = ({ links, floor }: Chain): StoredChain =>
  ({ links: links.map(({ id, order, counters }) => [id, order, storedCounters(counters)]), floor: floor === undefined ? null : [floor.order, storedCounters(floor.counters)] });
const chainOf = ({ links, floor }: StoredChain): Chain => ({
  links: links.map(([id, order, counters]): Link => ({ id, order, counters: countersOf(counters) })), floor: floor === null ? undefined : { order: floor[0], counters: countersOf(floor[1]) },
});

const sessionOf = (row: SessionRow): Session => ({
  id: row.session, client: row.client, startedAt: Number(row.started_at), anchor: Number(row.anchor), heardFrom: Number(row.heard_from), updatedAt: Number(row.updated_at), endedAt: row.ended_at === null ? undefined : Number(row.ended_at), cause: row.cause ?? undefined,
  subject: row.subject, framedAddress: row.framed_address ?? undefined, callingStation: row.calling_station ?? undefined, seconds: row.told_seconds === null ? undefined : BigInt(row.told_seconds),
  used: {
    inputOctets: BigInt(row.input_octets), outputOctets: BigInt(row.output_octets), inputPackets: BigInt(row.input_packets), outputPackets: BigInt(row.output_packets), seconds: BigInt(row.session_seconds),
  },
  chain: chainOf(JSON.parse(row.chain) as StoredChain),
});

export const keyText = ({ tenant, nas, sessionId }: SessionKey): string => JSON.stringify([tenant, nas, sessionId]);

/**
 * The sessions under some keys of one tenant, by `keyText`. Until the transaction ends nobody else works on them, in whichever process: also where there is none yet. Locks are taken in one
 * order, so that nobody waits in a circle.
 */
export const lockSessions = async (tx: Tx, keys: readonly SessionKey[]): Promise<Map<string, readonly Session[]>> => {
  const found = new Map<string, readonly Session[]>(keys.map((key) => [keyText(key), []]));
  const [{ tenant }] = keys as [SessionKey];
  await tx.query(`SELECT pg_advisory_xact_lock(k.lock) FROM (SELECT DISTINCT hashtextextended('radius session ' || n, 0) AS lock FROM unnest($1::text[]) n ORDER BY 1) k`, [[...found.keys()]]);
  const { rows } = await tx.query<SessionRow>(
    `SELECT s.* FROM (SELECT DISTINCT * FROM unnest($2::text[], $3::text[])) g(nas, id)
     JOIN usage_radius_sessions s ON s.tenant = $1 AND s.nas = g.nas AND s.acct_session_id = g.id ORDER BY s.session FOR UPDATE OF s`,
    [tenant, keys.map(({ nas }) => nas), keys.map(({ sessionId }) => sessionId)]);
  for (const row of rows) {
    const key = keyText({ tenant, nas: row.nas, sessionId: row.acct_session_id });
    found.set(key, [...found.get(key)!, sessionOf(row)]);
  }
  return found;
};

export const writeSessions = async (tx: Tx, changed: readonly { readonly key: SessionKey; readonly session: Session }[]): Promise<void> => {
  if (changed.length === 0) return;
  const of = <T>(column: (one: (typeof changed)[number]) => T): T[] => changed.map(column);
  const used = (counter: keyof Session['used']): string[] => of(({ session }) => String(session.used[counter]));
  await tx.query(
    `INSERT INTO usage_radius_sessions (tenant, session, client, nas, acct_session_id, subject, started_at, anchor, heard_from, updated_at, ended_at, cause, framed_address, calling_station,
       input_octets, output_octets, input_packets, output_packets, session_seconds, told_seconds, chain)
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::text[], $14::text[],
       $15::numeric[], $16::numeric[], $17::numeric[], $18::numeric[], $19::numeric[], $20::numeric[], $21::text[])
     ON CONFLICT (tenant, session) DO UPDATE SET client = excluded.client, subject = excluded.subject, started_at = excluded.started_at, heard_from = excluded.heard_from, updated_at = excluded.updated_at, ended_at = excluded.ended_at, cause = excluded.cause,
       framed_address = excluded.framed_address, calling_station = excluded.calling_station, input_octets = excluded.input_octets, output_octets = excluded.output_octets,
       input_packets = excluded.input_packets, output_packets = excluded.output_packets, session_seconds = excluded.session_seconds, told_seconds = excluded.told_seconds, chain = excluded.chain`,
    [of(({ key }) => key.tenant), of(({ session }) => session.id), of(({ session }) => session.client), of(({ key }) => key.nas), of(({ key }) => key.sessionId), of(({ session }) => session.subject),
      of(({ session }) => session.startedAt), of(({ session }) => session.anchor), of(({ session }) => session.heardFrom), of(({ session }) => session.updatedAt), of(({ session }) => session.endedAt ?? null),
      of(({ session }) => session.cause ?? null), of(({ session }) => session.framedAddress ?? null), of(({ session }) => session.callingStation ?? null),
      used('inputOctets'), used('outputOctets'), used('inputPackets'), used('outputPackets'), used('seconds'),
      of(({ session }) => session.seconds?.toString() ?? null), of(({ session }) => JSON.stringify(storedChain(session.chain)))]);
};

/**
 * Ends the sessions of a NAS that has started again or is about to stop, as far as nothing was heard of them since: those of the client through which it says so, and what clients have left that are
 * gone. Another client may have another NAS of this name.
 */
export const endSessionsOf = async (tx: Tx, { tenant, client, nas }: { readonly tenant: string; readonly client: string; readonly nas: string }, at: number, cause: string): Promise<void> => {
  // Locked in the order in which reports lock them.
  await tx.query(
    `WITH ending AS (SELECT session FROM usage_radius_sessions s WHERE tenant = $1 AND nas = $3 AND ended_at IS NULL AND updated_at <= $4
       AND (client = $2 OR NOT EXISTS (SELECT FROM usage_radius_clients c WHERE c.tenant = $1 AND c.client = s.client)) ORDER BY session FOR UPDATE OF s)
     UPDATE usage_radius_sessions s SET ended_at = $4, cause = $5 FROM ending e WHERE s.tenant = $1 AND s.session = e.session`, [tenant, client, nas, at, cause]);
};

/** Usage that its session counts already. */
export interface Planned { readonly tenant: string; readonly session: string; readonly id: string; readonly event: string }

export const plan = async (tx: Tx, planned: readonly (Planned & { readonly plannedAt: number })[]): Promise<void> => {
  if (planned.length === 0) return;
  await tx.query(
    `INSERT INTO usage_radius_planned (tenant, session, id, planned_at, event) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[]) ON CONFLICT DO NOTHING`,
    [planned.map(({ tenant }) => tenant), planned.map(({ session }) => session), planned.map(({ id }) => id), planned.map(({ plannedAt }) => plannedAt), planned.map(({ event }) => event)]);
};

/** What of some sessions is not known to be in the feed. */
export const plannedOf = async (tx: Tx, tenant: string, sessions: readonly string[]): Promise<Planned[]> => {
  const { rows } = await tx.query<{ session: string; id: string; event: string }>('SELECT session, id, event FROM usage_radius_planned WHERE tenant = $1 AND session = ANY($2) ORDER BY planned_at, id', [tenant, sessions]);
  return rows.map((row) => ({ tenant, ...row }));
};

/** What was planned before an instant and left lying, of all tenants, the oldest first. */
export const plannedBefore = async (tx: Tx, before: number, limit: number): Promise<Planned[]> => {
  const { rows } = await tx.query<Planned & Record<string, unknown>>('SELECT tenant, session, id, event FROM usage_radius_planned WHERE planned_at < $1 ORDER BY planned_at, id LIMIT $2', [before, limit]);
  return rows;
};

export const removePlanned = async (tx: Tx, tenant: string, done: readonly Planned[]): Promise<void> => {
  await tx.query('DELETE FROM usage_radius_planned p USING unnest($2::text[], $3::text[]) d(session, id) WHERE p.tenant = $1 AND p.session = d.session AND p.id = d.id',
    [tenant, done.map(({ session }) => session), done.map(({ id }) => id)]);
};
