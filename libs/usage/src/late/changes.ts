import { microsNumberOfText } from '@valueverse/kernel';
import type { Tx } from '@valueverse/event-log';
import type { UsageEvent } from '../ingest/domain/usage-event';
import { envelopeIn, type KeptBody } from '../metering/body';
import type { Change, Timed } from './domain/late-changes';

/** Envelopes that may be late are taken apart so many at a time. */
const ENVELOPES_PER_PAGE = 100;

/** A stretch of a partition's copy, `after` not in it. */
export interface Stretch { readonly partition: number; readonly after: number; readonly upTo: number }
/** The next changes of a tenant in a stretch, and up to where it has been looked through. */
export interface ChangesOf { readonly tenant: string; readonly changes: readonly Change[] }

interface Row extends KeptBody { tenant: string; position: bigint; log_time: bigint; not_counted: number[] }
interface Replaced extends KeptBody { correction: string; position: bigint; nth: number; replaced_nth: number }

const timed = (event: UsageEvent): Timed => ({ event, micros: microsNumberOfText(event.time) });

/** What corrections of a tenant have replaced, by the place that they were decided at; those that were refused or came again are not among it. */
const replacedBy = async (tx: Tx, tenant: string, partition: number, corrections: readonly string[]): Promise<ReadonlyMap<string, Timed>> => {
  if (corrections.length === 0) return new Map();
  const { rows } = await tx.query<Replaced & Record<string, unknown>>(
    `SELECT c.correction, c.position, c.nth, e.body, e.packed, c.replaced_nth FROM usage_corrections c JOIN usage_envelopes e ON e.tenant = $1 AND e.partition = $2 AND e.position = c.replaced_position
     WHERE c.tenant = $1 AND c.partition = $2 AND c.correction = ANY($3) AND c.refused IS NULL`, [tenant, partition, corrections]);
  return new Map(rows.flatMap((row) => {
    const envelope = envelopeIn(row);
    return envelope === null ? [] : [[`${row.position} ${row.nth}`, timed(envelope.events[row.replaced_nth]!)]];
  }));
};

const changesIn = async (tx: Tx, tenant: string, partition: number, rows: readonly Row[]): Promise<Change[]> => {
  const envelopes = rows.map((row) => ({ ...row, events: envelopeIn(row)!.events }));
  const replaced = await replacedBy(tx, tenant, partition, envelopes.flatMap(({ events }) => events.flatMap(({ correction }) => correction?.id ?? [])));
  return envelopes.flatMap(({ events, position, log_time: logTime, not_counted: notCounted }) => events.flatMap((event, nth) => {
    const taken = replaced.get(`${position} ${nth}`);
    const about = [...(taken === undefined ? [] : [taken]), ...(notCounted.includes(nth) ? [] : [timed(event)])];
    return about.length === 0 ? [] : [{ partition, position: Number(position), logTime: Number(logTime), about }];
  }));
};

/**
 * The changes of a stretch that may be late, envelope by envelope: those that are about an instant before the greatest end of a stated span of their tenant. Answers up to where it has looked; `only`
 * narrows it to one tenant.
 */
export const nextChanges = async (tx: Tx, { partition, after, upTo }: Stretch, only?: string): Promise<{ found: ChangesOf[]; upTo: number }> => {
  const { rows } = await tx.query<Row & Record<string, unknown>>(
    `SELECT e.tenant, e.position, e.log_time, e.body, e.packed, e.not_counted FROM usage_envelopes e JOIN usage_stated_until u ON u.partition = e.partition AND u.tenant = e.tenant
     WHERE e.partition = $1 AND e.position > $2 AND e.position <= $3 AND e.earliest < u.until_at AND e.body IS NOT NULL AND ($4::text IS NULL OR e.tenant = $4) ORDER BY e.position LIMIT $5`,
    [partition, after, upTo, only ?? null, ENVELOPES_PER_PAGE]);
  const found: ChangesOf[] = [];
  for (const tenant of new Set(rows.map((row) => row.tenant))) found.push({ tenant, changes: await changesIn(tx, tenant, partition, rows.filter((row) => row.tenant === tenant)) });
  return { found, upTo: rows.length < ENVELOPES_PER_PAGE ? upTo : Number(rows.at(-1)!.position) };
};
