import { createHash, hash, timingSafeEqual } from 'node:crypto';
import { PLATFORM_TENANT, partitionsOf } from '@valueverse/contracts';
import { Problem, type Service } from '@valueverse/platform';
import { tenantOf, type Caller } from '../caller';
import { credentialByPrefix, type StoredCredential } from '../keys/credential-table';
import { digestOf, prefixOf } from '../keys/key-text';

export interface AuthSecrets {
  /** Of `digestKeyOf(masterKey)`. */
  readonly digestKey: Buffer;
  readonly operatorToken: string;
  /** What services show each other. */
  readonly serviceToken: string;
}

/** How long a process believes what it read of a key: the bound on a revocation that it has not heard of. */
const REMEMBERED_MS = 2_000;
const REMEMBERED_MAX = 10_000;
const RETRY_AFTER_SECONDS = 1;

const isEqual = (left: string, right: string): boolean =>
  timingSafeEqual(createHash('sha256').update(left).digest(), createHash('sha256').update(right).digest());

/** Says who is asking, from this service's own copy of the credentials. */
export class Authenticator {
  private readonly remembered = new Map<string, { caller: Caller; untilMs: number }>();

  private looking: Promise<boolean> | undefined;
  private nextLook: Promise<boolean> | undefined;

  constructor(private readonly service: Service, private readonly secrets: AuthSecrets) {}

  /** Forgets what it remembers, because a credential has changed. */
  readonly forget = (): void => { this.remembered.clear(); };

  /** The caller of a header that was looked for a moment ago: what nearly every request asks, at the cost of a look into a map. */
  known(header: string | undefined): Caller | undefined {
    const known = header === undefined ? undefined : this.remembered.get(keyOf(header));
    return known !== undefined && known.untilMs > performance.now() ? known.caller : undefined;
  }

  /**
   * The caller of an `Authorization` header. Refuses with 401 `credential_missing`, `invalid_credential` or `credential_revoked`, and with 503
   * `credentials_behind` while a key that is unknown here may still be on its way.
   */
  async callerOf(header: string | undefined): Promise<Caller> {
    if (header === undefined) throw unauthorized('credential_missing', 'send Authorization: Bearer <key>');
    const known = this.known(header);
    if (known !== undefined) return known;
    const token = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(header)?.[1];
    if (token === undefined) throw unauthorized('invalid_credential', 'the Authorization header is not "Bearer <key>"');
    if (isEqual(token, this.secrets.operatorToken)) return insider('operator');
    if (isEqual(token, this.secrets.serviceToken)) return insider('service');
    const caller = callerOf(await this.find(token, digestOf(this.secrets.digestKey, token)));
    if (this.remembered.size >= REMEMBERED_MAX) this.remembered.clear();
    this.remembered.set(keyOf(header), { caller, untilMs: performance.now() + REMEMBERED_MS });
    return caller;
  }

  private async find(token: string, digest: string): Promise<StoredCredential> {
    const prefix = prefixOf(token);
    if (prefix === undefined) throw unauthorized('invalid_credential', 'this is not a key of ValueVerse');
    const read = (): Promise<StoredCredential | undefined> => this.service.database.transaction({ role: 'worker', readOnly: true }, (tx) => credentialByPrefix(tx, prefix));
    let stored = await read();
    if (stored === undefined) {
      if (await this.isBehind()) {
        throw new Problem(503, 'credentials_behind', 'this service has not heard of the latest keys yet; send the request again', { retryAfterSeconds: RETRY_AFTER_SECONDS });
      }
      // It may have come between the two looks.
      stored = await read();
      if (stored === undefined) throw unauthorized('invalid_credential', 'the key is unknown');
    }
    if (!isEqual(stored.digest, digest)) throw unauthorized('invalid_credential', 'the key is unknown');
    if (stored.revoked) throw unauthorized('credential_revoked', 'the key was revoked');
    return stored;
  }

  /**
   * Whether a credential may still be on its way here. Many unknown keys at once are one look at the feed. A look that is under way may be older than
   * the key: those who come meanwhile share the
   * next one.
   */
  isBehind(): Promise<boolean> {
    const { looking } = this;
    if (looking === undefined) return this.beginLook();
    return this.nextLook ??= looking.then(() => {
      this.nextLook = undefined;
      return this.beginLook();
    });
  }

  /** A feed that does not answer may hold the key. */
  private beginLook(): Promise<boolean> {
    const look = this.look().catch((error: unknown) => {
      this.service.logger.warn({ err: error }, 'the feed could not be asked how far the credentials are');
      return true;
    }).finally(() => { if (this.looking === look) this.looking = undefined; });
    this.looking = look;
    return look;
  }

  private async look(): Promise<boolean> {
    // What was made and not published yet is not in the feed either.
    if (!(await this.service.hasPublished('billing'))) return true;
    const partitions = Array.from({ length: partitionsOf('identity.credentials') }, (_, partition) => ({ topic: 'identity.credentials' as const, partition }));
    const ends = await this.service.feed.ends(partitions);
    const { rows } = await this.service.database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ partition: number; next_offset: bigint }>(
      `SELECT partition, next_offset FROM checkpoints WHERE consumer = 'credentials@1' AND topic = 'identity.credentials'`));
    const read = new Map(rows.map(({ partition, next_offset: next }) => [partition, next]));
    return partitions.some(({ topic, partition }) => (ends.get(`${topic}/${partition}`) ?? 0n) > (read.get(partition) ?? 0n));
  }
}

/** Headers are remembered by their hash: memory that is written to a disk holds no key. */
const keyOf = (header: string): string => hash('sha256', header, 'base64');
const unauthorized = (code: string, detail: string): Problem => new Problem(401, code, detail, { headers: { 'WWW-Authenticate': 'Bearer' } });
const insider = (kind: 'operator' | 'service'): Caller =>
  ({ tenant: PLATFORM_TENANT, organizationId: PLATFORM_TENANT, environment: 'live', actor: kind, kind, scopes: [kind] });
const callerOf = (stored: StoredCredential): Caller => ({
  tenant: tenantOf(stored.organizationId, stored.environment), organizationId: stored.organizationId, environment: stored.environment, actor: stored.keyId, kind: stored.kind,
  scopes: stored.scopes, ...(stored.subjects === undefined ? {} : { subjects: stored.subjects }),
});
