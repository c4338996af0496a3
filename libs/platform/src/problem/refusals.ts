import type { Refused } from '@valueverse/kernel';
import { Problem } from './problem';

/** A broken rule is a conflict with the state of things, unless its code says otherwise here. */
const DEFAULT_STATUS = 409;
const statuses = new Map<string, number>([
  // The kernel refuses texts that are not what they should be: the request is at fault, not the state.
  ['invalid_decimal', 400], ['invalid_time', 400], ['invalid_zone', 400], ['unknown_zone', 400], ['unknown_currency', 400],
  ['money_precision', 400], ['invalid_period', 400], ['invalid_duration', 400], ['not_found', 404], ['command_conflict', 409],
]);

/**
 * Says with which HTTP status a context's refusals are answered: `{ invoice_not_found: 404 }`. A context does so once, when it
 * is loaded. Throws when a code has another status already.
 */
export function registerRefusals(table: Readonly<Record<string, number>>): void {
  for (const [code, status] of Object.entries(table)) {
    const known = statuses.get(code);
    if (known !== undefined && known !== status) throw new Error(`the refusal ${code} is answered with ${known}, not also with ${status}`);
    statuses.set(code, status);
  }
}

/** The answer to a broken rule: 409 unless the code is registered with another status. */
export function problemOfRefusal({ code, message, pointer }: Refused): Problem {
  const errors = pointer === undefined ? {} : { errors: [{ pointer, code, detail: message }] };
  return new Problem(statuses.get(code) ?? DEFAULT_STATUS, code, message, errors);
}
