import type { Tx } from '@valueverse/event-log';
import type { Corrected } from '../corrections/correct';
import type { MeterRule } from './domain/measure';
import type { Clash, Occurrence, Place } from './dedupe';

/** `duplicate` and `conflict` do not count; `id_reused` counts; `invalid_value` and `too_many_groups` do not count for their meter; a `correction_refused` changed nothing. */
export const EXCEPTION_CODES = ['duplicate', 'conflict', 'id_reused', 'invalid_value', 'too_many_groups', 'correction_refused'] as const;
export type ExceptionCode = (typeof EXCEPTION_CODES)[number];

export interface UsageException {
  readonly code: ExceptionCode;
  readonly occurrence: Occurrence;
  /** The meter for which it does not count. */
  readonly meter?: string;
  /** What was there before. */
  readonly first?: Place;
}

export const exceptionOf = ({ occurrence, code, first }: Clash): UsageException => ({ occurrence, code, first });
export const excluded = (code: 'invalid_value' | 'too_many_groups', occurrence: Occurrence, rules: readonly MeterRule[]): UsageException[] => rules.map(({ key }) => ({ code, occurrence, meter: key }));

/** A correction of what is not there, was taken back already, or is no longer kept. */
export const refusedCorrection = ({ occurrence, refused }: Corrected): UsageException[] => (refused === undefined || refused === 'repeated' ? [] : [{ code: 'correction_refused', occurrence }]);

/** Lists what did not go its usual way. Nothing is lost: the events themselves stay in the copy. */
export const listExceptions = async (tx: Tx, exceptions: readonly UsageException[]): Promise<void> => {
  if (exceptions.length === 0) return;
  const of = <T>(column: (exception: UsageException) => T): T[] => exceptions.map(column);
  await tx.query(
    `INSERT INTO usage_exceptions (tenant, code, partition, position, nth, meter, subject, source, id, occurred_at, log_time, first_partition, first_position, first_nth)
     SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::int[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::int[], $13::bigint[], $14::int[]) ON CONFLICT DO NOTHING`,
    [of(({ occurrence }) => occurrence.tenant), of(({ code }) => code), of(({ occurrence }) => occurrence.partition), of(({ occurrence }) => occurrence.position),
      of(({ occurrence }) => occurrence.nth), of(({ meter }) => meter ?? ''), of(({ occurrence }) => occurrence.event.subject), of(({ occurrence }) => occurrence.event.source),
      of(({ occurrence }) => occurrence.event.id), of(({ occurrence }) => occurrence.micros), of(({ occurrence }) => occurrence.logTime),
      of(({ first }) => first?.partition ?? null), of(({ first }) => first?.position ?? null), of(({ first }) => first?.nth ?? null)]);
};
