import type { Decider, Message } from '@valueverse/kernel';
import { fingerprintOf, type DomainEvent, type EncodedFact, type Fact, type FactContext } from '../codec/codec';
import type { Tx } from '../database/database';
import { foldInto, writeRowsOf, type AnyReadModel } from '../project/read-model';
import { appending, noteCorrelation, type BeginAppend } from '../tracing';
import { CommandConflict, commandName, streamName, type EventStore, type Position, type RecordedCommand } from '../store/event-store';

/** A decider, the stream that each of its commands belongs to, and the rows that are written together with its facts. */
export interface DeciderDefinition<C extends Message, E extends Message, S> {
  readonly name: string;
  readonly decider: Decider<C, E, S>;
  readonly stream: (command: C) => string;
  /** Read models whose rows belong to one stream: written in the appending transaction, so that a writer reads its writes. */
  readonly views?: readonly AnyReadModel[];
}
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a batch holds commands of different deciders
export type AnyDecider = DeciderDefinition<any, any, any>;

export interface CommandContext extends FactContext {
  /** The same id is the same command: its facts are found, not made again. */
  readonly commandId?: string | undefined;
  /** What the decision is made of beside its cause, as trace contexts: for traces only. */
  readonly madeOf?: readonly string[] | undefined;
}
export interface Instruction<C extends Message = Message> {
  readonly decider: AnyDecider;
  readonly command: C;
  readonly context: CommandContext;
}
/** An instruction whose command is checked against its decider. */
export const instruct = <C extends Message, E extends Message, S>(decider: DeciderDefinition<C, E, S>, command: C, context: CommandContext): Instruction => ({ decider, command, context });

export interface Outcome {
  readonly facts: readonly Fact[];
  /** Where the facts are in the store; empty for a repetition. */
  readonly positions: readonly Position[];
  readonly repeated: boolean;
}

/** Facts of a stream from which its rows are folded anew; where there are more, they are read and what is new is folded into them. */
const SHORT_MAX = 16;

interface OpenStream { readonly facts: Fact[]; readonly fresh: Fact[]; readonly states: Map<AnyDecider, { value: unknown; version: number }>; version: number }

/** Makes wall time for `recordedAt`. */
export type WallClock = () => string;

/**
 * The only place where decisions meet the log. Loads the streams of all instructions, decides one after the other, writes the
 * rows that belong to the streams, and appends everything at once, as the last statement of the transaction.
 *
 * Throws what a decider refuses (`Refused`), `CommandConflict` for a command id that came with another command, and
 * `AppendConflict` when somebody was faster: then the whole transaction is run again, which is safe because `decide` is pure.
 */
export const executeIn = (store: EventStore, tx: Tx, instructions: readonly Instruction[], wallClock: WallClock): Promise<Outcome[]> =>
  appending((begin) => decideAndAppend(store, tx, instructions, wallClock, begin));

