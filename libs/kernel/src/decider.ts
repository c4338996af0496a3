/** What every command, event and timer has: a type that tells it from its siblings. */
export interface Message {
  readonly type: string;
}

/** One handler for each message type: a missing, misspelt, or surplus one does not compile. */
export type Handlers<M extends Message, S, R> = {
  readonly [T in M['type']]: (message: Extract<M, { type: T }>, state: S) => R;
};

/** Turns a table of handlers into one function. The type arguments are spelled out by the caller: they are the table's contract. */
export const dispatch =
  <M extends Message, S, R>(handlers: Handlers<M, S, R>) =>
  (message: M, state: S): R =>
    handlers[message.type as M['type']](message as never, state);

/**
 * Pure and synchronous: `decide` says what happens, `evolve` remembers it, no clock is read.
 *
 * `decide` returns `[]` for a command that has been obeyed already, and throws `Refused` where a rule is broken.
 * `evolve` never throws and never decides: a past fact is true even if today's rules would forbid it.
 */
export interface Decider<C extends Message, E extends Message, S> {
  readonly initial: S;
  readonly decide: (command: C, state: S) => readonly E[];
  readonly evolve: (event: E, state: S) => S;
}

/** A decider turned round. Events come in, commands and timers go out. It remembers first, then reacts. */
export interface Process<In extends Message, Out extends Message, S> {
  readonly name: string;
  readonly instance: (input: In) => string;
  readonly initial: S;
  readonly evolve: (input: In, state: S) => S;
  readonly react: (input: In, state: S) => readonly Out[];
}

/** Folds events into one row per key. The keys of `on` are the subscription; raising `version` builds the table anew beside the old one. */
export interface Projection<E extends Message, Row> {
  readonly table: string;
  readonly version: number;
  readonly key: (event: E) => string;
  readonly initial: Row;
  readonly on: Partial<Handlers<E, Row, Row>>;
}

/**
 * The message is well formed and a rule says no.
 *
 * `code` is stable and made for programs, the message is made for people, and `pointer` (RFC 6901) names the field
 * at fault where there is one.
 */
export class Refused extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly pointer?: string,
  ) {
    super(message);
    this.name = 'Refused';
  }
}

/** What `work` answers; what it refuses is refused at the field that it is about (`pointer`, RFC 6901). */
export const refusedAt = <T>(pointer: string, work: () => T): T => {
  try {
    return work();
  } catch (error) {
    throw error instanceof Refused ? new Refused(error.code, error.message, pointer) : error;
  }
};
