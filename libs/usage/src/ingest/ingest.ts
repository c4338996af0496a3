import { addMicros, type IdSource, type Instant, partitionOf } from '@valueverse/kernel';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import type { Feed } from '@valueverse/event-log';
import type { Item } from './cloud-events';
import { readEvent, type Receipt } from './domain/read-event';
import { ItemFault, type UsageEvent } from './domain/usage-event';
import type { UsageMeter } from '../usage-meter';
import { EnvelopeWriter } from './envelope-writer';

export type Environment = 'test' | 'live';

/** What became of a request: how many events are durable, and why the others are not. */
export interface IngestResult {
  readonly accepted: number;
  readonly rejected: readonly { readonly index: number; readonly id: string | null; readonly code: string; readonly detail: string }[];
}
export interface IngestOptions {
  /** The only subjects that the sender may speak of; absent: any. */
  readonly subjects?: readonly string[] | undefined;
  readonly traceparent?: string | undefined;
}

/** In `live` an event may be this far ahead of its receipt: clocks differ. */
const AHEAD_MAX_MICROS = 300_000_000n;
/** An event larger than this is no measurement. */
export const EVENT_CHARACTERS_MAX = 131_072;
const ID_SHOWN_MAX = 256;

/** Takes usage events in. They are facts from outside and no decision: they go to the feed directly. */
export class Ingest {
  private readonly writer: EnvelopeWriter;

  constructor(feed: Feed, ids: IdSource, private readonly meter?: UsageMeter) { this.writer = new EnvelopeWriter(feed, ids); }

  /**
   * Writes the good events to `usage.events` and answers when all of them are durable; the bad ones are named. Beside the codes of `readEvent`
   * and of the text of an item: `subject_not_allowed`, `too_large`. Throws `IngestOverloaded` and what the feed throws.
   */
  async accept(tenant: string, environment: Environment, items: readonly Item[], receivedAt: Instant, options: IngestOptions = {}): Promise<IngestResult> {
    this.writer.assertRoom();
    const receipt = { receivedAt, latest: environment === 'live' ? addMicros(receivedAt, AHEAD_MAX_MICROS) : undefined };
    const allowed = options.subjects === undefined ? undefined : new Set(options.subjects);
    const rejected: IngestResult['rejected'][number][] = [];
    const parcels = new Map<number, string[]>();
    for (const [index, item] of items.entries()) {
      const read = textOf(item, receipt, allowed);
      if (read instanceof ItemFault) { rejected.push({ index, id: shownId(item.value), code: read.code, detail: read.detail }); continue; }
      const partition = partitionOf(tenant, read.subject, USAGE_PARTITIONS);
      const texts = parcels.get(partition);
      if (texts === undefined) parcels.set(partition, [read.text]);
      else texts.push(read.text);
    }
    await Promise.all([...parcels].map(([partition, events]) => this.writer.write(partition, { tenant, receivedAt, traceparent: options.traceparent, events })));
    this.meter?.ingested(items.length - rejected.length, rejected.length);
    return { accepted: items.length - rejected.length, rejected };
  }
}

const textOf = (item: Item, receipt: Receipt, allowed: ReadonlySet<string> | undefined): { subject: string; text: string } | ItemFault => {
  if (item.fault !== undefined) return item.fault;
  const event: UsageEvent | ItemFault = readEvent(item.value, receipt);
  if (event instanceof ItemFault) return event;
  if (allowed !== undefined && !allowed.has(event.subject)) return new ItemFault('subject_not_allowed', 'this key was not made for this subject');
  const text = JSON.stringify(event);
  return text.length > EVENT_CHARACTERS_MAX ? new ItemFault('too_large', `an event has at most ${EVENT_CHARACTERS_MAX} characters`) : { subject: event.subject, text };
};

const shownId = (value: unknown): string | null => {
  const id = typeof value === 'object' && value !== null ? (value as { id?: unknown }).id : undefined;
  return typeof id === 'string' ? id.slice(0, ID_SHOWN_MAX) : null;
};
