import type { Codec, DomainEvent, EncodedFact, Fact } from '../codec/codec';
import { byteaArray, textArray } from '../database/binary-array';
import type { Database, Tx } from '../database/database';
import { APPEND_CONFLICT_STATE, STORE_PARTITIONS } from './schema';
import { HASH_NAME, Refused } from '@valueverse/kernel';

/** Somebody else appended to one of the streams first. The decision has to be made again. */
export class AppendConflict extends Error {
  constructor(readonly stream: string) { super(`${stream} has moved on`); }
}
/** A command id came again with another command. */
export class CommandConflict extends Error {
  readonly code = 'command_conflict';
  constructor(readonly commandId: string) { super(`the command ${commandId} was given before with other content`); }
}

/** A command that is recorded with the facts it made, so that its repetition finds them. */
export interface RecordedCommand {
  readonly tenant: string;
  readonly commandId: string;
  readonly fingerprint: Buffer;
  readonly stream: string;
  /** The versions that it made; the last is below the first when it made none. */
  readonly firstVersion: number;
  readonly lastVersion: number;
}
export interface Position { readonly partition: number; readonly position: bigint }
export interface StreamKey { readonly tenant: string; readonly stream: string }

const UNIQUE_VIOLATION = '23505';

/** With its headers a fact has to fit into a record of the feed, in whatever edition: one that does not would stop the relay of its partition. */
export const FACT_BYTES_MAX = 15 * 1024 * 1024;
/** A unit of a text is three bytes at most. */
const BYTES_PER_UNIT_MAX = 3;

const refuseTooLarge = (facts: readonly EncodedFact[]): void => {
  const large = facts.find(({ body }) => body.length > FACT_BYTES_MAX / BYTES_PER_UNIT_MAX && Buffer.byteLength(body) > FACT_BYTES_MAX);
  if (large !== undefined) throw new Refused('fact_too_large', `a fact of ${large.stream} would have ${Buffer.byteLength(large.body)} bytes, ${FACT_BYTES_MAX} at most`);
};

/** The facts of one service, in its own PostgreSQL. Only `append` writes. */
export class EventStore {
  private readonly committed = new Set<(facts: readonly EncodedFact[]) => void>();

  constructor(readonly database: Database, readonly codec: Codec) {}

  /** Called after each commit that appended something, with the facts; only a hint, the relay also looks by itself. */
  onCommit(hear: (facts: readonly EncodedFact[]) => void): void { this.committed.add(hear); }

  /** The partition count and the hash are stored and never change: positions that were cited rest on them. */
  async checkSettings(): Promise<void> {
    await this.database.transaction({ role: 'owner' }, async (tx) => {
      const wanted = new Map([['partitions', String(STORE_PARTITIONS)], ['hash', HASH_NAME]]);
      for (const [name, value] of wanted) {
        await tx.query('INSERT INTO store_settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING', [name, value]);
        const { rows } = await tx.query<{ value: string }>('SELECT value FROM store_settings WHERE name = $1', [name]);
        if (rows[0]?.value !== value) throw new Error(`this store was made with ${name} = ${rows[0]?.value}, this release has ${value}`);
      }
    });
  }

  /** The facts of a stream after a version, in order. */
  async read<E extends DomainEvent>(tx: Tx, tenant: string, stream: string, afterVersion = 0): Promise<Fact<E>[]> {
    const { rows } = await tx.query<{ body: string }>(
      'SELECT body FROM events WHERE tenant = $1 AND stream = $2 AND version > $3 ORDER BY version', [tenant, stream, afterVersion]);
    return this.codec.decodeAll<E>(tx, rows.map(({ body }) => body));
  }

  /** The facts of many streams at once, each in order, by `streamName(key)`. */
  async readMany(tx: Tx, keys: readonly StreamKey[]): Promise<Map<string, Fact[]>> {
    const found = new Map<string, Fact[]>(keys.map((key) => [streamName(key), []]));
    if (keys.length === 0) return found;
    const { rows } = await tx.query<{ body: string; tenant: string; stream: string }>(
      `SELECT e.tenant, e.stream, e.body FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::text[])) k(tenant, stream)
       JOIN events e ON e.tenant = k.tenant AND e.stream = k.stream ORDER BY e.tenant, e.stream, e.version`,
      [keys.map(({ tenant }) => tenant), keys.map(({ stream }) => stream)]);
    const facts = await this.codec.decodeAll(tx, rows.map(({ body }) => body));
    for (const fact of facts) found.get(streamName(fact))!.push(fact);
    return found;
  }

