import type { DatabaseRole } from './database';

/** Uses of a statement before it is worth a name, and how many have one. */
const UNNAMED_USES = 3;
const NAMES_MAX = 1_000;

/**
 * Names for statements that come again and again: the database reads and plans one with a name once per connection, which costs more than most of them. A name is of one role, because what row security adds
 * is planned for a role; the owner changes tables, and names nothing.
 */
export class StatementNames {
  private readonly uses = new Map<string, number>();
  private readonly known = new Map<string, string>();

  of(role: DatabaseRole, text: string): string | undefined {
    if (role === 'owner') return undefined;
    const known = this.known.get(text);
    if (known !== undefined) return `${role}_${known}`;
    if (this.known.size >= NAMES_MAX) return undefined;
    const uses = (this.uses.get(text) ?? 0) + 1;
    if (uses <= UNNAMED_USES) {
      if (this.uses.size >= NAMES_MAX) this.uses.clear();
      this.uses.set(text, uses);
      return undefined;
    }
    this.uses.delete(text);
    this.known.set(text, String(this.known.size));
    return `${role}_${this.known.get(text)!}`;
  }
}

/** Transactions of a connection after which its plans are made again for the first time, and at least how often later on. */
const FIRST_PLANS = 16;
const PLANS_AT_MOST = 65_536;

/**
 * Says when the plans of a connection are to be made again. One that was made for tables that had just begun to fill stays as it is until their statistics are made, a minute or more later, and may by
 * then read all rows of a tenant where it needs one. So they are made anew after twice as many transactions each time: tables grow as much meanwhile.
 */
export class Plans {
  private readonly ages = new WeakMap<object, { transactions: number; due: number }>();

  /** Counts a transaction of this connection. */
  areOld(connection: object): boolean {
    let age = this.ages.get(connection);
    if (age === undefined) this.ages.set(connection, age = { transactions: 0, due: FIRST_PLANS });
    age.transactions += 1;
    if (age.transactions < age.due) return false;
    age.due += Math.min(age.due, PLANS_AT_MOST);
    return true;
  }
}
