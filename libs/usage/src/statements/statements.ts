import { derivedId, earlierOf } from '@valueverse/kernel';
import type { DeciderDefinition, ReadModel, Tx } from '@valueverse/event-log';
import { type StatementCommand, type StatementData, statementDecider, type StatementFact, type StatementState } from './domain/statement';

/** A statement, and how much came late to it since. */
export interface StatementRow extends StatementData { readonly late?: { readonly events: number; readonly since: string } }

const NONE: StatementRow = {
  statementId: '', requestId: '', chunkId: '', subscriptionId: '', chargeKey: '', meterKey: '', meterVersion: 1,
  usage: [], groupBy: [], quantities: [], asOf: {}, evidence: '', issuedAt: '',
};

/** The statements of a tenant. Written with the fact, before anybody is told. */
export const statementsView: ReadModel<StatementFact, StatementRow> = {
  table: 'statements', version: 1, key: ({ statementId }) => statementId, initial: NONE,
  on: {
    StatementIssued: ({ type: _type, ...data }) => data,
    LateUsageFound: ({ events, receivedFrom }, { late, ...row }) => ({ ...row, late: { events: (late?.events ?? 0) + events, since: late === undefined ? receivedFrom : earlierOf(late.since, receivedFrom) } }),
  },
  columns: { subscription: ({ subscriptionId }) => subscriptionId }, sortBy: ({ issuedAt }) => issuedAt,
};

export const statement: DeciderDefinition<StatementCommand, StatementFact, StatementState> = {
  name: 'statement', decider: statementDecider, stream: ({ statementId }) => `statement-${statementId}`, views: [statementsView],
};

/** One request, one statement: asked again, it is the same. */
export const statementIdOf = (tenant: string, requestId: string): string => derivedId('ust', tenant, requestId);

/** A tenant's statement; undefined where there is none of this id. */
export const statementOf = async (tx: Tx, tenant: string, statementId: string): Promise<StatementRow | undefined> => {
  const { rows } = await tx.query<{ row: StatementRow }>('SELECT row FROM statements WHERE tenant = $1 AND key = $2', [tenant, statementId]);
  return rows[0]?.row;
};
