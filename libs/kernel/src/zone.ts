import { Temporal } from 'temporal-polyfill';
import { Refused } from './decider';
import { type Instant, instantFromMicros, microsOf } from './instant';

/** A date and time on a wall, without a zone: `YYYY-MM-DDTHH:MM:SS`, with up to six digits of a fraction. */
export type LocalDateTime = string;

/** A date on a wall: `YYYY-MM-DD`. */
export type LocalDate = string;

const KNOWN_ZONES = new Map<string, string>();
const KNOWN_ZONES_MAX = 2000;
const ZONE_LENGTH_MAX = 64;
const LOCAL_DATE = /^\d{4}-\d{2}-\d{2}$/;
const LOCAL_DATE_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?$/;
const NANOS_PER_MICRO = 1000n;

const refuseZone = (): never => {
  throw new Refused('unknown_zone', 'not an IANA time zone such as "Europe/Berlin"');
};

const knownZone = (name: string): string => {
  // Temporal takes offsets such as "+02:00" as well, but an offset knows no summer time.
  if (typeof name !== 'string' || name.length > ZONE_LENGTH_MAX || !/^[A-Za-z][A-Za-z0-9_+\-/]*$/.test(name)) return refuseZone();
  try {
    return Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name).timeZoneId;
  } catch {
    return refuseZone();
  }
};

/** The IANA time zone of this name, in the letter case of the database. Refuses others, and plain offsets, with `unknown_zone`. */
export const assertZone = (name: string): string => {
  const known = KNOWN_ZONES.get(name);
  if (known !== undefined) return known;
  const zone = knownZone(name);
  if (KNOWN_ZONES.size < KNOWN_ZONES_MAX) KNOWN_ZONES.set(name, zone);
  return zone;
};

const refuseLocal = (): never => {
  throw new Refused('invalid_local_time', 'not a local date-time such as "2024-01-31T00:00:00"');
};

/** Refuses a text that is not a `LocalDateTime` with `invalid_local_time`. */
export const plainDateTime = (local: LocalDateTime): Temporal.PlainDateTime => {
  if (typeof local !== 'string' || !LOCAL_DATE_TIME.test(local)) return refuseLocal();
  try {
    return Temporal.PlainDateTime.from(local, { overflow: 'reject' });
  } catch {
    return refuseLocal();
  }
};

/** Refuses a text that is not a `LocalDate` with `invalid_local_time`. */
export const plainDate = (date: LocalDate): Temporal.PlainDate => {
  if (typeof date !== 'string' || !LOCAL_DATE.test(date)) return refuseLocal();
  return plainDateTime(`${date}T00:00:00`).toPlainDate();
};

/**
 * The instant at which the wall shows this time. In the gap of a change to summer time the wall is read as if it had
 * not been moved yet (so the instant is later by the gap); in an overlap the first of the two counts. This is
 * `compatible`, the rule of RFC 5545 and of Temporal.
 */
export const instantOfPlain = (plain: Temporal.PlainDateTime, zone: string): Instant =>
  instantFromMicros(plain.toZonedDateTime(assertZone(zone), { disambiguation: 'compatible' }).epochNanoseconds / NANOS_PER_MICRO);

/** What the wall shows at an instant. Refuses with `unknown_zone`. */
export const plainOfInstant = (instant: Instant, zone: string): Temporal.PlainDateTime =>
  Temporal.Instant.fromEpochNanoseconds(microsOf(instant) * NANOS_PER_MICRO)
    .toZonedDateTimeISO(assertZone(zone))
    .toPlainDateTime();

/** As `instantOfPlain`. Refuses with `unknown_zone`, `invalid_local_time`, and `invalid_time` outside the years of an instant. */
export const instantOfLocal = (local: LocalDateTime, zone: string): Instant => instantOfPlain(plainDateTime(local), zone);

/** What the wall shows at an instant, as text, with a fraction where there is one. Refuses with `unknown_zone`. */
export const localOf = (instant: Instant, zone: string): LocalDateTime => plainOfInstant(instant, zone).toString();

/** The date on the wall at an instant. Refuses with `unknown_zone`. */
export const localDateOf = (instant: Instant, zone: string): LocalDate => plainOfInstant(instant, zone).toPlainDate().toString();

/** The first instant of a local date: midnight, or the end of the gap where there is no midnight. Refuses with `unknown_zone` and `invalid_local_time`. */
export const startOfLocalDate = (date: LocalDate, zone: string): Instant =>
  instantFromMicros(plainDate(date).toZonedDateTime(assertZone(zone)).epochNanoseconds / NANOS_PER_MICRO);

/** The local midnight that starts the day of an instant. Refuses with `unknown_zone`. */
export const localMidnightOf = (instant: Instant, zone: string): Instant => startOfLocalDate(localDateOf(instant, zone), zone);

/** The same time on the wall so many days later (negative: earlier), by the rule of `instantOfPlain`. Refuses with `unknown_zone`. */
export const addLocalDays = (instant: Instant, days: number, zone: string): Instant =>
  instantOfPlain(plainOfInstant(instant, zone).add({ days }), zone);

/** Whole days from one local date to another; negative where the second is the earlier. */
export const daysBetween = (from: LocalDate, to: LocalDate): number => plainDate(from).until(plainDate(to), { largestUnit: 'days' }).days;
