import { randomInt } from 'node:crypto';
import { type Message } from '@valueverse/kernel';
import { CommitUnknown, isTransient, type Database, type TransactionOptions, type Tx } from './database/database';
import { executeIn, type CommandContext, type DeciderDefinition, type Instruction, type Outcome, type WallClock } from './execute/execute';
import { AppendConflict, type EventStore } from './store/event-store';

/** Tries at a decision that others keep overtaking. Retries are safe because deciders are pure. */
const ATTEMPTS_MAX = 40;
const TRANSIENT_ATTEMPTS_MAX = 4;
const PAUSE_MS_MAX = 30;

/** The log as a service's own code uses it: a transaction that may execute commands, and the same for a single command. */
export class Log {
  constructor(readonly store: EventStore, readonly wallClock: WallClock) {}

  get database(): Database { return this.store.database; }

  /** Executes commands inside a transaction. To be called last: the heads that it locks are held until the commit. */
  execute(tx: Tx, instructions: readonly Instruction[]): Promise<Outcome[]> {
    return executeIn(this.store, tx, instructions, this.wallClock);
  }

  /**
   * Runs a transaction, again from its start when somebody was faster at one of its streams. Where it is not known whether it was committed
   * it is run again only if it is `repeatable`: if it would find its first run, by a command id or a stored answer.
   */
  async transact<T>(options: TransactionOptions & { readonly repeatable?: boolean }, work: (tx: Tx) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.database.transaction(options, work);
      } catch (error) {
        if (error instanceof CommitUnknown && !options.repeatable) throw error;
        if (attempt >= ATTEMPTS_MAX || !(error instanceof AppendConflict || (isTransient(error) && attempt < TRANSIENT_ATTEMPTS_MAX))) throw error;
        await new Promise((resolve) => { setTimeout(resolve, randomInt(1, Math.min(PAUSE_MS_MAX, attempt * 4))); });
      }
    }
  }

  /** Executes one command of a tenant in a transaction of its own. */
  async executeOne<C extends Message, E extends Message, S>(decider: DeciderDefinition<C, E, S>, command: C, context: CommandContext): Promise<Outcome> {
    const [outcome] = await this.transact({ role: 'api', tenant: context.tenant, repeatable: context.commandId !== undefined }, (tx) => this.execute(tx, [{ decider, command, context }]));
    return outcome!;
  }
}
