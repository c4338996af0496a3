import { dispatch, type Decider } from '@valueverse/kernel';
import type { StatementsRequested } from '@valueverse/contracts';

export interface RequestStatements { readonly type: 'RequestStatements'; readonly chunkId: string; readonly requests: StatementsRequested['requests']; readonly at: string }

/** A chunk of questions to metering, asked once. It holds one tenant and one clock. */
export const statementRequests: Decider<RequestStatements, StatementsRequested, { isAsked: boolean }> = {
  initial: { isAsked: false },
  decide: dispatch<RequestStatements, { isAsked: boolean }, readonly StatementsRequested[]>({
    RequestStatements: ({ chunkId, requests, at }, { isAsked }) => (isAsked ? [] : [{ type: 'StatementsRequested', chunkId, requests, requestedAt: at }]),
  }),
  evolve: dispatch<StatementsRequested, { isAsked: boolean }, { isAsked: boolean }>({ StatementsRequested: () => ({ isAsked: true }) }),
};
