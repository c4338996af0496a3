import { hash } from 'node:crypto';
import Ajv from 'ajv/dist/2020';
import { canonicalJson, derivedId, partitionOf } from '@valueverse/kernel';
import { TOPICS, type EventDefinition, type ServiceName, type Topic } from '@valueverse/contracts';
import type { Tx } from '../database/database';
import { STORE_PARTITIONS } from '../store/schema';

/** Who says something, for whom, and why. Everything that a fact carries beside its data. */
export interface FactContext {
  readonly tenant: string;
  /** The instant of the fact: of the test clock where there is one. */
  readonly at: string;
  readonly actor: string;
  readonly clockId?: string | undefined;
  /** The id of the fact that caused this one. */
  readonly causationId?: string | undefined;
  readonly correlationId?: string | undefined;
  readonly traceparent?: string | undefined;
}

/** A fact as it was decided, with the type of the domain. */
export interface DomainEvent { readonly type: string }

/** A fact ready to be appended: exact text, its hash, and where it belongs. */
export interface EncodedFact {
  readonly tenant: string;
  readonly stream: string;
  readonly version: number;
  readonly partition: number;
  readonly topic: Topic;
  readonly type: string;
  readonly id: string;
  readonly clock: string | null;
  readonly body: string;
  readonly hash: Buffer;
  /** The event as every later reader of the text will see it. */
  readonly event: DomainEvent;
}

/** A fact as it was read: what the domain needs, and what came with it. */
export interface Fact<E extends DomainEvent = DomainEvent> {
  readonly event: E;
  readonly id: string;
  readonly tenant: string;
  readonly stream: string;
  readonly version: number;
  readonly at: string;
  readonly recordedAt: string;
  readonly actor: string;
  readonly clockId: string | undefined;
  readonly causationId: string | undefined;
  readonly correlationId: string;
  readonly traceparent: string | undefined;
}

export interface PersonalKeyName { readonly tenant: string; readonly keyId: string }
/** Encrypts and decrypts the fields that a schema marks `x-personal`. */
export interface PersonalFields {
  /** Answers `ERASED` when the key was destroyed. Throws `PersonalKeyMissing` when it is not there. */
  encrypt(tenant: string, keyId: string, eventId: string, path: string, value: unknown): string;
  /** Answers `ERASED` when the key was destroyed; throws `PersonalKeyMissing` when it has not come yet. */
  decrypt(tenant: string, keyId: string, eventId: string, path: string, text: string): unknown;
  /** Looks for keys that are not in memory. Throws `PersonalKeyMissing` when one has not arrived in the database either. */
  fetch(tx: Tx, wanted: readonly PersonalKeyName[]): Promise<void>;
}
export const ERASED = '[erased]';

/** The key of a personal field has not arrived here yet. Like any missing cause it is waited for. */
export class PersonalKeyMissing extends Error implements PersonalKeyName {
  constructor(readonly tenant: string, readonly keyId: string) { super(`the personal key ${keyId} has not arrived yet`); }
}
/** A fact breaks its own schema. Always a bug of the one who decided it; nothing was appended. */
export class InvalidFact extends Error {}
/** A record that no definition of this release can read. */
export class UnknownFact extends Error {}

interface Compiled {
  readonly definition: EventDefinition;
  readonly personal: readonly string[];
}
type Tree = Record<string, unknown>;
/** The text of a fact, or what it says as JSON where somebody has parsed it already. */
type FactText = string | object;

/** Of all codecs: a schema is compiled once in a process, when the first fact of it is made, and not at every start. */
const schemas = new Ajv({ allErrors: true, strict: false });

const personalPaths = (schema: Tree, prefix = ''): string[] => {
  if (schema['x-personal'] === true) return [prefix];
  const properties = (schema['properties'] ?? {}) as Record<string, Tree>;
  return Object.entries(properties).flatMap(([name, child]) => personalPaths(child, prefix === '' ? name : `${prefix}.${name}`));
};

