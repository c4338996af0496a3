import { expect } from '@jest/globals';
import { type Decider, type Message, type Process, Refused } from '@valueverse/kernel';

/** What happened to a command. */
export interface Outcome<E extends Message> {
  /** Exactly these events and no other, in this order; none at all for a command that was obeyed before. */
  then(...events: readonly E[]): void;
  /** The decider refused with this code; any other error fails the test as itself. */
  thenRefused(code: string): void;
}

/** Past events of one stream, ready for a command. */
export interface Given<C extends Message, E extends Message> {
  when(command: C): Outcome<E>;
}

/** The past of a stream, without I/O: `given(invoice, issued).when(pay).then(paid)`. */
export function given<C extends Message, E extends Message, S>(decider: Decider<C, E, S>, ...events: readonly E[]): Given<C, E> {
  const state = events.reduce<S>((before, event) => decider.evolve(event, before), decider.initial);
  return {
    when: (command) => ({
      then: (...expected) => expect(decider.decide(command, state)).toEqual(expected),
      thenRefused: (code) => expect(refusalOf(() => decider.decide(command, state))).toBe(code),
    }),
  };
}

function refusalOf(decide: () => readonly Message[]): string {
  try {
    return `nothing was refused, decided: ${decide().map(({ type }) => type).join(', ') || 'nothing'}`;
  } catch (error) {
    if (error instanceof Refused) return error.code;
    throw error;
  }
}

/** What a process sent over all its inputs. */
export interface Reactions<Out extends Message> {
  /** Exactly these outputs in this order, each given as its type or as the whole message. */
  then(...outputs: readonly (Out | Out['type'])[]): void;
}

/** The inputs of one instance, one after the other: `following(collection, issued, failed).then('RequestPayment')`. */
export function following<In extends Message, Out extends Message, S>(process: Process<In, Out, S>, ...inputs: readonly In[]): Reactions<Out> {
  const instances = new Set(inputs.map((input) => process.instance(input)));
  expect([...instances].length).toBeLessThanOrEqual(1);
  let state = process.initial;
  const sent: Out[] = [];
  for (const input of inputs) {
    state = process.evolve(input, state);
    sent.push(...process.react(input, state));
  }
  return {
    then: (...expected) => expect(sent.map((output, index) => (typeof expected[index] === 'string' ? output.type : output))).toEqual(expected),
  };
}
