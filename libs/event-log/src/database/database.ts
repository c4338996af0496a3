import { AsyncLocalStorage } from 'node:async_hooks';
import { hostname } from 'node:os';
import { Pool, type PoolClient, type QueryResult, type QueryResultRow, types } from 'pg';
import { copyIn } from './copy-in';
import { inOneGo, isPrepared, type Named } from './in-one-go';
import { Plans, StatementNames } from './prepared';

/** The three roles of a service: migrations, consumers and jobs, requests of one tenant. */
export type DatabaseRole = 'owner' | 'worker' | 'api';

export interface TransactionOptions {
  readonly role: DatabaseRole;
  /** Required for `api`: row-level security shows nothing without it. */
  readonly tenant?: string;
  readonly isolation?: 'read committed' | 'repeatable read';
  readonly readOnly?: boolean;
  /** It reads by one statement, and writes nothing: that goes to the database together with the beginning and the end of its transaction. */
  readonly isOneStatement?: boolean;
}

/** What the work inside a transaction may do. */
export interface Tx {
  /** A statement that is given while another one is under way waits for it, so that what it needs can be made ready meanwhile. One after a statement that failed fails with the same error. */
  query<R extends QueryResultRow = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<QueryResult<R>>;
  /** Runs a COPY FROM STDIN with all of its bytes. Its table has to be one that row security does not guard. */
  copyIn(text: string, bytes: Buffer): Promise<void>;
  /** Wake-ups only: what is registered here may be lost with the process, so nothing may rest on it. */
  afterCommit(wake: () => void): void;
  /** Undoes what was changed in memory for this transaction, when it is rolled back or its end is not known. */
  afterRollback(undo: () => void): void;
  readonly role: DatabaseRole;
  readonly tenant: string | undefined;
}

export interface DatabaseOptions {
  readonly url: string;
  /** The schema of the service, also the middle part of its role names. */
  readonly schema: string;
  /** More schemas that the service owns, searched after its own. */
  readonly schemas?: readonly string[];
  readonly connectionsMax?: number;
  /** Called before each statement; a test throws from here to end a process at any point. */
  readonly beforeStatement?: (text: string) => void;
}

/**
 * The connection was lost while the transaction was being committed: it may have happened or not. Who repeats it needs an id under which
 * the first one would be found.
 */
export class CommitUnknown extends Error {
  readonly code = 'commit_unknown';
}

const CONNECTIONS_MAX_DEFAULT = 8;
const CONNECT_TIMEOUT_MS = 5_000;
/** A writer that waits longer than this for a head or a row gives up and is retried. */
const LOCK_TIMEOUT_MS = 5_000;
/** A writer that holds a head and falls asleep is ended by the server after this time. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 15_000;
const STATEMENT_TIMEOUT_MS = 60_000;

const IDENTIFIER = /^[a-z_][a-z0-9_]{0,62}$/;

/** Quotes a name of ours for use in SQL text; anything but a plain lower-case name is a bug and throws. */
export const ident = (name: string): string => {
  if (!IDENTIFIER.test(name)) throw new Error(`not an identifier: ${name}`);
  return `"${name}"`;
};

export const roleName = (schema: string, role: DatabaseRole): string => `vv_${schema}_${role}`;

// Counts and positions are int8; as JavaScript strings they would compare wrongly, as numbers they would round.
const TYPE_PARSERS = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') => {
    if (oid === types.builtins.INT8) return (text: string) => BigInt(text);
    // Instants stay text: a JavaScript Date has no microseconds.
    if (oid === types.builtins.TIMESTAMPTZ) return (text: string) => text;
    return types.getTypeParser(oid, format);
  },
};

/** A service's own database: every statement runs in a transaction that has a role, and a tenant where the role is `api`. */
export class Database {
  readonly schema: string;
  private readonly pool: Pool;
  private readonly searchPath: string;
  /** How transactions of a kind begin. */
  private readonly openings = new Map<string, Opening>();
  private readonly names = new StatementNames();
  private readonly plans = new Plans();
  private closing: Promise<void> | undefined;
  private readonly inside = new AsyncLocalStorage<string>();

  constructor(private readonly options: DatabaseOptions) {
    this.schema = options.schema;
    this.searchPath = [options.schema, ...(options.schemas ?? [])].map(ident).join(', ');
    this.pool = new Pool({
      connectionString: options.url,
      max: options.connectionsMax ?? CONNECTIONS_MAX_DEFAULT,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      // By its number an operator finds the process behind a session; a long host name is cut off by the server.
      application_name: `valueverse ${options.schema} ${process.pid}@${hostname()}`,
      types: TYPE_PARSERS as never,
    });
    // An idle connection that the server ends is replaced at the next use.
    this.pool.on('error', () => undefined);
    // Between the pool's hands and ours a connection has nobody who listens: one that is ended in that moment would end the process.
    this.pool.on('connect', (client) => { client.on('error', () => undefined); });
  }

  get url(): string { return this.options.url; }