const EVENT_TYPE = /^(.*)\.v([0-9]+)$/;

/** A wire type without its version: what all versions of an event have in common. A text that is no type of ours is its own family. */
export const familyOf = (type: string): string => EVENT_TYPE.exec(type)?.[1] ?? type;

/** Turns decided events into exact text and back. Strict when a fact is made, tolerant when it is read. */
export class Codec {
  private readonly byName = new Map<string, Compiled>();
  private readonly byFamily = new Map<string, Compiled>();

  /** `service` may encode the events of its own topics; it decodes all that it is given. */
  constructor(private readonly service: ServiceName, definitions: readonly EventDefinition[], private readonly personal?: PersonalFields) {
    for (const definition of definitions) {
      if (this.byName.has(definition.name)) throw new Error(`two events named ${definition.name}`);
      const compiled = { definition, personal: personalPaths(definition.schema.json) };
      if (compiled.personal.length > 0 && definition.personalKey === undefined) throw new Error(`${definition.name} has personal fields and names no key`);
      this.byName.set(definition.name, compiled);
      this.byFamily.set(EVENT_TYPE.exec(definition.type)![1]!, compiled);
    }
  }

  knows(type: string): boolean { return this.byFamily.has(EVENT_TYPE.exec(type)?.[1] ?? ''); }

  /** The domain's name of a wire type that `knows` has confirmed. */
  nameOf(type: string): string { return this.byFamily.get(EVENT_TYPE.exec(type)![1]!)!.definition.name; }

  /** Makes the text of a fact. `recordedAt` is wall time. Throws `InvalidFact` when the data breaks the schema. */
  encode(event: DomainEvent, stream: string, version: number, context: FactContext, recordedAt: string): EncodedFact {
    const { type: name, ...data } = event as DomainEvent & Tree;
    const compiled = this.byName.get(name);
    if (compiled === undefined || TOPICS[compiled.definition.topic].owner !== this.service) throw new InvalidFact(`${name} is not a fact that this service can append`);
    const { definition } = compiled;
    const text = JSON.stringify(data);
    const plain = JSON.parse(text) as Tree;
    const validate = schemas.compile(definition.schema.json);
    if (!validate(plain)) throw new InvalidFact(`${name} breaks its schema: ${JSON.stringify(validate.errors)}`);
    const id = derivedId('evt', context.tenant, stream, String(version));
    const head = JSON.stringify({
      specversion: '1.0', id, source: `/valueverse/${this.service}`, type: definition.type, subject: stream, time: context.at,
      datacontenttype: 'application/json', tenant: context.tenant, streamversion: version, actor: context.actor,
      clockid: context.clockId, causationid: context.causationId, correlationid: context.correlationId ?? id,
      traceparent: context.traceparent, recordedtime: recordedAt,
    });
    const body = `${head.slice(0, -1)},"data":${compiled.personal.length === 0 ? text : JSON.stringify(this.sealed(compiled, context.tenant, id, plain))}}`;
    return {
      tenant: context.tenant, stream, version, partition: partitionOf(context.tenant, stream, STORE_PARTITIONS), topic: definition.topic,
      type: definition.type, id, clock: context.clockId ?? null, body, hash: hash('sha256', body, 'buffer'),
      event: { ...plain, type: name },
    };
  }

