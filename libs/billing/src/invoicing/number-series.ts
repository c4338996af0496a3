import type { Tx } from '@valueverse/event-log';
import { entityOf } from '../entities/entity.model';

const DIGITS = 6;
const PREFIXES = { invoice: 'INV', credit_note: 'CN' } as const;

export interface SeriesOf { readonly kind: keyof typeof PREFIXES; readonly entityKey: string | undefined; readonly clockId: string | undefined }

/**
 * Takes the next number of a series. The row is held until the commit, so numbers have no gap: what is rolled back was never taken. Each seller has its own series, and in `test` each clock, so that a run under a clock
 * always begins with the first number.
 */
export const nextNumber = async (tx: Tx, tenant: string, series: SeriesOf): Promise<string> => (await nextNumbers(tx, tenant, series, 1))[0]!;

/** So many of them, in their order. */
export const nextNumbers = async (tx: Tx, tenant: string, { kind, entityKey, clockId }: SeriesOf, count: number): Promise<string[]> => {
  const entity = entityKey === undefined ? undefined : await entityOf(tx, tenant, entityKey);
  const series = [clockId ?? 'main', ...(entityKey === undefined ? [] : [`entity:${entityKey}`]), ...(kind === 'invoice' ? [] : [kind])].join('/');
  const { rows } = await tx.query<{ last: bigint }>('INSERT INTO number_series AS n VALUES ($1, $2, $3) ON CONFLICT (tenant, series) DO UPDATE SET last = n.last + $3 RETURNING last', [tenant, series, count]);
  const first = rows[0]!.last - BigInt(count) + 1n;
  return Array.from({ length: count }, (_, nth) => [...(entity === undefined ? [] : [entity.numberPrefix]), PREFIXES[kind], String(first + BigInt(nth)).padStart(DIGITS, '0')].join('-'));
};
