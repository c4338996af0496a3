import type { Tx } from '@valueverse/event-log';
import type { PaymentRow } from './payments';

/** A payment that a provider tells of. `clock` is the test clock that its account lives on. */
export interface Owner { readonly key: string; readonly clock: string | null; readonly row: Pick<PaymentRow, 'attempts' | 'refunds'> }
interface Found extends Owner, Record<string, unknown> { readonly reference: string | null; readonly duplicate: string | null }
/** Payments by their id, and by what the provider calls their charges. */
export interface Owners { readonly byKey: ReadonlyMap<string, Owner>; readonly byReference: ReadonlyMap<string, Owner> }
export interface Named { readonly keys: readonly string[]; readonly references: readonly string[] }

const OWNER_SQL = 'SELECT p.key, p.row, p.provider_reference AS reference, p.duplicate_reference AS duplicate, a.clock FROM payments p LEFT JOIN known_accounts a ON a.tenant = p.tenant AND a.account_id = p.account_id WHERE p.tenant = $1';

/** The payments that are meant, in two questions however many they are. */
export const ownersOf = async (tx: Tx, tenant: string, { keys, references }: Named): Promise<Owners> => {
  const found = async (names: readonly string[], sql: string): Promise<Found[]> => (names.length === 0 ? [] : (await tx.query<Found>(sql, [tenant, [...new Set(names)]])).rows);
  return {
    byKey: new Map((await found(keys, `${OWNER_SQL} AND p.key = ANY($2)`)).map((owner) => [owner.key, owner])),
    byReference: new Map((await found(references, `${OWNER_SQL} AND (p.provider_reference = ANY($2) OR p.duplicate_reference = ANY($2))`)).flatMap((owner) => [owner.reference, owner.duplicate].flatMap((name) => (name === null ? [] : [[name, owner] as const])))),
  };
};