  /** Reads a fact of any version ever written: its text, or what that says as JSON. Throws `UnknownFact`, or `PersonalKeyMissing` when its key has not come yet. */
  decode<E extends DomainEvent = DomainEvent>(body: FactText): Fact<E> {
    const raw = (typeof body === 'string' ? JSON.parse(body) : body) as Tree & { type: string; id: string; tenant: string; data: Tree };
    const match = EVENT_TYPE.exec(raw.type);
    const compiled = this.byFamily.get(match?.[1] ?? '');
    if (match === null || compiled === undefined) throw new UnknownFact(`no definition reads ${raw.type}`);
    if (Number(match[2]) > compiled.definition.version) throw new UnknownFact(`${raw.type} is newer than this release`);
    let data = raw.data;
    for (const older of compiled.definition.history ?? []) {
      if (older.version >= Number(match[2])) data = older.upcast(data);
    }
    data = this.opened(compiled, raw.tenant, raw.id, data);
    return {
      event: { ...data, type: compiled.definition.name } as unknown as E, id: raw.id, tenant: raw.tenant,
      stream: raw['subject'] as string, version: raw['streamversion'] as number, at: raw['time'] as string,
      recordedAt: raw['recordedtime'] as string, actor: raw['actor'] as string, clockId: raw['clockid'] as string | undefined,
      causationId: raw['causationid'] as string | undefined, correlationId: raw['correlationid'] as string, traceparent: raw['traceparent'] as string | undefined,
    };
  }

  /** Reads many facts, fetching the personal keys that are not in memory through the transaction. */
  async decodeAll<E extends DomainEvent = DomainEvent>(tx: Tx, bodies: readonly FactText[]): Promise<Fact<E>[]> {
    const read = bodies.map((body) => this.decodeOrKey<E>(body));
    const missing = read.filter((one) => one instanceof PersonalKeyMissing);
    if (missing.length > 0) await this.fields().fetch(tx, missing);
    return read.map((one, nth) => (one instanceof PersonalKeyMissing ? this.decode<E>(bodies[nth]!) : one));
  }

  private decodeOrKey<E extends DomainEvent>(body: FactText): Fact<E> | PersonalKeyMissing {
    try {
      return this.decode<E>(body);
    } catch (error) {
      if (error instanceof PersonalKeyMissing) return error;
      throw error;
    }
  }

  /** Makes the text of a fact as `encode` does, fetching the personal key through the transaction where it is not in memory. */
  async encodeIn(tx: Tx, ...[event, stream, version, context, recordedAt]: Parameters<Codec['encode']>): Promise<EncodedFact> {
    try {
      return this.encode(event, stream, version, context, recordedAt);
    } catch (error) {
      if (!(error instanceof PersonalKeyMissing)) throw error;
      await this.fields().fetch(tx, [error]);
      return this.encode(event, stream, version, context, recordedAt);
    }
  }

  private sealed(compiled: Compiled, tenant: string, id: string, data: Tree): Tree {
    return this.mapped(compiled, data, (keyId, path, value) => this.fields().encrypt(tenant, keyId, id, path, value));
  }

  private opened(compiled: Compiled, tenant: string, id: string, data: Tree): Tree {
    return this.mapped(compiled, data, (keyId, path, value) => this.fields().decrypt(tenant, keyId, id, path, value as string));
  }

  private mapped(compiled: Compiled, data: Tree, change: (keyId: string, path: string, value: unknown) => unknown): Tree {
    if (compiled.personal.length === 0) return data;
    const keyId = data[compiled.definition.personalKey!] as string;
    return compiled.personal.reduce((tree, path) => changedAt(tree, path.split('.'), (value) => change(keyId, path, value)), data);
  }

  private fields(): PersonalFields {
    if (this.personal === undefined) throw new Error('personal fields need a key ring');
    return this.personal;
  }
}

/** A copy of a tree in which the value at a path is another; what lies beside the path is shared. */
const changedAt = (tree: Tree, [name, ...rest]: readonly string[], change: (value: unknown) => unknown): Tree => {
  const value = tree[name!];
  if (value === undefined || value === null) return tree;
  return { ...tree, [name!]: rest.length === 0 ? change(value) : changedAt(value as Tree, rest, change) };
};

/** What a command is compared over when its id comes again: the command itself, never a ciphertext made from it. */
export const fingerprintOf = (value: unknown): Buffer => hash('sha256', canonicalJson(value), 'buffer');
