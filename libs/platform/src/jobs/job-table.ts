import { compareInstants, parseInstant } from '@valueverse/kernel';
import { grantSql, ident, readTraceOfJob, tenantPolicySql, type JobSink, type NewJob, type Tx } from '@valueverse/event-log';
import type { Job } from './job';

/** So that jobs of one kind are found however many of another one are due. */
export const jobsByKindSql = (schema: string): string => `CREATE INDEX jobs_by_kind ON ${ident(schema)}.jobs (kind, due_at, id) WHERE clock IS NULL;`;

/** Jobs of a service, and the time of each test clock as this service knows it. */
export const jobSchemaSql = (schema: string): string => {
  const s = ident(schema);
  return `
CREATE TABLE ${s}.clocks (tenant text NOT NULL, clock text NOT NULL, now timestamptz NOT NULL, PRIMARY KEY (tenant, clock));
${tenantPolicySql(schema, 'clocks')}
${grantSql(schema, 'clocks')}
CREATE TABLE ${s}.jobs (
  tenant text NOT NULL, id text NOT NULL, kind text NOT NULL, due_at timestamptz NOT NULL, clock text, payload text NOT NULL,
  attempt int NOT NULL DEFAULT 0, not_before timestamptz NOT NULL DEFAULT '-infinity', locked_by text, locked_until timestamptz,
  waits_for text, causation text, correlation text, traceparent text, PRIMARY KEY (tenant, id));
CREATE INDEX ON ${s}.jobs (due_at, id) WHERE clock IS NULL;
CREATE INDEX ON ${s}.jobs (tenant, clock, due_at, id) WHERE clock IS NOT NULL;
CREATE TABLE ${s}.jobs_done (tenant text NOT NULL, id text NOT NULL, PRIMARY KEY (tenant, id));
${tenantPolicySql(schema, 'jobs')}
${grantSql(schema, 'jobs')}
${tenantPolicySql(schema, 'jobs_done')}
${grantSql(schema, 'jobs_done')}`;
};

interface JobRow {
  tenant: string; id: string; kind: string; due_at: string; clock: string | null; payload: string; attempt: number;
  causation: string | null; correlation: string | null; traceparent: string | null; now: string;
}

const RFC3339 = {
  DUE_AT: `to_char(j.due_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`,
  NOW: `to_char(f.now, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`,
};
const FREE_SQL = 'j.not_before <= clock_timestamp() AND (j.locked_until IS NULL OR j.locked_until < clock_timestamp())';
/** So many of each kind are looked at as are taken, and one of each test clock, however many there are: all of an installation may fall due in one instant. */
const BY_KIND_SQL = `SELECT f.* FROM unnest($7::text[]) k(kind) CROSS JOIN LATERAL (SELECT j.tenant, j.id, j.due_at FROM jobs j
  WHERE j.clock IS NULL AND j.kind = k.kind AND j.due_at <= $2 AND ${FREE_SQL} ORDER BY j.due_at, j.id LIMIT $3 FOR UPDATE SKIP LOCKED) f ORDER BY f.due_at, f.id LIMIT $3`;
const BUT_KINDS_SQL = `SELECT j.tenant, j.id, j.due_at FROM jobs j WHERE j.clock IS NULL AND j.due_at <= $2 AND j.kind <> ALL($7) AND ${FREE_SQL} ORDER BY j.due_at, j.id LIMIT $3 FOR UPDATE SKIP LOCKED`;
/** A runner that is silent for this long has lost its jobs to the others. */
const LEASE_MS = 10_000;
/** A job that has begun this often and still begins again may end its processes: from then on each beginning says how long the next one has to wait, should this one not be heard of. */
const ENDINGS_UNNOTICED = 2;
const PAUSE_AFTER_ENDING_MAX_MS = 600_000;

/** Jobs of these kinds alone, or of all others. */
export type ClaimedKinds = { readonly only: readonly string[] } | { readonly but: readonly string[] };

const claimSql = (of: string, isOfKind: string): string => `WITH by_wall AS MATERIALIZED (SELECT f.tenant, f.id, f.due_at, $2::timestamptz AS now FROM (${of}) f),
  first AS (SELECT f.tenant, f.id, f.due_at, c.now FROM clocks c CROSS JOIN LATERAL
    (SELECT j.tenant, j.id, j.due_at FROM jobs j WHERE j.tenant = c.tenant AND j.clock = c.clock AND j.due_at <= c.now ORDER BY j.due_at, j.id LIMIT 1) f ORDER BY f.due_at, f.id OFFSET 0),
  by_clock AS MATERIALIZED (SELECT f.tenant, f.id, f.due_at, f.now FROM first f CROSS JOIN LATERAL
    (SELECT FROM jobs j WHERE j.tenant = f.tenant AND j.id = f.id AND ${FREE_SQL} AND ${isOfKind} OFFSET 0 FOR UPDATE SKIP LOCKED) j ORDER BY f.due_at, f.id LIMIT $3),
  free AS (SELECT * FROM by_wall UNION ALL SELECT * FROM by_clock ORDER BY due_at, id LIMIT $3)
  UPDATE jobs j SET attempt = j.attempt + 1, locked_by = $1, locked_until = clock_timestamp() + $4 * interval '1 ms',
    not_before = CASE WHEN j.attempt < $5 THEN j.not_before ELSE clock_timestamp() + least($6, $4 * power(2, least(j.attempt - $5, 10))) * interval '1 ms' END FROM free f
  WHERE j.tenant = f.tenant AND j.id = f.id AND ${FREE_SQL}
  RETURNING j.tenant, j.id, j.kind, ${RFC3339.DUE_AT} AS due_at, j.clock, j.payload, j.attempt, j.causation, j.correlation, j.traceparent, ${RFC3339.NOW} AS now`;
