import { createHash } from 'node:crypto';
import { tokenOf } from './sandbox-tokens';

/** What can go wrong with one request; `*_after` has done its work before; what arrives late does it after whoever sent it has given up waiting, and may have looked for it already. */
export const REQUEST_FAULTS = ['fail_before', 'fail_after', 'hang_before', 'hang_after', 'lose_request', 'lose_reply', 'arrive_late', 'rate_limit', 'decline', 'processing', 'requires_action', 'dispute', 'refund_fails_later'] as const;
/** What can go wrong with one delivery of a webhook. */
export const WEBHOOK_FAULTS = ['webhook_late', 'webhook_twice', 'webhook_permuted', 'webhook_dropped', 'webhook_other_account', 'webhook_other_version', 'webhook_unknown_type', 'webhook_wrong_secret', 'webhook_changed'] as const;
export type RequestFault = (typeof REQUEST_FAULTS)[number];
export type WebhookFault = (typeof WEBHOOK_FAULTS)[number];
export const OPERATIONS = ['charge', 'refund', 'read', 'any'] as const;
export type Operation = (typeof OPERATIONS)[number];

/** A fault that is switched on: for the operations it names, so often, or with a chance that its seed decides. */
export interface Fault {
  readonly fault: RequestFault | WebhookFault;
  readonly operation?: Operation;
  /** Only for requests that pay with this token. */
  readonly token?: string;
  /** So often, then no more; always when it is not given. */
  readonly times?: number;
  /** Of 1; always when it is not given. */
  readonly chance?: number;
  readonly seed?: number;
  /** The code of a decline. */
  readonly code?: string;
  /** Of what happens later. */
  readonly days?: number;
  /** Of what hangs, is late or arrives late. */
  readonly milliseconds?: number;
}
export interface ArmedFault extends Fault { readonly id: string }

const FRACTION_BYTES = 6;
/** A number from 0 to 1 that follows from its parts: a seed makes the same faults again. */
export const chanceOf = (...parts: readonly (string | number)[]): number =>
  createHash('sha256').update(JSON.stringify(parts)).digest().readUIntBE(0, FRACTION_BYTES) / 2 ** (8 * FRACTION_BYTES);

/** Which throw of the dice an order is: the nth that looks like it, in the order in which they came. Ids are made anew each time and say nothing. */
export class Dice {
  private readonly thrown = new Map<string, number>();
  nth(name: string): number {
    const nth = (this.thrown.get(name) ?? 0) + 1;
    this.thrown.set(name, nth);
    return nth;
  }
}

/** The faults that hit a request, or a delivery: `name` and `nth` say which one it is, for the dice. */
export const faultsOf = (armed: readonly ArmedFault[], { operation, token, name, nth }: { readonly operation: Operation; readonly token?: string | undefined; readonly name: string; readonly nth: number }): readonly ArmedFault[] =>
  armed.filter((one) => (one.operation === undefined || one.operation === 'any' || one.operation === operation) && (one.token === undefined || (token !== undefined && one.token === tokenOf(token)))
    && (one.chance === undefined || chanceOf(one.seed ?? 0, one.fault, name, nth) < one.chance));
