import type { UsageEvent } from '../../ingest/domain/usage-event';
import { looksAt, type MeterRule } from '../../metering/domain/measure';

/** Every accepted event is one of these. `waiting`: it is kept, and counts once there is a meter that looks at it, or a subscription to its subject. */
export const STATUSES = ['counted', 'duplicate', 'conflict', 'excluded', 'waiting'] as const;
export type EventStatus = (typeof STATUSES)[number];

/** A place in metering's copy: partition, position of the envelope, place of the event in it. */
export interface EventPlace { readonly partition: number; readonly position: string; readonly index: number }
/** What metering noted about an event: `meterKey` where it is about one meter alone, `first` what was there before. */
export interface Note { readonly code: string; readonly meterKey: string | null; readonly first: EventPlace | null }
/** What came in the place of an event: a `void` takes it back. */
export interface SupersededBy { readonly kind: 'void' | 'amend'; readonly place: EventPlace }

/** What an event is held against. */
export interface Surroundings {
  /** Of the tenant's meters, all versions. */
  readonly rules: readonly MeterRule[];
  readonly claims: Claims;
}
/** A subscription's claim on a subject: on all of its usage, or on what one meter counts. From an instant on, in microseconds since 1970. */
export interface Claim { readonly meterKey: string | null; readonly from: number }
/** Subject -> the claims on it. */
export type Claims = ReadonlyMap<string, readonly Claim[]>;
export interface Occurred {
  readonly event: UsageEvent;
  readonly micros: number;
  /** Metering decided, when it came, that it does not count. */
  readonly isDropped: boolean;
  readonly notes: readonly Note[];
  readonly supersededBy: SupersededBy | null;
}
/** `reason` says why it does not count, or for what it waits; null for a counted one. `meters` are those that count it. */
export interface Standing { readonly status: EventStatus; readonly reason: string | null; readonly meters: readonly string[] }

const REPEATED: ReadonlySet<string> = new Set(['duplicate', 'conflict']);
/** It counts all the same. */
const REMARKS: ReadonlySet<string> = new Set(['id_reused']);

const excluded = (reason: string): Standing => ({ status: 'excluded', reason, meters: [] });

const dropped = ({ event, notes }: Occurred): Standing => {
  const note = notes.find(({ code, meterKey }) => meterKey === null && !REMARKS.has(code));
  if (note !== undefined) return REPEATED.has(note.code) ? { status: note.code as EventStatus, reason: note.code, meters: [] } : excluded(note.code);
  return excluded(event.correction === undefined ? 'not_counted' : event.correction.kind === 'void' ? 'void' : 'correction_repeated');
};

/**
 * Where an event stands. Reasons: `duplicate`, `conflict`; `voided`, `amended` for one that was corrected, `void` for what took one back, `correction_refused`, `correction_repeated`;
 * `invalid_value`, `too_many_groups` where no meter that looks at it could count it; `no_meter` where none looks at its type, or only from later on, `filtered_out` where those pass over its data;
 * `no_subscription` where nobody has subscribed to its subject, or only from later on; `ambiguous_subject` where its subject is an account's and more than one of its subscriptions has the meter.
 */
export const standingOf = (occurred: Occurred, { rules, claims }: Surroundings): Standing => {
  const { event, micros, isDropped, notes, supersededBy } = occurred;
  if (isDropped) return dropped(occurred);
  if (supersededBy !== null) return excluded(supersededBy.kind === 'void' ? 'voided' : 'amended');
  const ofType = rules.filter(({ eventType, from, until }) => eventType === event.type && micros >= from && micros < until);
  if (ofType.length === 0) return { status: 'waiting', reason: 'no_meter', meters: [] };
  const lookers = [...new Set(ofType.filter((rule) => looksAt(rule, event.type, micros, event.data)).map(({ key }) => key))];
  if (lookers.length === 0) return { status: 'waiting', reason: 'filtered_out', meters: [] };
  const without = new Map(notes.flatMap(({ code, meterKey }) => (meterKey === null ? [] : [[meterKey, code]])));
  const counting = lookers.filter((key) => !without.has(key));
  if (counting.length === 0) return excluded(without.get(lookers[0]!)!);
  const unclaimed = unclaimedBecause((claims.get(event.subject) ?? []).filter(({ from }) => from <= micros), counting);
  return unclaimed === undefined ? { status: 'counted', reason: null, meters: counting } : { status: 'waiting', reason: unclaimed, meters: counting };
};

/** Why nobody is billed for what these meters count of a subject; undefined where somebody is, be it for one of them. */
const unclaimedBecause = (claims: readonly Claim[], meterKeys: readonly string[]): 'no_subscription' | 'ambiguous_subject' | undefined => {
  if (claims.some(({ meterKey }) => meterKey === null)) return undefined;
  const claimants = meterKeys.map((key) => claims.filter(({ meterKey }) => meterKey === key).length);
  if (claimants.includes(1)) return undefined;
  return claimants.some((count) => count > 1) ? 'ambiguous_subject' : 'no_subscription';
};