const CLAIM_ONLY_SQL = claimSql(BY_KIND_SQL, 'j.kind = ANY($7)');
const CLAIM_BUT_SQL = claimSql(BUT_KINDS_SQL, 'j.kind <> ALL($7)');

/** Where jobs wait. A job is written in the transaction that causes it, and ends in the transaction of its effect. */
export class JobTable implements JobSink {
  constructor(private readonly wake: () => void = () => undefined) {}

  /** Writes jobs; one whose id was given before, done or not, is the same job and is not written again. */
  async schedule(tx: Tx, jobs: readonly NewJob[]): Promise<void> {
    await tx.query(
      `INSERT INTO jobs (tenant, id, kind, due_at, clock, payload, causation, correlation, traceparent)
       SELECT j.* FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
         AS j(tenant, id, kind, due_at, clock, payload, causation, correlation, traceparent)
       WHERE NOT EXISTS (SELECT FROM jobs_done d WHERE d.tenant = j.tenant AND d.id = j.id) ON CONFLICT DO NOTHING`,
      [jobs.map((j) => j.tenant), jobs.map((j) => j.id), jobs.map((j) => j.kind), jobs.map((j) => j.dueAt), jobs.map((j) => j.clockId ?? null), jobs.map((j) => JSON.stringify(j.payload)),
        jobs.map((j) => j.causationId ?? null), jobs.map((j) => j.correlationId ?? null), jobs.map((j) => j.traceparent ?? null)]);
    // A job that was being ended at this moment: the insert waited for its end, and only now it can be seen.
    await tx.query('DELETE FROM jobs j USING jobs_done d WHERE d.tenant = j.tenant AND d.id = j.id AND (j.tenant, j.id) IN (SELECT * FROM unnest($1::text[], $2::text[]))',
      [jobs.map((j) => j.tenant), jobs.map((j) => j.id)]);
    tx.afterCommit(this.wake);
  }

  /**
   * Takes jobs that are due, in (due, id) order, and counts the attempt before it begins. Of each test clock only the first one is
   * taken, so that what falls due on one clock happens in order; `wallNow` decides for the others. `kinds` says of which kinds alone, or of all but which; of all but some every due job may have to be passed by. Leases and pauses are measured by the
   * database's clock: those of two hosts may differ by more than a lease.
   */
  async claim(tx: Tx, owner: string, wallNow: string, limit: number, kinds: ClaimedKinds = { but: [] }): Promise<Job[]> {
    const [sql, named] = 'only' in kinds ? [CLAIM_ONLY_SQL, kinds.only] : [CLAIM_BUT_SQL, kinds.but];
    const { rows } = await tx.query<JobRow>(sql, [owner, wallNow, limit, LEASE_MS, ENDINGS_UNNOTICED, PAUSE_AFTER_ENDING_MAX_MS, named]);
    return rows.map((row) => ({
      tenant: row.tenant, id: row.id, kind: row.kind, dueAt: parseInstant(row.due_at), payload: JSON.parse(row.payload) as unknown, attempt: row.attempt, now: parseInstant(row.now),
      clockId: row.clock ?? undefined, causationId: row.causation ?? undefined, correlationId: row.correlation ?? undefined, ...readTraceOfJob(row.traceparent),
    })).sort((a, b) => compareInstants(a.dueAt, b.dueAt) || (a.id < b.id ? -1 : 1));
  }

  /** Says that this runner is still at work on what it holds. */
  async renew(tx: Tx, owner: string): Promise<void> {
    await tx.query(`UPDATE jobs SET locked_until = clock_timestamp() + $2 * interval '1 ms' WHERE locked_by = $1 AND locked_until >= clock_timestamp()`,
      [owner, LEASE_MS]);
  }

  /** Ends jobs in the transaction of their effects. Answers how many of them this runner still held: where that is not all of them nothing may be committed. */
  async finishAll(tx: Tx, jobs: readonly Job[], owner: string): Promise<number> {
    const { rows } = await tx.query<{ tenant: string; id: string }>(
      `DELETE FROM jobs j USING (SELECT * FROM unnest($1::text[], $2::text[], $3::int[]) d(tenant, id, attempt) ORDER BY tenant, id) d
       WHERE j.tenant = d.tenant AND j.id = d.id AND j.attempt = d.attempt AND j.locked_by = $4 RETURNING j.tenant, j.id`,
      [jobs.map(({ tenant }) => tenant), jobs.map(({ id }) => id), jobs.map(({ attempt }) => attempt), owner]);
    if (rows.length > 0) await tx.query('INSERT INTO jobs_done SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING', [rows.map(({ tenant }) => tenant), rows.map(({ id }) => id)]);
    return rows.length;
  }

  /** Puts a job back, to be offered again after some wall time. `attempt` counts only runs that failed. */
  async putBack(tx: Tx, job: Job, owner: string, { afterMs, reason, failed }: { afterMs: number; reason: string; failed: boolean }): Promise<void> {
    await tx.query(
      `UPDATE jobs SET locked_by = NULL, locked_until = NULL, not_before = clock_timestamp() + $4 * interval '1 ms', waits_for = $5, attempt = attempt - $6::int
       WHERE tenant = $1 AND id = $2 AND locked_by = $3 AND attempt = $7`,
      [job.tenant, job.id, owner, afterMs, reason, failed ? 0 : 1, job.attempt]);
  }
}
