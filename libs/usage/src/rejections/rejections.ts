import { microsNumberOfText, type Instant } from '@valueverse/kernel';
import { bigintArray, isTransient, Loop, textArray, type Database, type Tx } from '@valueverse/event-log';
import type { Logger, Metrics } from '@valueverse/platform';
import type { Item } from '../ingest/cloud-events';
import type { Rejected } from '../ingest/ingest';

/** The ways in whose rejections are kept here; those of files and of Kafka are beside what they are of. */
export const REJECTED_VIA = ['http', 'radius'] as const;
export type RejectedVia = (typeof REJECTED_VIA)[number];
/** Something that was refused. `sender` is the address of a NAS. */
export interface NewRejection { readonly via: RejectedVia; readonly code: string; readonly detail: string; readonly pointer?: string; readonly eventId?: string | null; readonly sender?: string; readonly shown?: string | null }

/** Of each tenant the latest so many are kept, for so many days. */
export const KEPT_MAX = 10_000;
export const KEPT_DAYS = 30;
/** Of one request so many are kept; its answer names all of them. */
export const PER_REQUEST_MAX = 100;
/** What waits to be written in a process. More is not kept: whoever sends nothing but faults does not hold up others. */
const WAITING_MAX = 5_000;
const SHOWN_MAX = 1_024;
const DETAIL_MAX = 1_024;
const WRITTEN_AT_ONCE = 500;
const WRITE_EVERY_MS = 250;
const FORGET_EVERY_MS = 60_000;
const ERROR_PAUSE_MS = 1_000;
const DAY_MICROS = 86_400_000_000;

interface Waiting extends NewRejection { readonly tenant: string; readonly receivedAt: number }

/** How an event began, as it came. */
const beginningOf = (value: unknown): string | null => {
  if (value === undefined) return null;
  try {
    return JSON.stringify(value).slice(0, SHOWN_MAX);
  } catch {
    // Deeper than a text of it can be made.
    return null;
  }
};

/** The rejections of a request, the first of them, with how each event began. */
export const rejectionsOf = (items: readonly Item[], rejected: readonly Rejected[]): NewRejection[] => {
  if (rejected.length === 0) return [];
  const byIndex = new Map(items.map((item, nth) => [item.index ?? nth, item.value]));
  return rejected.slice(0, PER_REQUEST_MAX).map(({ index, id, code, detail, pointer }) => ({ via: 'http', code, detail, pointer, eventId: id, shown: beginningOf(byIndex.get(index)) }));
};

const write = async (tx: Tx, list: readonly Waiting[]): Promise<void> => {
  const text = (value: string | null | undefined): string | null => (value == null ? null : value.replaceAll('\0', '\uFFFD'));
  await tx.query(
    `INSERT INTO usage_rejections (tenant, received_at, via, code, detail, pointer, event_id, sender, shown)
     SELECT tenant, received_at, via, code, detail, pointer, event_id, sender, shown FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
       WITH ORDINALITY g(tenant, received_at, via, code, detail, pointer, event_id, sender, shown, place) ORDER BY place`,
    [textArray(list.map(({ tenant }) => tenant)), bigintArray(list.map(({ receivedAt }) => receivedAt)), textArray(list.map(({ via }) => via)), textArray(list.map(({ code }) => code)),
      list.map(({ detail }) => text(detail)!.slice(0, DETAIL_MAX)), list.map(({ pointer }) => text(pointer) ?? ''), list.map(({ eventId }) => text(eventId)), list.map(({ sender }) => text(sender)), list.map(({ shown }) => text(shown))]);
};

/** Forgets what is too old or too much. */
export const forgetRejections = async (tx: Tx, now: Instant, { days, perTenant }: { readonly days: number; readonly perTenant: number } = { days: KEPT_DAYS, perTenant: KEPT_MAX }): Promise<void> => {
  await tx.query('DELETE FROM usage_rejections WHERE received_at < $1', [microsNumberOfText(now) - days * DAY_MICROS]);
  await tx.query(
    `DELETE FROM usage_rejections r USING (SELECT DISTINCT tenant FROM usage_rejections) t
     WHERE r.tenant = t.tenant AND r.nth <= (SELECT nth FROM usage_rejections o WHERE o.tenant = t.tenant ORDER BY nth DESC OFFSET $1 LIMIT 1)`, [perTenant]);
};

/**
 * Keeps what was refused, so that it can be found again: of HTTP beside the answer, of RADIUS in the place of one. Nobody waits for it: it is written a moment later, some at a time, and a process that
 * dies loses what has not been written. Only refused usage costs anything.
 */
export class Rejections {
  private waiting: Waiting[] = [];
  private forgotAtMs = -Infinity;
  private readonly loop: Loop;
  private readonly notKept;

  constructor(private readonly database: Database, private readonly now: () => Instant, private readonly deps: { readonly logger: Logger; readonly metrics: Metrics }) {
    this.notKept = deps.metrics.counter({ subsystem: 'usage', what: 'rejections_not_kept', help: 'Rejections of usage that were answered and cannot be listed, because more came than is written' });
    this.loop = new Loop(() => this.turn(), (error) => {
      if (!isTransient(error)) this.deps.logger.error({ err: error }, 'rejections of usage could not be written down; they are tried again');
      return ERROR_PAUSE_MS;
    });
  }

  /** Notes rejections of a tenant. Never throws, and never waits. */
  note(tenant: string, rejections: readonly NewRejection[]): void {
    if (rejections.length === 0) return;
    const room = Math.max(0, WAITING_MAX - this.waiting.length);
    if (room < rejections.length) this.notKept.inc(rejections.length - room);
    const receivedAt = microsNumberOfText(this.now());
    for (const rejection of rejections.slice(0, room)) this.waiting.push({ ...rejection, tenant, receivedAt });
  }

  start(): void { this.loop.start(); }
  /** Writes what waits. */
  async stop(): Promise<void> {
    await this.loop.stop();
    await this.flush().catch(() => undefined);
  }

  private async flush(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting.slice(0, WRITTEN_AT_ONCE);
      await this.database.transaction({ role: 'worker' }, (tx) => write(tx, batch));
      this.waiting.splice(0, batch.length);
    }
  }

  private async turn(): Promise<number> {
    await this.flush();
    if (performance.now() >= this.forgotAtMs + FORGET_EVERY_MS) {
      await this.database.transaction({ role: 'worker' }, (tx) => forgetRejections(tx, this.now()));
      this.forgotAtMs = performance.now();
    }
    return WRITE_EVERY_MS;
  }
}
