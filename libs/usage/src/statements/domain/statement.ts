import { type Decider, dispatch } from '@valueverse/kernel';
import type { StatementIssued } from '@valueverse/contracts';

export type StatementData = Omit<StatementIssued, 'type'>;
export type IssueStatement = { readonly type: 'IssueStatement' } & StatementData;
export interface StatementState { readonly isIssued: boolean }

/** A statement is issued once and never changes; whoever comes second finds that it is there. */
export const statementDecider: Decider<IssueStatement, StatementIssued, StatementState> = {
  initial: { isIssued: false },
  decide: dispatch<IssueStatement, StatementState, readonly StatementIssued[]>({
    IssueStatement: ({ type: _type, ...data }, { isIssued }) => (isIssued ? [] : [{ type: 'StatementIssued', ...data }]),
  }),
  evolve: dispatch<StatementIssued, StatementState, StatementState>({ StatementIssued: () => ({ isIssued: true }) }),
};