  /** Runs `work` in one transaction; an error rolls it back and is thrown on. Nested calls are refused: they would wait for each other. */
  async transaction<T>(options: TransactionOptions, work: (tx: Tx) => Promise<T>): Promise<T> {
    if (options.role === 'api' && !options.tenant) throw new Error('a transaction of the api role needs a tenant');
    if (this.inside.getStore() === this.schema) throw new Error(`a transaction on ${this.schema} inside another one`);
    const client = await this.pool.connect();
    let broken: Error | undefined;
    // A connection that the server ends while it is idle here says so in an event; the next statement on it fails.
    const onError = (error: Error): void => { broken = error; };
    client.on('error', onError);
    const wakes: (() => void)[] = [];
    const undoes: (() => void)[] = [];
    let ended = false;
    const turns = new Turns((text) => {
      // A branch of the work that outlives it would write outside any transaction, or into the next one of this connection.
      if (ended) throw new Error('a statement after the end of its transaction');
      this.options.beforeStatement?.(text);
    });
    const said = new Conversation(client, options, () => this.opening(client, options), (text) => this.names.of(options.role, text));
    try {
      this.options.beforeStatement?.('BEGIN');
      const tx: Tx = {
        query: (text, values) => turns.take(text, () => said.query(text, values)),
        copyIn: (text, bytes) => turns.take(text, () => said.copyIn(text, bytes)),
        afterCommit: (wake) => { wakes.push(wake); },
        afterRollback: (undo) => { undoes.push(undo); },
        role: options.role,
        tenant: options.tenant,
      };
      const result = await this.inside.run(this.schema, () => work(tx));
      await turns.over();
      ended = true;
      this.options.beforeStatement?.('COMMIT');
      if (said.isOpen) await this.commit(client);
      for (const wake of wakes) wake();
      return result;
    } catch (error) {
      ended = true;
      await turns.over();
      if (said.isOpen) await client.query('ROLLBACK').catch((cause: Error) => { broken = cause; });
      // Its statements were prepared for tables that have other columns now.
      if (isOfAnOldPlan(error)) broken = error;
      for (const undo of undoes) undo();
      throw error;
    } finally {
      client.off('error', onError);
      client.release(broken ?? said.doubt);
    }
  }

  /** A connection of the owner role outside any transaction, for migrations and advisory locks. */
  async withOwner<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    let broken: Error | undefined;
    const onError = (error: Error): void => { broken = error; };
    client.on('error', onError);
    try {
      return await work(client);
    } finally {
      await client.query('RESET ALL').catch((cause: Error) => { broken = cause; });
      client.off('error', onError);
      client.release(broken);
    }
  }

  async isReachable(): Promise<boolean> {
    try {
      await this.pool.query('SELECT 1');
      return true;
    } catch {
      return false;
    }
  }

  /** Ends the connections; a second call waits for the first. */
  close(): Promise<void> { return this.closing ??= this.pool.end(); }

  private async commit(client: PoolClient): Promise<void> {
    let answer: string;
    try {
      answer = (await client.query('COMMIT')).command;
      this.options.beforeStatement?.('AFTER COMMIT');
    } catch (error) {
      if (!isConnectionLost(error)) throw error;
      throw new CommitUnknown('the connection was lost while a transaction was being committed', { cause: error });
    }
    // A statement failed and the work went on all the same: the server has rolled everything back and says so only here.
    if (answer !== 'COMMIT') throw new Error('nothing was committed: a statement of the transaction had failed');
  }

  private opening(client: PoolClient, { role, isolation = 'read committed', isOneStatement = false, readOnly = isOneStatement, tenant = '' }: TransactionOptions): Beginning {
    const kind = `${role} ${isolation} ${String(readOnly)}`;
    let known = this.openings.get(kind);
    if (known === undefined) this.openings.set(kind, known = { begin: beginSql(isolation, readOnly), settings: settingsSql(roleName(this.schema, role), this.searchPath) });
    const { begin, settings } = known;
    const isRenewed = this.plans.areOld(client);
    return {
      begin, settings: { name: `opening_${role}`, text: settings('$1'), values: [tenant] },
      isRenewed, alone: `${begin}; ${settings(client.escapeLiteral(tenant))}${isRenewed ? '; DISCARD PLANS' : ''}`,
    };
  }
}

/** How a transaction begins: in parts, and as one text that is sent before its first statement. `isRenewed`: plans are made anew. */
interface Beginning { readonly begin: string; readonly settings: Named; readonly alone: string; readonly isRenewed: boolean }

/** What is said to the database in a transaction. It begins with the first statement: to say both at once saves a round trip. */
class Conversation {
  private state: 'waiting' | 'open' | 'over' = 'waiting';
  /** Why nobody should use the connection again. */
  doubt: Error | undefined;

  constructor(private readonly client: PoolClient, private readonly options: TransactionOptions, private readonly opening: () => Beginning, private readonly nameOf: (text: string) => string | undefined) {}

