import { instantFromMicros } from '@valueverse/kernel';
import type { Tx } from '@valueverse/event-log';
import type { SessionRow } from './session-table';

/** A session of a subscriber as it is shown. Counters are what it has used so far: those of a session that is live grow. */
export interface ListedSession {
  readonly id: string;
  readonly sessionId: string;
  readonly nas: string;
  readonly clientId: string;
  readonly subject: string;
  readonly live: boolean;
  readonly startedAt: string;
  readonly updatedAt: string;
  readonly endedAt: string | null;
  readonly cause: string | null;
  readonly inputOctets: string;
  readonly outputOctets: string;
  readonly totalOctets: string;
  readonly inputPackets: string;
  readonly outputPackets: string;
  readonly sessionSeconds: string;
  readonly framedAddress: string | null;
  readonly callingStation: string | null;
}
export interface SessionFilter { readonly live?: boolean | undefined; readonly nas?: string | undefined; readonly subject?: string | undefined }
/** What the list is ordered by, as texts. */
export type SessionPosition = readonly [startedAt: string, session: string];

const FIRST: SessionPosition = [String(2n ** 63n - 1n), ''];

const listed = (row: SessionRow): ListedSession => ({
  id: row.session, sessionId: row.acct_session_id, nas: row.nas, clientId: row.client, subject: row.subject, live: row.ended_at === null, startedAt: instantFromMicros(row.started_at),
  updatedAt: instantFromMicros(row.updated_at), endedAt: row.ended_at === null ? null : instantFromMicros(row.ended_at), cause: row.cause,
  inputOctets: row.input_octets, outputOctets: row.output_octets, totalOctets: String(BigInt(row.input_octets) + BigInt(row.output_octets)), inputPackets: row.input_packets, outputPackets: row.output_packets,
  sessionSeconds: row.session_seconds, framedAddress: row.framed_address, callingStation: row.calling_station,
});

/** Sessions of a tenant, the latest start first, at most `limit`. */
export const sessionsAfter = async (tx: Tx, tenant: string, { live, nas, subject }: SessionFilter, after: SessionPosition | undefined, limit: number): Promise<{ position: SessionPosition; session: ListedSession }[]> => {
  const { rows } = await tx.query<SessionRow>(
    `SELECT * FROM usage_radius_sessions WHERE tenant = $1 AND ($2::boolean IS NULL OR (ended_at IS NULL) = $2) AND ($3::text IS NULL OR nas = $3) AND ($4::text IS NULL OR subject = $4)
       AND (started_at, session) < ($5::bigint, $6::text) ORDER BY started_at DESC, session DESC LIMIT $7`, [tenant, live ?? null, nas ?? null, subject ?? null, ...(after ?? FIRST), limit]);
  return rows.map((row) => ({ position: [String(row.started_at), row.session], session: listed(row) }));
};

export const sessionById = async (tx: Tx, tenant: string, id: string): Promise<ListedSession | undefined> => {
  const { rows } = await tx.query<SessionRow>('SELECT * FROM usage_radius_sessions WHERE tenant = $1 AND session = $2', [tenant, id]);
  return rows[0] === undefined ? undefined : listed(rows[0]);
};
