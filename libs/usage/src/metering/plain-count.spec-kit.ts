import { hash } from 'node:crypto';
import { microsNumberOfText } from '@valueverse/kernel';
import { QUARTER } from '../bed.spec-kit';
import type { Envelope, UsageEvent } from '../ingest/domain/usage-event';

// Metering once more, as plainly as it can be said: one pass over the copy in its order, with nothing remembered but a list. It shares no code with what it is held against.

const DAY_MICROS = 86_400_000_000;
const WINDOW_DAYS = 35;

export interface CopyRow { readonly partition: number; readonly position: bigint; readonly log_time: bigint; readonly header: string; readonly body: string }
interface Counted { readonly event: UsageEvent; readonly partition: number; readonly place: string }
interface Known { readonly day: number; readonly content: string; place: string; voided: boolean }

/** `exceptions`: place, code and meter. `idsReused`: those that have to be listed, because the other subject is of the same partition, and those that may be. */
export interface PlainCount {
  readonly standing: readonly Counted[];
  readonly exceptions: readonly string[];
  readonly keys: readonly string[];
  readonly idsReused: { readonly must: readonly string[]; readonly may: ReadonlySet<string> };
}

const contentOf = ({ type, data }: UsageEvent): string => JSON.stringify([type, Object.entries(data ?? {}).sort()]);
const isNumber = (value: unknown): boolean => typeof value === 'number';

class Pass {
  readonly standing = new Map<string, Counted>();
  readonly exceptions: string[] = [];
  readonly known = new Map<string, Known>();
  readonly must: string[] = [];
  private readonly corrections = new Set<string>();

  /** `day` is that of the log time, `keptWith` the day that what is new is remembered with: that one, or a later one where the partition is far behind others. */
  take(event: UsageEvent, partition: number, place: string, day: number, keptWith: number): void {
    if (event.correction === undefined) this.plain(event, partition, place, day, keptWith);
    else this.correct(event, partition, place, day);
  }

  private plain(event: UsageEvent, partition: number, place: string, day: number, keptWith: number): void {
    const key = `${partition}\n${event.subject}\n${event.source}\n${event.id}`;
    const first = this.knownOn(key, day);
    if (first !== undefined) { this.exceptions.push(`${place} ${first.content === contentOf(event) ? 'duplicate' : 'conflict'} `); return; }
    const others = [...this.known].filter(([name, { day: since }]) => name !== key && name.startsWith(`${partition}\n`) && name.endsWith(`\n${event.source}\n${event.id}`) && day - since < WINDOW_DAYS);
    if (others.length > 0) this.must.push(place);
    this.known.set(key, { day: keptWith, content: contentOf(event), place, voided: false });
    this.count({ event, partition, place });
  }

  private correct(event: UsageEvent, partition: number, place: string, day: number): void {
    const { id, kind } = event.correction!;
    if (this.corrections.has(id)) return;
    this.corrections.add(id);
    const first = this.knownOn(`${partition}\n${event.subject}\n${event.source}\n${event.id}`, day);
    if (first === undefined || first.voided) { this.exceptions.push(`${place} correction_refused `); return; }
    this.standing.delete(first.place);
    if (kind === 'void') { first.voided = true; return; }
    first.place = place;
    this.count({ event, partition, place });
  }

  private count(counted: Counted): void {
    this.standing.set(counted.place, counted);
    for (const meter of ['biggest', 'last', 'tokens']) if (!isNumber(counted.event.data?.['n'])) this.exceptions.push(`${counted.place} invalid_value ${meter}`);
    if (counted.event.data?.['user'] === undefined) this.exceptions.push(`${counted.place} invalid_value users`);
  }
  private knownOn(key: string, day: number): Known | undefined {
    const found = this.known.get(key);
    return found !== undefined && day - found.day < WINDOW_DAYS ? found : undefined;
  }
}

