import type { RebuildOptions, Rebuilt } from '../project/shadow';
import type { EventStore } from '../store/event-store';
import type { Message } from '@valueverse/kernel';
import type { Topic } from '@valueverse/contracts';
import type { DomainEvent, Fact } from '../codec/codec';
import type { Tx } from '../database/database';
import type { AnyDecider, DeciderDefinition } from '../execute/execute';
import type { FeedRecord } from '../feed/feed';

/**
 * Folds facts into rows of its own service. It is given nothing that could act on the world, so it can be replayed at any time
 * in silence. Its checkpoint belongs to its name and version.
 */
export interface Projector {
  readonly kind: 'projector';
  readonly name: string;
  readonly version: number;
  readonly topics: readonly Topic[];
  /** The names of the events that it reads; others are passed over. */
  readonly events: readonly string[];
  readonly project: (tx: Tx, facts: readonly Fact[]) => Promise<void>;
  /** The tables that it writes, and nobody else: what a rebuild makes again. None when it cannot be rebuilt from the feed. */
  readonly tables?: readonly string[];
}

/** The same for records that are not facts: usage envelopes and keys. */
export interface RecordProjector {
  readonly kind: 'records';
  readonly name: string;
  readonly version: number;
  readonly topics: readonly Topic[];
  /** What has to be asked of others, before the transaction that would hold rows meanwhile. May throw `NotYetKnown`. */
  readonly prepare?: (records: readonly FeedRecord[]) => Promise<void>;
  /** Records of several partitions may come at once, those of each in order. */
  readonly project: (tx: Tx, records: readonly FeedRecord[]) => Promise<void>;
  /** For a topic of much traffic: transactions of many partitions each are under way side by side. */
  readonly together?: boolean;
  readonly tables?: readonly string[];
  /** How its tables are made again, where that is not from the feed: from what it keeps itself. */
  readonly rebuild?: (store: EventStore, schema: string, options: RebuildOptions) => Promise<Rebuilt>;
}

/** A piece of work that falls due at an instant: of the wall clock, or of the test clock that it carries. */
export interface NewJob {
  readonly id: string;
  readonly kind: string;
  readonly tenant: string;
  readonly dueAt: string;
  readonly clockId?: string | undefined;
  readonly payload: unknown;
  readonly causationId?: string | undefined;
  readonly correlationId?: string | undefined;
  readonly traceparent?: string | undefined;
}

/** A command that follows. `isIdempotent`: given again it comes to nothing by its decider alone, so it is not remembered by an id, which costs as much as a small fact. */
export interface Following { readonly decider: AnyDecider; readonly command: Message; readonly isIdempotent?: boolean }
/** What follows from a fact: commands to deciders of the same service, and jobs. Ids derive from the fact, so a redelivery is the same. */
export interface Reaction {
  readonly commands?: readonly Following[];
  readonly jobs?: readonly NewJob[];
}
/** A command of a reaction, checked against its decider. */
export const follow = <C extends Message, E extends Message, S>(decider: DeciderDefinition<C, E, S>, command: C): Following => ({ decider, command });
/** The same, of one that comes to nothing when it is given again. */
export const followIdempotent = <C extends Message, E extends Message, S>(decider: DeciderDefinition<C, E, S>, command: C): Following => ({ decider, command, isIdempotent: true });

export type Reacting<E extends DomainEvent> = (event: E, fact: Fact<E>, tx: Tx) => Reaction | Promise<Reaction>;

/** Acts on facts. It runs live only and is never replayed. */
export interface Reactor {
  readonly kind: 'reactor';
  readonly name: string;
  readonly topics: readonly Topic[];
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- each handler has the type of its own event
  readonly on: Readonly<Record<string, Reacting<any>>>;
  /** The same for the facts of one transaction together, a reaction for each in their order, where that asks less often. What it leaves out goes to `on`. */
  readonly together?: (facts: readonly Fact[], tx: Tx) => Promise<readonly (Reaction | undefined)[]>;
}
export type Consumer = Projector | RecordProjector | Reactor;

export const consumerName = (consumer: Consumer): string => (consumer.kind === 'reactor' ? consumer.name : `${consumer.name}@${consumer.version}`);

/** Writes jobs inside the transaction that caused them. */
export interface JobSink { schedule(tx: Tx, jobs: readonly NewJob[]): Promise<void> }

/** Something that this depends on has not arrived yet, such as a fact of another topic. It is waited for, not parked. */
export class NotYetKnown extends Error {
  readonly code = 'not_yet_known';
}
