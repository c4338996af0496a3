import { createHash } from 'node:crypto';
import { grantSql, ident, tenantPolicySql, type Tx } from '@valueverse/event-log';
import { Problem } from '../problem/problem';

/** An answer as it is sent, and sent again. */
export interface StoredAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}
/** `replayed`: nothing was done this time; `headers` then hold `Idempotency-Replayed: true`. */
export interface IdempotentAnswer extends StoredAnswer {
  readonly replayed: boolean;
}
/** Whose request it is, which route, the key it was sent with, and the hash of what was sent. */
export interface IdempotencyScope {
  readonly tenant: string;
  readonly route: string;
  readonly key: string;
  readonly fingerprint: string;
}

export const IDEMPOTENCY_KEY_LENGTH_MAX = 256;
/** A client may come back after a day; then its key is forgotten. */
export const IDEMPOTENCY_KEEP_HOURS_MIN = 24;
const SUCCESS_MIN = 200;
const SUCCESS_MAX = 299;
const VISIBLE = /^[\x21-\x7e]+$/;
const ROWS_PRUNED_MAX = 10_000;

/** The table of answers of a service's schema, behind row-level security. */
export const idempotencySchemaSql = (schema: string): string => `
CREATE TABLE ${ident(schema)}.idempotency_keys (
  tenant text NOT NULL, route text NOT NULL, key text NOT NULL, fingerprint text NOT NULL,
  status int NOT NULL, headers text NOT NULL, body text, created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant, route, key));
CREATE INDEX idempotency_keys_by_age ON ${ident(schema)}.idempotency_keys (created_at);
${tenantPolicySql(schema, 'idempotency_keys')}
${grantSql(schema, 'idempotency_keys')}`;

/**
 * Reads the header: a quoted string (draft-07 of the IETF) or the bare key, 256 visible characters at most.
 * Refuses with `invalid_idempotency_key`, and with `idempotency_key_missing` where one is required.
 */
export function readIdempotencyKey(header: string | string[] | undefined, required: true): string;
export function readIdempotencyKey(header: string | string[] | undefined, required?: boolean): string | undefined;
export function readIdempotencyKey(header: string | string[] | undefined, required = false): string | undefined {
  if (header === undefined) {
    if (required) throw new Problem(400, 'idempotency_key_missing', 'this request moves money: send an Idempotency-Key, so that it can be sent again without harm');
    return undefined;
  }
  const text = typeof header === 'string' ? header.trim() : '';
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(text)?.[1]?.replace(/\\(["\\])/g, '$1');
  const key = quoted ?? (text.startsWith('"') ? '' : text);
  if (key.length > IDEMPOTENCY_KEY_LENGTH_MAX || !VISIBLE.test(key)) {
    throw new Problem(400, 'invalid_idempotency_key', `an Idempotency-Key is 1 to ${IDEMPOTENCY_KEY_LENGTH_MAX} visible characters, quoted or not`);
  }
  return key;
}

/** The hash of what was sent: the method, the whole path and the bytes of the body. */
export function fingerprintOf(request: { method: string; url: string; rawBody?: Buffer }): string {
  return createHash('sha256').update(`${request.method} ${request.url}\n`).update(request.rawBody ?? '').digest('hex');
}

/**
 * Does the work once for a key, and answers the same again to whoever sends the same again. The answer is stored in the
 * transaction of the work, so it exists exactly when its effect does; only 2xx answers are stored, a failure may be tried again.
 * Refuses with 409 `idempotency_in_flight` while the first request is at work, 422 `idempotency_key_reused` for another payload.
 */
export async function withIdempotency(tx: Tx, scope: IdempotencyScope, work: () => Promise<StoredAnswer>): Promise<IdempotentAnswer> {
  const { tenant, route, key, fingerprint } = scope;
  // The lock ends with the transaction. Who comes second is told so at once instead of holding a connection and waiting.
  const { rows: [lock] } = await tx.query<{ free: boolean }>('SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS free', [JSON.stringify([tenant, route, key])]);
  if (!lock?.free) throw new Problem(409, 'idempotency_in_flight', 'a request with this Idempotency-Key is at work', { retryAfterSeconds: 1 });
  const { rows: [stored] } = await tx.query<{ fingerprint: string; status: number; headers: string; body: string | null }>(
    'SELECT fingerprint, status, headers, body FROM idempotency_keys WHERE tenant = $1 AND route = $2 AND key = $3', [tenant, route, key]);
  if (stored && stored.fingerprint !== fingerprint) throw new Problem(422, 'idempotency_key_reused', 'this Idempotency-Key was sent with another request before');
  if (stored) {
    const headers = { ...JSON.parse(stored.headers) as Record<string, string>, 'Idempotency-Replayed': 'true' };
    return { status: stored.status, headers, body: stored.body === null ? undefined : JSON.parse(stored.body) as unknown, replayed: true };
  }
  const answer = await work();
  if (answer.status >= SUCCESS_MIN && answer.status <= SUCCESS_MAX) {
    await tx.query('INSERT INTO idempotency_keys (tenant, route, key, fingerprint, status, headers, body) VALUES ($1, $2, $3, $4, $5, $6, $7)',
      [tenant, route, key, fingerprint, answer.status, JSON.stringify(answer.headers), answer.body === undefined ? null : JSON.stringify(answer.body)]);
  }
  return { ...answer, replayed: false };
}

/** Sends an answer, first or again: `reply` is Fastify's. */
export function sendAnswer(reply: { code(status: number): unknown; headers(headers: Record<string, string>): unknown }, answer: StoredAnswer): unknown {
  reply.code(answer.status);
  reply.headers({ ...answer.headers });
  return answer.body;
}

/** Forgets answers that are older than a day, 10,000 at a time; returns how many. For `worker`. */
export async function pruneIdempotencyKeys(tx: Tx, keepHours = IDEMPOTENCY_KEEP_HOURS_MIN): Promise<number> {
  const { rowCount } = await tx.query(
    `DELETE FROM idempotency_keys WHERE (tenant, route, key) IN (
       SELECT tenant, route, key FROM idempotency_keys WHERE created_at < now() - make_interval(hours => $1) ORDER BY created_at LIMIT $2)`,
    [Math.max(keepHours, IDEMPOTENCY_KEEP_HOURS_MIN), ROWS_PRUNED_MAX]);
  return rowCount ?? 0;
}
