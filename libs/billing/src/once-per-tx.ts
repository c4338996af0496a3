import type { Tx } from '@valueverse/event-log';

/** Remembers what was read in a transaction, by a name: many invoices of a run stand on the same. What the transaction itself may change is not read this way. */
export const oncePerTx = <T>(): ((tx: Tx, name: string, load: () => Promise<T>) => Promise<T>) => {
  const known = new WeakMap<Tx, Map<string, Promise<T>>>();
  return (tx, name, load) => {
    const ofTx = known.get(tx) ?? new Map<string, Promise<T>>();
    known.set(tx, ofTx);
    const found = ofTx.get(name) ?? load();
    ofTx.set(name, found);
    return found;
  };
};
