import type { Tx } from '@valueverse/event-log';

const DIGITS = 6;

/**
 * Takes the next number of a series. The row is held until the commit, so numbers have no gap: what is rolled back was never taken.
 * In `test` each clock has its own series, so that a run under a clock always begins with the first number.
 */
export const nextNumber = async (tx: Tx, tenant: string, clockId: string | undefined): Promise<string> => {
  const { rows } = await tx.query<{ last: bigint }>(
    'INSERT INTO number_series AS n VALUES ($1, $2, 1) ON CONFLICT (tenant, series) DO UPDATE SET last = n.last + 1 RETURNING last', [tenant, clockId ?? 'main']);
  return `INV-${String(rows[0]!.last).padStart(DIGITS, '0')}`;
};