/** What becomes of the envelopes of one tenant, in the order of the copy. */
export const plainCount = (rows: readonly CopyRow[]): PlainCount => {
  const pass = new Pass();
  const seen = new Map<string, Set<string>>();
  const places: [string, UsageEvent][] = [];
  for (const { partition, position, log_time: logTime, header, body } of rows) {
    const day = Math.floor(Number(logTime) / DAY_MICROS);
    const keptWith = (JSON.parse(header) as { keyDay?: number }).keyDay ?? day;
    for (const [nth, event] of (JSON.parse(body) as Envelope).events.entries()) {
      const place = `${partition}/${position}/${nth}`;
      pass.take(event, partition, place, day, keptWith);
      if (event.correction !== undefined) continue;
      places.push([place, event]);
      const id = `${event.source}\n${event.id}`;
      seen.set(id, (seen.get(id) ?? new Set()).add(event.subject));
    }
  }
  const may = new Set(places.filter(([, { source, id }]) => seen.get(`${source}\n${id}`)!.size > 1).map(([place]) => place));
  return { standing: [...pass.standing.values()], exceptions: pass.exceptions.sort(), keys: [...pass.known.values()].map(({ place }) => place).sort(), idsReused: { must: pass.must, may } };
};

/** The meters that the events are counted by. `since` comes while others are at work. */
export const METERS = {
  tokens: { aggregation: 'sum', valueProperty: '$.n', groupBy: { model: '$.model' } }, biggest: { aggregation: 'max', valueProperty: '$.n', groupBy: {} }, last: { aggregation: 'latest', valueProperty: '$.n', groupBy: {} },
  users: { aggregation: 'unique_count', valueProperty: '$.user', groupBy: {} }, since: { aggregation: 'count', valueProperty: undefined, groupBy: { model: '$.model' } },
} as const;
type MeterName = keyof typeof METERS;

const later = (left: UsageEvent, right: UsageEvent): number =>
  microsNumberOfText(left.time) - microsNumberOfText(right.time) || Buffer.compare(Buffer.from(`${left.source}\n${left.id}`), Buffer.from(`${right.source}\n${right.id}`));
const totalOf = (meter: MeterName, events: readonly UsageEvent[]): number => {
  const values = events.map(({ data }) => data!['n'] as number);
  if (meter === 'tokens') return values.reduce((sum, value) => sum + value, 0);
  if (meter === 'biggest') return Math.max(...values);
  return meter === 'last' ? [...events].sort(later).at(-1)!.data!['n'] as number : 0;
};
const counts = (meter: MeterName, { data }: UsageEvent): boolean => (meter === 'since' ? true : meter === 'users' ? data?.['user'] !== undefined : isNumber(data?.['n']));

/** The buckets of a meter, of each subject and of all of a partition: one line each, sorted. */
export const bucketLines = (meter: MeterName, standing: readonly Counted[]): string[] => {
  const cells = new Map<string, UsageEvent[]>();
  for (const { event, partition } of standing) {
    if (!counts(meter, event)) continue;
    const micros = microsNumberOfText(event.time);
    const groups = 'model' in METERS[meter].groupBy ? `{"model":"${String(event.data?.['model'] ?? '')}"}` : '{}';
    for (const subject of meter === 'users' ? [event.subject] : [event.subject, '']) {
      const name = `${meter} ${partition} ${subject} ${groups} ${micros - (micros % QUARTER)}`;
      cells.set(name, [...(cells.get(name) ?? []), event]);
    }
  }
  return [...cells].map(([name, events]) => `${name}: ${totalOf(meter, events)} of ${events.length}, ${meter === 'users' ? valueLine(events) : ''}`).sort();
};
const valueLine = (events: readonly UsageEvent[]): string => {
  const users = new Map<string, number>();
  for (const { data } of events) {
    const value = hash('sha256', String(data!['user']), 'hex').slice(0, 32);
    users.set(value, (users.get(value) ?? 0) + 1);
  }
  return [...users].map(([value, count]) => `${value} ${count}`).sort().join(' ');
};
