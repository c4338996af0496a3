import { type Decider, dispatch } from '@valueverse/kernel';
import type { StatementIssued, LateUsageFound } from '@valueverse/contracts';

export type StatementData = Omit<StatementIssued, 'type'>;
export type IssueStatement = { readonly type: 'IssueStatement' } & StatementData;
export type NoteLateUsage = { readonly type: 'NoteLateUsage' } & Omit<LateUsageFound, 'type'>;
export type StatementCommand = IssueStatement | NoteLateUsage;
export type StatementFact = StatementIssued | LateUsageFound;
export interface StatementState {
  readonly isIssued: boolean;
  /** Partition -> the position up to which late usage was told. */
  readonly lateUpTo: Readonly<Record<number, number>>;
}

const lastOf = ({ positions }: Pick<LateUsageFound, 'positions'>): number => Number(positions.at(-1) ?? 0);

/** A statement is issued once and never changes; whoever comes second finds that it is there. What came late to it is told in the order of the copy, once. */
export const statementDecider: Decider<StatementCommand, StatementFact, StatementState> = {
  initial: { isIssued: false, lateUpTo: {} },
  decide: dispatch<StatementCommand, StatementState, readonly StatementFact[]>({
    IssueStatement: ({ type: _type, ...data }, { isIssued }) => (isIssued ? [] : [{ type: 'StatementIssued', ...data }]),
    NoteLateUsage: ({ type: _type, ...data }, { isIssued, lateUpTo }) => (!isIssued || lastOf(data) <= (lateUpTo[data.partition] ?? 0) ? [] : [{ type: 'LateUsageFound', ...data }]),
  }),
  evolve: dispatch<StatementFact, StatementState, StatementState>({
    StatementIssued: (_, state) => ({ ...state, isIssued: true }),
    LateUsageFound: (late, state) => ({ ...state, lateUpTo: { ...state.lateUpTo, [late.partition]: lastOf(late) } }),
  }),
};
