import type { Tx } from '@valueverse/event-log';
import { entityOf } from '../entities/entity.model';

const DIGITS = 6;
const PREFIXES = { invoice: 'INV', credit_note: 'CN' } as const;

export interface SeriesOf { readonly kind: keyof typeof PREFIXES; readonly entityKey: string | undefined; readonly clockId: string | undefined }

/**
 * Takes the next number of a series. The row is held until the commit, so numbers have no gap: what is rolled back was never taken. Each seller has its own series, and in `test` each clock, so that a run under a clock
 * always begins with the first number.
 */
export const nextNumber = async (tx: Tx, tenant: string, { kind, entityKey, clockId }: SeriesOf): Promise<string> => {
  const entity = entityKey === undefined ? undefined : await entityOf(tx, tenant, entityKey);
  const series = [clockId ?? 'main', ...(entityKey === undefined ? [] : [`entity:${entityKey}`]), ...(kind === 'invoice' ? [] : [kind])].join('/');
  const { rows } = await tx.query<{ last: bigint }>('INSERT INTO number_series AS n VALUES ($1, $2, 1) ON CONFLICT (tenant, series) DO UPDATE SET last = n.last + 1 RETURNING last', [tenant, series]);
  const number = String(rows[0]!.last).padStart(DIGITS, '0');
  return [...(entity === undefined ? [] : [entity.numberPrefix]), PREFIXES[kind], number].join('-');
};
