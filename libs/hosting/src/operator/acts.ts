import type { Tx } from '@valueverse/event-log';
import type { Service } from '@valueverse/platform';

/** What an operator did: once when it begins, once when it has ended, with how. */
export interface OperatorAct { readonly actor: string; readonly act: string; readonly subject: string; readonly details: string; readonly trace: string; readonly outcome: string }
export interface ListedAct extends OperatorAct { readonly nth: string; readonly at: string }

export const recordAct = async (service: Service, { actor, act, subject, details, trace, outcome }: OperatorAct): Promise<void> => {
  await service.database.transaction({ role: 'worker' }, (tx) => tx.query('INSERT INTO operator_acts (actor, act, subject, details, trace, outcome) VALUES ($1, $2, $3, $4, $5, $6)', [actor, act, subject, details, trace, outcome]));
};

/** Acts, the latest first, before one of them. */
export const actsBefore = async (tx: Tx, before: string | undefined, limit: number): Promise<ListedAct[]> => {
  const { rows } = await tx.query<Omit<ListedAct, 'nth'> & { nth: bigint }>(
    `SELECT nth, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, actor, act, subject, details, trace, outcome FROM operator_acts WHERE $1::bigint IS NULL OR nth < $1 ORDER BY nth DESC LIMIT $2`,
    [before ?? null, limit]);
  return rows.map((row) => ({ ...row, nth: String(row.nth) }));
};
