import type { Tx } from '@valueverse/event-log';
import { COUNTERS, type Counters } from './domain/accounting';
import type { Chain, Link } from './domain/counter-chain';
import type { Session } from './domain/sessions';

/** Where a session is known by its NAS. */
export interface SessionKey { readonly tenant: string; readonly client: string; readonly nas: string; readonly sessionId: string }

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
  id: row.session, startedAt: Number(row.started_at), anchor: Number(row.anchor), heardFrom: Number(row.heard_from), updatedAt: Number(row.updated_at), endedAt: row.ended_at === null ? undefined : Number(row.ended_at), cause: row.cause ?? undefined,
  subject: row.subject, framedAddress: row.framed_address ?? undefined, callingStation: row.calling_station ?? undefined, seconds: row.told_seconds === null ? undefined : BigInt(row.told_seconds),
  used: {
    inputOctets: BigInt(row.input_octets), outputOctets: BigInt(row.output_octets), inputPackets: BigInt(row.input_packets), outputPackets: BigInt(row.output_packets), seconds: BigInt(row.session_seconds),
  },
  chain: chainOf(JSON.parse(row.chain) as StoredChain),
});

/** The sessions of one NAS under one Acct-Session-Id. Until the transaction ends nobody else works on them, in whichever process: also where there is none yet. */
export const lockSessions = async (tx: Tx, { tenant, client, nas, sessionId }: SessionKey): Promise<Session[]> => {
  await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [JSON.stringify(['radius session', tenant, client, nas, sessionId])]);
  const { rows } = await tx.query<SessionRow>('SELECT * FROM usage_radius_sessions WHERE tenant = $1 AND client = $2 AND nas = $3 AND acct_session_id = $4 FOR UPDATE', [tenant, client, nas, sessionId]);
  return rows.map(sessionOf);
};

export const writeSession = async (tx: Tx, { tenant, client, nas, sessionId }: SessionKey, session: Session): Promise<void> => {
  const { used } = session;
  await tx.query(
    `INSERT INTO usage_radius_sessions (tenant, session, client, nas, acct_session_id, subject, started_at, anchor, heard_from, updated_at, ended_at, cause, framed_address, calling_station,
       input_octets, output_octets, input_packets, output_packets, session_seconds, told_seconds, chain)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
     ON CONFLICT (tenant, session) DO UPDATE SET subject = excluded.subject, started_at = excluded.started_at, heard_from = excluded.heard_from, updated_at = excluded.updated_at, ended_at = excluded.ended_at, cause = excluded.cause,
       framed_address = excluded.framed_address, calling_station = excluded.calling_station, input_octets = excluded.input_octets, output_octets = excluded.output_octets,
       input_packets = excluded.input_packets, output_packets = excluded.output_packets, session_seconds = excluded.session_seconds, told_seconds = excluded.told_seconds, chain = excluded.chain`,
    [tenant, session.id, client, nas, sessionId, session.subject, session.startedAt, session.anchor, session.heardFrom, session.updatedAt, session.endedAt ?? null, session.cause ?? null, session.framedAddress ?? null,
      session.callingStation ?? null, String(used.inputOctets), String(used.outputOctets), String(used.inputPackets), String(used.outputPackets), String(used.seconds),
      session.seconds === undefined ? null : String(session.seconds), JSON.stringify(storedChain(session.chain))]);
};

/** Ends the sessions of a NAS that has started again or is about to stop, as far as nothing was heard of them since. */
export const endSessionsOf = async (tx: Tx, { tenant, client, nas }: Omit<SessionKey, 'sessionId'>, at: number, cause: string): Promise<void> => {
  await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [JSON.stringify(['radius nas', tenant, client, nas])]);
  await tx.query(
    'UPDATE usage_radius_sessions SET ended_at = $4, cause = $5 WHERE tenant = $1 AND client = $2 AND nas = $3 AND ended_at IS NULL AND updated_at <= $4', [tenant, client, nas, at, cause]);
};

/** Usage that its session counts already. */
export interface Planned { readonly tenant: string; readonly session: string; readonly id: string; readonly event: string }

export const plan = async (tx: Tx, { tenant, session, id, event }: Planned, at: number): Promise<void> => {
  await tx.query('INSERT INTO usage_radius_planned (tenant, session, id, planned_at, event) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING', [tenant, session, id, at, event]);
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
