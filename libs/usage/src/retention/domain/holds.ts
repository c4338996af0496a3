import type { Claim, Standing, Note } from '../../events/domain/standing';
import { BUCKET_MICROS, bucketOf, type Stretch } from '../../metering/domain/bucket';

/**
 * Why an envelope is kept beyond the retention. Of one of its events: `open_periods` has no statement yet, `late` came after its statement, `waiting` has no subscription or no meter, `statement_requests`
 * is asked for. Of the partition: `back_fill` of a meter, `late_usage_look` has not come so far. `altered`: the body is not what its hash says.
 */
export const HOLD_REASONS = ['open_periods', 'late', 'waiting', 'statement_requests', 'back_fill', 'late_usage_look', 'altered'] as const;
export type HoldReason = (typeof HOLD_REASONS)[number];

/** What a statement of one meter is about, and the position that it is as of; microseconds, half-open. */
export interface Stated extends Stretch { readonly meterKey: string; readonly asOf: number }
/** What is known about a subject. */
export interface SubjectState {
  readonly claims: readonly Claim[];
  /** Its statements around the time that is looked at. */
  readonly stated: readonly Stated[];
  /** The meters that it ever had a statement of. */
  readonly billedBy: ReadonlySet<string>;
  /** A statement about it is asked for and not answered. */
  readonly isAskedFor: boolean;
}
/** One event of an envelope. */
export interface Holdable extends Standing { readonly micros: number; readonly position: number; readonly notes: readonly Note[] }

/** It has no usable value for the meters that look at it; it may be amended, and another meter may come. */
const WITHOUT_VALUE: ReadonlySet<string> = new Set(['invalid_value', 'too_many_groups']);

/** Whether stretches cover all of another one. */
export const covers = (stretches: readonly Stretch[], { from, to }: Stretch): boolean => {
  let at = from;
  for (const one of [...stretches].sort((left, right) => left.from - right.from)) {
    if (one.from > at) return false;
    at = Math.max(at, one.to);
    if (at >= to) return true;
  }
  return at >= to;
};

/** All the buckets that an event is in, of the index and of the meter: an edge inside one of them is read from the envelopes. Nobody asks for what was before the first claim. */
const bucketsAround = (micros: number, length: number, claimedFrom: number): Stretch => ({
  from: Math.max(claimedFrom, Math.min(bucketOf(micros), bucketOf(micros, length))),
  to: Math.max(bucketOf(micros) + BUCKET_MICROS, bucketOf(micros, length) + length),
});

/**
 * Why an event has to be kept; undefined where nobody needs it again. It errs to keep: one that counts may go when, for each meter that its subject was ever billed by, statements which know of it cover
 * all of its bucket. A repetition, and what was taken back or replaced, may always go: within the retention nobody can correct it any more.
 */
export const holdOf = ({ status, reason, meters, notes, micros, position }: Holdable, { claims, stated, billedBy, isAskedFor }: SubjectState, lengthOf: (meterKey: string) => number): HoldReason | undefined => {
  if (isAskedFor) return 'statement_requests';
  if (status === 'waiting') return 'waiting';
  if (status !== 'counted' && !WITHOUT_VALUE.has(reason ?? '')) return undefined;
  const own = claims.filter(({ from }) => from <= micros);
  if (own.length === 0) return 'waiting';
  const lookers = status === 'counted' ? meters : notes.flatMap(({ meterKey }) => meterKey ?? []);
  const billed = lookers.filter((key) => billedBy.has(key) || own.some(({ meterKey }) => meterKey === key));
  if (billed.length === 0) return 'open_periods';
  const claimedFrom = Math.min(...own.map(({ from }) => from));
  for (const key of billed) {
    const wanted = bucketsAround(micros, lengthOf(key), claimedFrom);
    const spans = stated.filter(({ meterKey }) => meterKey === key);
    if (!covers(spans.filter(({ asOf }) => asOf >= position), wanted)) return covers(spans, wanted) ? 'late' : 'open_periods';
  }
  return undefined;
};