  /** Which of these commands were executed before, as `commandName` names them: asked once for many, because nearly none of them were. */
  async knownCommands(tx: Tx, wanted: readonly { readonly tenant: string; readonly commandId: string }[]): Promise<ReadonlySet<string>> {
    if (wanted.length === 0) return new Set();
    const { rows } = await tx.query<{ tenant: string; command: string }>(
      'SELECT c.tenant, c.command FROM commands c JOIN unnest($1::text[], $2::text[]) w(tenant, command) ON c.tenant = w.tenant AND c.command = w.command',
      [wanted.map(({ tenant }) => tenant), wanted.map(({ commandId }) => commandId)]);
    return new Set(rows.map(({ tenant, command }) => commandName(tenant, command)));
  }

  /**
   * The facts that a command made when it was given before, looked up before anything is decided.
   * Throws `CommandConflict` when the same id came with another command.
   */
  async findCommand(tx: Tx, tenant: string, commandId: string, fingerprint: Buffer): Promise<Fact[] | undefined> {
    const { rows } = await tx.query<{ fingerprint: Buffer; stream: string; first_version: number; last_version: number }>(
      'SELECT fingerprint, stream, first_version, last_version FROM commands WHERE tenant = $1 AND command = $2', [tenant, commandId]);
    const row = rows[0];
    if (row === undefined) return undefined;
    if (!row.fingerprint.equals(fingerprint)) throw new CommandConflict(commandId);
    const facts = await this.read(tx, tenant, row.stream, row.first_version - 1);
    return facts.filter(({ version }) => version <= row.last_version);
  }

  /**
   * Appends facts of any number of streams, all or nothing. The last statement of its transaction: the heads that it
   * locks are held until the commit. Throws `AppendConflict` when a stream is not at the version decided on; refuses with `fact_too_large`.
   */
  async append(tx: Tx, facts: readonly EncodedFact[], commands: readonly RecordedCommand[] = []): Promise<Position[]> {
    refuseTooLarge(facts);
    const counts = new Map<number, number>();
    const nths = facts.map(({ partition }) => {
      const nth = (counts.get(partition) ?? 0) + 1;
      counts.set(partition, nth);
      return nth;
    });
    try {
      const { rows } = await tx.query<{ at_partition: number; base: bigint }>(
        'SELECT * FROM append_events($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17)', [
          facts.map((f) => f.partition), nths, facts.map((f) => f.tenant), facts.map((f) => f.stream), facts.map((f) => f.version),
          facts.map((f) => f.topic), facts.map((f) => f.type), facts.map((f) => f.id), facts.map((f) => f.clock), textArray(facts.map((f) => f.body)), byteaArray(facts.map((f) => f.hash)),
          commands.map((c) => c.tenant), commands.map((c) => c.commandId), commands.map((c) => c.fingerprint), commands.map((c) => c.stream),
          commands.map((c) => c.firstVersion), commands.map((c) => c.lastVersion)]);
      if (facts.length > 0) tx.afterCommit(() => this.committed.forEach((hear) => hear(facts)));
      const bases = new Map(rows.map((row) => [row.at_partition, row.base]));
      return facts.map(({ partition }, index) => ({ partition, position: bases.get(partition)! + BigInt(nths[index]!) }));
    } catch (error) {
      const { code, detail, constraint } = error as { code?: string; detail?: string; constraint?: string };
      if (code === APPEND_CONFLICT_STATE) throw new AppendConflict(detail ?? 'a stream');
      // Two writers with one command id: the second finds the first one's facts when it tries again.
      if (code === UNIQUE_VIOLATION && (constraint === 'commands_pkey' || constraint?.startsWith('events_'))) throw new AppendConflict(constraint);
      throw error;
    }
  }
}

/** Names a command of a tenant among others. */
export const commandName = (tenant: string, commandId: string): string => `${tenant}\n${commandId}`;

/** One name for a stream of a tenant, for use as a map key. */
export const streamName = ({ tenant, stream }: StreamKey): string => `${tenant}\n${stream}`;
