import { instantFromMicros, microsNumberOfText } from '@valueverse/kernel';
import type { Tx } from '@valueverse/event-log';
import type { Correction, UsageEvent } from '../ingest/domain/usage-event';
import { envelopeIn, type KeptBody } from '../metering/body';
import { rulesOf, type Meter } from '../metering/domain/measure';
import { LATE_MICROS } from '../usage-meter';
import { standingOf, type EventPlace, type EventStatus, type Note, type SupersededBy, type Surroundings } from './domain/standing';
import { claimsOf } from './subject-claims';

/** An event of metering's copy as it is shown: what was sent, and where it stands. */
export interface ListedEvent {
  readonly subject: string;
  readonly source: string;
  readonly id: string;
  readonly type: string;
  readonly time: string;
  /** Log time of its envelope: the latest receipt in its partition up to there. */
  readonly receivedAt: string;
  readonly status: EventStatus;
  readonly reason: string | null;
  /** It came more than an hour after it occurred. */
  readonly late: boolean;
  /** The meters that count it. */
  readonly meters: readonly string[];
  readonly notes: readonly Note[];
  /** What it is, where it is no event of a client: what takes one back, or comes in its place. */
  readonly correction: Correction | null;
  readonly supersededBy: SupersededBy | null;
  readonly place: EventPlace;
  readonly envelope: string;
  readonly data: Readonly<Record<string, unknown>> | null;
  readonly extensions: UsageEvent['extensions'] | null;
}

/** An envelope of the copy; `body` is null where retention has dropped it, or where nothing in it was asked for. */
export interface EnvelopeRow extends KeptBody { readonly partition: number; readonly position: bigint; readonly log_time: bigint; readonly envelope: string; readonly not_counted: number[] }
/** One event of an envelope, before it is known where it stands. */
export interface Found { readonly event: UsageEvent; readonly micros: number; readonly row: EnvelopeRow; readonly nth: number }

/** The events of envelopes, the latest first: an envelope's own from its end. */
export const eventsOf = (rows: readonly EnvelopeRow[]): Found[] => rows.flatMap((row) =>
  (envelopeIn(row)?.events ?? []).map((event, nth): Found => ({ event, micros: microsNumberOfText(event.time), row, nth })).reverse());

interface NoteRow { partition: number; position: bigint; nth: number; code: string; meter: string; first_partition: number | null; first_position: bigint | null; first_nth: number | null }

const keyOf = (partition: number, position: bigint, nth: number): string => `${partition} ${position} ${nth}`;
const noteOf = (row: NoteRow): Note => ({
  code: row.code, meterKey: row.meter === '' ? null : row.meter, first: row.first_partition === null ? null : { partition: row.first_partition, position: String(row.first_position), index: row.first_nth! },
});

type Envelopes = readonly [tenant: string, partitions: readonly number[], positions: readonly bigint[]];
const envelopesOf = (tenant: string, found: readonly Found[]): Envelopes => {
  const rows = [...new Set(found.map(({ row }) => row))];
  return [tenant, rows.map(({ partition }) => partition), rows.map(({ position }) => position)];
};

const supersededIn = async (tx: Tx, envelopes: Envelopes): Promise<ReadonlyMap<string, SupersededBy>> => {
  const { rows } = await tx.query<{ partition: number; position: bigint; nth: number; by_position: bigint; by_nth: number; voided: boolean }>(
    `SELECT s.partition, s.position, s.nth, s.by_position, s.by_nth, s.voided FROM unnest($2::int[], $3::bigint[]) g(partition, position)
     JOIN usage_superseded s ON s.tenant = $1 AND s.partition = g.partition AND s.position = g.position`, envelopes);
  return new Map(rows.map((row) => [keyOf(row.partition, row.position, row.nth),
    { kind: row.voided ? 'void' : 'amend', place: { partition: row.partition, position: String(row.by_position), index: row.by_nth } }]));
};

const notesIn = async (tx: Tx, envelopes: Envelopes): Promise<ReadonlyMap<string, readonly Note[]>> => {
  const { rows } = await tx.query<NoteRow>(
    `SELECT x.partition, x.position, x.nth, x.code, x.meter, x.first_partition, x.first_position, x.first_nth FROM unnest($2::int[], $3::bigint[]) g(partition, position)
     JOIN usage_exceptions x ON x.tenant = $1 AND x.partition = g.partition AND x.position = g.position ORDER BY x.code, x.meter`, envelopes);
  const notes = new Map<string, Note[]>();
  for (const row of rows) {
    const key = keyOf(row.partition, row.position, row.nth);
    notes.set(key, [...(notes.get(key) ?? []), noteOf(row)]);
  }
  return notes;
};

const surroundingsOf = async (tx: Tx, tenant: string, found: readonly Found[]): Promise<Surroundings> => {
  const { rows } = await tx.query<{ row: Meter }>('SELECT row FROM meters WHERE tenant = $1 ORDER BY key', [tenant]);
  return { rules: rows.flatMap(({ row }) => rulesOf(row)), claims: await claimsOf(tx, tenant, [...new Set(found.map(({ event }) => event.subject))]) };
};

/** Says where events stand, in the order given. */
export const listed = async (tx: Tx, tenant: string, found: readonly Found[]): Promise<ListedEvent[]> => {
  if (found.length === 0) return [];
  const envelopes = envelopesOf(tenant, found);
  const [noted, superseded, surroundings] = [await notesIn(tx, envelopes), await supersededIn(tx, envelopes), await surroundingsOf(tx, tenant, found)];
  return found.map(({ event, micros, row, nth }) => {
    const key = keyOf(row.partition, row.position, nth);
    const [notes, supersededBy] = [noted.get(key) ?? [], superseded.get(key) ?? null];
    const { id, source, subject, type, time, data = null, extensions = null, correction = null } = event;
    return {
      subject, source, id, type, time, receivedAt: instantFromMicros(row.log_time), ...standingOf({ event, micros, isDropped: row.not_counted.includes(nth), notes, supersededBy }, surroundings),
      late: Number(row.log_time) - micros > LATE_MICROS, notes, correction, supersededBy, place: { partition: row.partition, position: String(row.position), index: nth }, envelope: row.envelope, data, extensions,
    };
  });
};
