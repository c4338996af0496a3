import type { Tx } from '@valueverse/event-log';
import type { Envelope } from '../ingest/domain/usage-event';
import { microsNumberOfText } from '@valueverse/kernel';
import { type KeptBody, provenEnvelope } from '../metering/body';
import type { FreshEnvelope } from '../metering/copy';
import { lookUpKeys, type Occurrence, type Place } from '../metering/dedupe';
import { keyOf, uuidOfKey } from '../metering/key-bytes';
import type { KeysOfBatch } from '../metering/key-days';

/** What became of a correction. `replaced` is the event that counted until then. */
export interface Corrected {
  readonly occurrence: Occurrence;
  readonly replaced: Occurrence | undefined;
  /** `repeated`: the same correction was made before, and changes nothing again. */
  readonly refused: 'event_not_found' | 'event_voided' | 'event_dropped' | 'repeated' | undefined;
}

interface Standing { place: Place; voided: boolean; slot: number }

const isBefore = (left: Place, right: Place): boolean => left.position < right.position || (left.position === right.position && left.nth < right.nth);

/** The event at a place of the copy, from the envelopes that are being taken in or from the copy; undefined where retention has dropped it. */
const eventAt = async (tx: Tx, tenant: string, { partition, position, nth }: Place, fresh: readonly FreshEnvelope[]): Promise<Occurrence | undefined> => {
  const own = fresh.find((envelope) => envelope.position === position);
  if (own !== undefined) return occurrenceOf(own.envelope, { partition, position, nth }, own.logTime);
  const { rows } = await tx.query<KeptBody & { body_hash: Buffer; log_time: bigint }>('SELECT body, packed, body_hash, log_time FROM usage_envelopes WHERE tenant = $1 AND partition = $2 AND position = $3', [tenant, partition, position]);
  const [row] = rows;
  const envelope = row === undefined ? null : provenEnvelope(row, partition, position);
  return envelope === null ? undefined : occurrenceOf(envelope, { partition, position, nth }, Number(row!.log_time));
};
const occurrenceOf = (envelope: Envelope, place: Place, logTime: number): Occurrence => {
  const event = envelope.events[place.nth]!;
  return { tenant: envelope.tenant, event, micros: microsNumberOfText(event.time), ...place, logTime };
};

/** Where the events that are corrected stand, and whether they were taken back already. */
const standingOf = async (tx: Tx, keys: KeysOfBatch, corrections: readonly Occurrence[]): Promise<Map<string, Standing>> => {
  const found = await lookUpKeys(tx, keys, corrections);
  const all = new Map<string, Standing>();
  for (const [key, { place, slot }] of found) {
    const tenant = corrections.find((one) => keyOf(one.tenant, one.event) === key)!.tenant;
    const { rowCount } = await tx.query('SELECT FROM usage_superseded WHERE tenant = $1 AND partition = $2 AND position = $3 AND nth = $4 AND voided', [tenant, place.partition, place.position, place.nth]);
    all.set(key, { place, slot, voided: rowCount === 1 });
  }
  return all;
};

/**
 * Decides the corrections of a batch in the order of the log, after the keys of its plain events are known. One that comes before its event in the log corrects nothing.
 * What they replace is noted, and where the event stands from then on.
 */
export const decideCorrections = async (tx: Tx, keys: KeysOfBatch, corrections: readonly Occurrence[], fresh: readonly FreshEnvelope[]): Promise<Corrected[]> => {
  if (corrections.length === 0) return [];
  const standing = await standingOf(tx, keys, corrections);
  const decided: Corrected[] = [];
  const { rows } = await tx.query<{ tenant: string; correction: string }>(
    'SELECT c.tenant, c.correction FROM usage_corrections c JOIN unnest($1::text[], $2::text[]) g(tenant, correction) ON c.tenant = g.tenant AND c.correction = g.correction',
    [corrections.map(({ tenant }) => tenant), corrections.map(({ event }) => event.correction!.id)]);
  const made = new Set(rows.map(({ tenant, correction }) => `${tenant} ${correction}`));
  for (const occurrence of corrections) {
    const name = `${occurrence.tenant} ${occurrence.event.correction!.id}`;
    const key = keyOf(occurrence.tenant, occurrence.event);
    const known = standing.get(key);
    const refuse = (refused: NonNullable<Corrected['refused']>): void => { decided.push({ occurrence, replaced: undefined, refused }); };
    if (made.has(name)) { refuse('repeated'); continue; }
    made.add(name);
    if (known === undefined || !isBefore(known.place, occurrence)) { refuse('event_not_found'); continue; }
    if (known.voided) { refuse('event_voided'); continue; }
    const replaced = await eventAt(tx, occurrence.tenant, known.place, fresh);
    if (replaced === undefined) { refuse('event_dropped'); continue; }
    decided.push({ occurrence, replaced, refused: undefined });
    if (occurrence.event.correction!.kind === 'void') { known.voided = true; continue; }
    known.place = { partition: occurrence.partition, position: occurrence.position, nth: occurrence.nth };
    await tx.query('UPDATE usage_keys SET position = $3, nth = $4 WHERE slot = $1 AND key = $2::uuid', [known.slot, uuidOfKey(key), occurrence.position, occurrence.nth]);
  }
  await note(tx, decided.filter(({ refused }) => refused !== 'repeated'));
  return decided;
};

const note = async (tx: Tx, decided: readonly Corrected[]): Promise<void> => {
  for (const { occurrence: { tenant, event, partition, position, nth, logTime }, replaced, refused } of decided) {
    const { id, kind, reason } = event.correction!;
    await tx.query(
      `INSERT INTO usage_corrections (tenant, correction, kind, reason, subject, source, id, partition, position, nth, refused, replaced_position, replaced_nth, log_time)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING`,
      [tenant, id, kind, reason, event.subject, event.source, event.id, partition, position, nth, refused ?? null, replaced?.position ?? null, replaced?.nth ?? null, logTime]);
    if (replaced === undefined) continue;
    await tx.query('INSERT INTO usage_superseded (tenant, partition, position, nth, by_position, by_nth, voided) VALUES ($1, $2, $3, $4, $5, $6, $7)',
      [tenant, partition, replaced.position, replaced.nth, position, nth, kind === 'void']);
  }
};
