import type { Command } from 'commander';
import { Session, type GlobalOptions } from './session';

/** Prints JSON where that was asked for, else the lines. */
export const print = (command: Command, value: unknown, lines: () => readonly string[]): void => {
  const { json } = command.optsWithGlobals<GlobalOptions>();
  process.stdout.write(json ? `${JSON.stringify(value)}\n` : `${lines().join('\n')}\n`);
};
export const sessionOf = (command: Command): Session => new Session(command.optsWithGlobals<GlobalOptions>());