  /** There is a transaction, whatever it has become. */
  get isOpen(): boolean { return this.state === 'open'; }

  async query<R extends QueryResultRow>(text: string, values: readonly unknown[] | undefined): Promise<QueryResult<R>> {
    const isLast = this.options.isOneStatement === true;
    if (this.state !== 'waiting' && isLast) throw new Error('a second statement in a transaction of one');
    const name = values === undefined ? undefined : this.nameOf(text);
    if (this.state === 'waiting') {
      this.state = 'open';
      const { alone, isRenewed, ...beginning } = this.opening();
      if (name !== undefined && !isRenewed && isPrepared(this.client, name)) {
        const result = await inOneGo<R>(this.client, { name, text, values: values! }, { ...beginning, isLast }, (error) => { this.doubt = error; });
        if (isLast) this.state = 'over';
        return result;
      }
      await this.client.query(alone);
    }
    return this.client.query<R>({ text, values: values as unknown[], name });
  }

  async copyIn(text: string, bytes: Buffer): Promise<void> {
    if (this.state === 'waiting') {
      this.state = 'open';
      await this.client.query(this.opening().alone);
    }
    await copyIn(this.client, text, bytes);
  }
}

/** How transactions of a kind begin: the isolation of one is set before any statement. */
interface Opening { readonly begin: string; readonly settings: (tenant: string) => string }
const beginSql = (isolation: string, readOnly: boolean): string => `BEGIN ISOLATION LEVEL ${isolation.toUpperCase()} ${readOnly ? 'READ ONLY' : 'READ WRITE'}`;

/**
 * What a transaction may see is set before its first statement, and ends with it. All settings in one statement: one for each would cost as much as the rest of a small transaction.
 */
const settingsSql = (role: string, searchPath: string): Opening['settings'] => {
  const settings: Readonly<Record<string, string>> = {
    role, search_path: searchPath, lock_timeout: String(LOCK_TIMEOUT_MS), statement_timeout: String(STATEMENT_TIMEOUT_MS), idle_in_transaction_session_timeout: String(IDLE_IN_TRANSACTION_TIMEOUT_MS), timezone: 'UTC',
    // Nothing here runs for so long that compiling it would pay, and a poor estimate would have it compiled.
    jit: 'off',
    // A plan is kept for as long as its connection: one that was made while a table was small must not read all of it when it has grown.
    enable_seqscan: 'off',
  };
  const all = `SELECT ${Object.entries(settings).map(([name, value]) => `set_config('${name}', '${value}', true), `).join('')}`;
  return (tenant) => `${all}set_config('valueverse.tenant', ${tenant}, true)`;
};

const ABORTED = '25P02';

/** One statement after the other: `before` sees each when its turn has come, and may refuse it. */
class Turns {
  private underWay: Promise<unknown> | undefined;
  private failure: unknown;
  constructor(private readonly before: (text: string) => void) {}

  take<T>(text: string, run: () => Promise<T>): Promise<T> {
    const begin = async (): Promise<T> => {
      this.before(text);
      try {
        return await run();
      } catch (error) {
        // That the transaction is over already says nothing of why.
        if ((error as { code?: string }).code === ABORTED && this.failure !== undefined) throw this.failure;
        throw this.failure = error;
      }
    };
    const own = this.underWay === undefined ? begin() : this.underWay.then(begin);
    this.underWay = own;
    const over = (): void => { if (this.underWay === own) this.underWay = undefined; };
    own.then(over, over);
    return own;
  }

  /** Resolves when none is under way. */
  async over(): Promise<void> { while (this.underWay !== undefined) await this.underWay.catch(() => undefined); }
}

/** SQL states after which the same transaction can simply be tried again. */
const TRANSIENT_STATES = new Set(['40001', '40P01', '55P03', '57P01', '57P02', '57P03', '08000', '08003', '08006', '25P03', '57014', '53000', '53100', '53200', '53300', '53400']);

const isConnectionLost = (error: unknown): boolean => {
  const { code, message } = error as { code?: string; message?: string };
  return code === 'ECONNRESET' || code === 'ECONNREFUSED' || code === 'EPIPE' || code === 'ETIMEDOUT' || /^(08|57P)/.test(code ?? '')
    || /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error/.test(message ?? '');
};

/** A table has other columns than when a statement on it was prepared, as during an upgrade: on a new connection it is prepared anew. */
const isOfAnOldPlan = (error: unknown): error is Error => (error as { code?: string }).code === '0A000' && /cached plan/.test((error as { message?: string }).message ?? '');

/** True for failures of the moment (serialization, deadlock, lock timeout, lost connection, a full disk, no room for one more connection), false for bugs and bad data. */
export const isTransient = (error: unknown): boolean => {
  const { code } = error as { code?: string };
  return (code !== undefined && TRANSIENT_STATES.has(code)) || isConnectionLost(error) || isOfAnOldPlan(error) || error instanceof CommitUnknown;
};
