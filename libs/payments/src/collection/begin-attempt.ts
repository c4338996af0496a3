import type { JobHandler } from '@valueverse/platform';
import { paymentDecider } from './payments';

export const BEGIN_ATTEMPT = 'payments.begin-attempt';
export interface BeginPayload { readonly paymentId: string; readonly attempt: number; readonly methodId: string; readonly provider: string }

/** Begins the attempt that was scheduled. One that has begun already, or whose payment is over, is not begun again: the decider knows. */
export const beginAttempt: JobHandler = {
  kind: BEGIN_ATTEMPT,
  run: async ({ payload, now }) => ({ outcome: 'done', reaction: { commands: [{ decider: paymentDecider, command: { type: 'StartAttempt', ...payload as BeginPayload, at: now } }] } }),
};