const decideAndAppend = async (store: EventStore, tx: Tx, instructions: readonly Instruction[], wallClock: WallClock, begin: BeginAppend): Promise<Outcome[]> => {
  const streams = await openStreams(store, tx, instructions);
  const outcomes: (Outcome & { encoded: EncodedFact[] })[] = [];
  const commands: RecordedCommand[] = [];
  const given = new Map<string, { readonly fingerprint: Buffer; readonly facts: readonly Fact[] }>();
  const known = await store.knownCommands(tx, instructions.flatMap(({ context: { tenant, commandId } }) => (commandId === undefined ? [] : [{ tenant, commandId }])));
  for (const { decider, command, context } of instructions) {
    const fingerprint = context.commandId === undefined ? undefined : fingerprintOf({ decider: decider.name, command: withoutTime(command) });
    const commandKey = commandName(context.tenant, context.commandId ?? '');
    if (fingerprint !== undefined) {
      const earlier = given.get(commandKey);
      if (earlier !== undefined && !earlier.fingerprint.equals(fingerprint)) throw new CommandConflict(context.commandId!);
      const repeated = earlier?.facts ?? (known.has(commandKey) ? await store.findCommand(tx, context.tenant, context.commandId!, fingerprint) : undefined);
      if (repeated !== undefined) { outcomes.push({ facts: repeated, positions: [], repeated: true, encoded: [] }); continue; }
    }
    const stream = decider.stream(command);
    const open = streams.get(streamName({ tenant: context.tenant, stream }))!;
    const decided = decider.decider.decide(command, stateOf(open, decider)) as readonly DomainEvent[];
    const first = open.version + 1;
    const encoded: EncodedFact[] = [];
    const traced = decided.length === 0 ? context : { ...context, traceparent: begin(decider.name, context, open.facts) };
    for (const event of decided) encoded.push(await store.codec.encodeIn(tx, event, stream, first + encoded.length, traced, wallClock()));
    const facts = encoded.map((fact) => factOf(fact, traced));
    if (facts.length > 0) noteCorrelation(facts[0]!.correlationId);
    open.version += facts.length;
    open.fresh.push(...facts);
    outcomes.push({ facts, positions: [], repeated: false, encoded });
    if (fingerprint !== undefined) {
      given.set(commandKey, { fingerprint, facts });
      commands.push({ tenant: context.tenant, commandId: context.commandId!, fingerprint, stream, firstVersion: first, lastVersion: open.version });
    }
  }
  await writeViews(tx, instructions, streams);
  const all = outcomes.flatMap(({ encoded }) => encoded);
  if (all.length === 0 && commands.length === 0) return outcomes;
  const positions = await store.append(tx, all, commands);
  let next = 0;
  return outcomes.map(({ facts, repeated, encoded }) => ({ facts, repeated, positions: positions.slice(next, next += encoded.length) }));
};

const openStreams = async (store: EventStore, tx: Tx, instructions: readonly Instruction[]): Promise<Map<string, OpenStream>> => {
  const keys = instructions.map(({ decider, command, context }) => ({ tenant: context.tenant, stream: decider.stream(command) }));
  const read = await store.readMany(tx, keys);
  return new Map([...read].map(([name, facts]) => [name, { facts, fresh: [], states: new Map(), version: facts.at(-1)?.version ?? 0 }]));
};

/** What a decider knows of a stream: each one folds for itself, what is new included. */
const stateOf = ({ facts, fresh, states, version }: OpenStream, definition: AnyDecider): unknown => {
  const known = states.get(definition) ?? { value: definition.decider.initial as unknown, version: 0 };
  const value = [...facts, ...fresh].slice(known.version).reduce((state: unknown, { event }) => definition.decider.evolve(event, state), known.value);
  states.set(definition, { value, version });
  return value;
};

const writeViews = async (tx: Tx, instructions: readonly Instruction[], streams: Map<string, OpenStream>): Promise<void> => {
  const touched = new Map<AnyReadModel, Set<OpenStream>>();
  for (const { decider, command, context } of instructions) {
    const open = streams.get(streamName({ tenant: context.tenant, stream: decider.stream(command) }))!;
    if (open.fresh.length === 0) continue;
    for (const view of decider.views ?? []) touched.set(view, (touched.get(view) ?? new Set()).add(open));
  }
  for (const [view, opened] of touched) {
    const [short, long] = [true, false].map((isShort) => [...opened].filter(({ facts }) => facts.length <= SHORT_MAX === isShort)) as [OpenStream[], OpenStream[]];
    await writeRowsOf(tx, view, short);
    // The whole stream is offered: a row that was not written by an older release folds what it missed.
    await foldInto(tx, view, long.flatMap(({ facts, fresh }) => [...facts, ...fresh]), { ownStream: true });
  }
};

const factOf = (fact: EncodedFact, context: FactContext): Fact => ({
  event: fact.event, id: fact.id, tenant: fact.tenant, stream: fact.stream, version: fact.version, at: context.at, recordedAt: '', actor: context.actor,
  clockId: context.clockId, causationId: context.causationId, correlationId: context.correlationId ?? fact.id, traceparent: context.traceparent,
});

/** The same command repeated a moment later has another `at`; it is still the same command. */
const withoutTime = (command: Message): unknown => {
  const { at: _at, ...rest } = command as Message & { at?: string };
  return rest;
};
