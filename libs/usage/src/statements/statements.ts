import { derivedId } from '@valueverse/kernel';
import type { StatementIssued } from '@valueverse/contracts';
import type { DeciderDefinition, ReadModel, Tx } from '@valueverse/event-log';
import { type IssueStatement, type StatementData, statementDecider, type StatementState } from './domain/statement';

const NONE: StatementData = {
  statementId: '', requestId: '', chunkId: '', subscriptionId: '', chargeKey: '', meterKey: '', meterVersion: 1,
  usage: [], groupBy: [], quantities: [], asOf: {}, evidence: '', issuedAt: '',
};

/** The statements of a tenant. Written with the fact, before anybody is told. */
export const statementsView: ReadModel<StatementIssued, StatementData> = {
  table: 'statements', version: 1, key: ({ statementId }) => statementId, initial: NONE,
  on: { StatementIssued: ({ type: _type, ...data }) => data },
  columns: { subscription: ({ subscriptionId }) => subscriptionId }, sortBy: ({ issuedAt }) => issuedAt,
};

export const statement: DeciderDefinition<IssueStatement, StatementIssued, StatementState> = {
  name: 'statement', decider: statementDecider, stream: ({ statementId }) => `statement-${statementId}`, views: [statementsView],
};

/** One request, one statement: asked again, it is the same. */
export const statementIdOf = (tenant: string, requestId: string): string => derivedId('ust', tenant, requestId);

/** A tenant's statement; undefined where there is none of this id. */
export const statementOf = async (tx: Tx, tenant: string, statementId: string): Promise<StatementData | undefined> => {
  const { rows } = await tx.query<{ row: StatementData }>('SELECT row FROM statements WHERE tenant = $1 AND key = $2', [tenant, statementId]);
  return rows[0]?.row;
};
