import { type IdSource, type Instant, microsNumberOfText, partitionOf } from '@valueverse/kernel';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import type { Feed } from '@valueverse/event-log';
import type { Item } from './cloud-events';
import { readEvent, type Receipt } from './domain/read-event';
import { ItemFault, type UsageEvent } from './domain/usage-event';
import type { UsageMeter } from '../usage-meter';
import { EnvelopeWriter } from './envelope-writer';
import type { Parcel } from './envelopes';
import { Room } from './room';
import type { Aside } from './set-aside';

export type Environment = 'test' | 'live';

/** `index` says which event, `pointer` where in it (RFC 6901). */
export interface Rejected { readonly index: number; readonly id: string | null; readonly code: string; readonly detail: string; readonly pointer: string }
/** What became of a request: how many events are durable, and why the others are not. */
export interface IngestResult {
  readonly accepted: number;
  readonly rejected: readonly Rejected[];
}
export interface IngestOptions {
  /** The only subjects that the sender may speak of; absent: any. */
  readonly subjects?: readonly string[] | undefined;
  readonly traceparent?: string | undefined;
  /** The time of events that claim none, where that is not the receipt, or what is wrong with such events. */
  readonly assumedTime?: Instant | ItemFault | undefined;
}
/** Events that are good to be written, as texts by partition, and why the others are not. */
export interface Plan extends IngestResult {
  readonly parcels: readonly Parcel[];
  /** How long the texts are together. */
  readonly characters: number;
}

/** In `live` an event may be this far ahead of its receipt: clocks differ. */
const AHEAD_MAX_MICROS = 300_000_000;
/** The latest time that an event may claim, in microseconds. */
export const latestMicrosOf = (environment: Environment, receivedAt: Instant): number => (environment === 'live' ? microsNumberOfText(receivedAt) + AHEAD_MAX_MICROS : Infinity);
/** An event larger than this is no measurement. */
export const EVENT_CHARACTERS_MAX = 131_072;
const ID_SHOWN_MAX = 256;
const POINTER_SHOWN_MAX = 1_024;

/**
 * Reads events for a tenant and writes nothing yet. Beside the codes of `readEvent` and of the text of an item: `subject_not_allowed`, `too_large`.
 */
export const planEvents = (tenant: string, environment: Environment, items: readonly Item[], receivedAt: Instant, options: IngestOptions = {}): Plan => {
  const receipt: Receipt = { receivedAt: options.assumedTime ?? receivedAt, latestMicros: latestMicrosOf(environment, receivedAt) };
  const allowed = options.subjects === undefined ? undefined : new Set(options.subjects);
  const rejected: Rejected[] = [];
  const byPartition = new Map<number, string[]>();
  let characters = 0;
  for (let index = 0; index < items.length; index++) {
    const item = items[index]!;
    const event = item.fault ?? readEvent(item.value, receipt);
    const text = event instanceof ItemFault ? event : textOf(event, allowed);
    if (text instanceof ItemFault) { rejected.push({ index: item.index ?? index, id: shownId(item.value), code: text.code, detail: text.detail, pointer: text.pointer.slice(0, POINTER_SHOWN_MAX) }); continue; }
    const partition = partitionOf(tenant, (event as { subject: string }).subject, USAGE_PARTITIONS);
    const texts = byPartition.get(partition);
    if (texts === undefined) byPartition.set(partition, [text]);
    else texts.push(text);
    characters += text.length;
  }
  const parcels = [...byPartition].map(([partition, events]): Parcel => ({ partition, tenant, receivedAt, traceparent: options.traceparent, events }));
  return { accepted: items.length - rejected.length, rejected, parcels, characters };
};

const textOf = (event: { readonly subject: string }, allowed: ReadonlySet<string> | undefined): string | ItemFault => {
  if (allowed !== undefined && !allowed.has(event.subject)) return new ItemFault('subject_not_allowed', 'this key was not made for this subject', '/subject');
  const text = JSON.stringify(event);
  return text.length > EVENT_CHARACTERS_MAX ? new ItemFault('too_large', `an event has at most ${EVENT_CHARACTERS_MAX} characters`) : text;
};

const shownId = (value: unknown): string | null => {
  const id = typeof value === 'object' && value !== null ? (value as { id?: unknown }).id : undefined;
  return typeof id === 'string' ? id.slice(0, ID_SHOWN_MAX) : null;
};

/** Takes usage events in. They are facts from outside and no decision: they go to the feed directly. */
export class Ingest {
  readonly room = new Room();
  private readonly writer: EnvelopeWriter;

  constructor(feed: Feed, ids: IdSource, private readonly meter?: UsageMeter, aside?: Aside) { this.writer = new EnvelopeWriter(feed, ids, aside); }

  /**
   * Writes the good events to `usage.events` and answers when all of them are durable; the bad ones are named, with the codes of `planEvents`. Throws
   * `IngestOverloaded` before anything is written, and what the feed throws.
   */
  async accept(tenant: string, environment: Environment, items: readonly Item[], receivedAt: Instant, options: IngestOptions = {}): Promise<IngestResult> {
    const plan = planEvents(tenant, environment, items, receivedAt, options);
    this.room.take(plan.characters);
    try {
      return await this.write(plan);
    } finally {
      this.room.give(plan.characters);
    }
  }

  /** Writes one event that takes the place of another. Throws what the feed throws. */
  async correct(tenant: string, event: UsageEvent, receivedAt: Instant, traceparent?: string): Promise<void> {
    await this.writer.write([{ partition: partitionOf(tenant, event.subject, USAGE_PARTITIONS), tenant, receivedAt, traceparent, events: [JSON.stringify(event)] }]);
  }

  /** Writes what was planned, for who has taken room for it. Throws what the feed throws. */
  async write({ parcels, accepted, rejected }: Plan): Promise<IngestResult> {
    await this.writer.write(parcels);
    this.meter?.ingested(accepted, rejected.length);
    return { accepted, rejected };
  }
}
