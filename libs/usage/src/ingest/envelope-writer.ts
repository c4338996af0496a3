import { isBefore, type IdSource } from '@valueverse/kernel';
import { markSpan, SpanKind, type Feed, type NewRecord } from '@valueverse/event-log';

/** Events of one request for one partition, as text. */
export interface Parcel {
  readonly tenant: string;
  readonly receivedAt: string;
  readonly traceparent?: string | undefined;
  /** JSON of the events. */
  readonly events: readonly string[];
}
interface Waiting { readonly parcel: Parcel; readonly done: () => void; readonly failed: (cause: unknown) => void }
interface Draft { readonly tenant: string; recordedAt: string; readonly requests: Set<string>; readonly events: string[]; characters: number }

/** A record stays well below the megabyte that brokers take. */
const ENVELOPE_CHARACTERS_MAX = 250_000;
const ENVELOPE_EVENTS_MAX = 1_000;
const APPEND_CHARACTERS_MAX = 4_000_000;
/** What may wait before others are asked to come back later. */
const WAITING_EVENTS_MAX = 200_000;

/** The feed is slower than what comes in; nothing was written for the one who gets this. */
export class IngestOverloaded extends Error {
  readonly code = 'ingest_overloaded';
}

/**
 * Writes usage events to `usage.events`. Requests that come while an append to the same partition is under way share the next one: one
 * record for each tenant among them. What is answered is durable.
 */
export class EnvelopeWriter {
  private readonly queues = new Map<number, Waiting[]>();
  private readonly busy = new Set<number>();
  private waitingEvents = 0;

  constructor(private readonly feed: Feed, private readonly ids: IdSource) {}

  /** Resolves once the parcel is durable. Throws `IngestOverloaded`, or what the feed threw: then it may be there or not, and may be sent again. */
  async write(partition: number, parcel: Parcel): Promise<void> {
    this.waitingEvents += parcel.events.length;
    try {
      await new Promise<void>((done, failed) => {
        const queue = this.queues.get(partition) ?? [];
        queue.push({ parcel, done, failed });
        this.queues.set(partition, queue);
        void this.drain(partition);
      });
    } finally {
      this.waitingEvents -= parcel.events.length;
    }
  }

  /** Refuses before anything is written when too much waits already. */
  assertRoom(): void {
    if (this.waitingEvents > WAITING_EVENTS_MAX) throw new IngestOverloaded('too many events wait to be written');
  }

  private async drain(partition: number): Promise<void> {
    if (this.busy.has(partition)) return;
    this.busy.add(partition);
    try {
      for (let batch = this.take(partition); batch.length > 0; batch = this.take(partition)) {
        try {
          await this.feed.append('usage.events', partition, this.recordsOf(batch.map(({ parcel }) => parcel)));
          for (const { done } of batch) done();
        } catch (error) {
          for (const { failed } of batch) failed(error);
        }
      }
    } finally {
      this.busy.delete(partition);
    }
  }

  private take(partition: number): Waiting[] {
    const queue = this.queues.get(partition) ?? [];
    let characters = 0;
    let count = 0;
    while (count < queue.length && characters < APPEND_CHARACTERS_MAX) characters += lengthOf(queue[count++]!.parcel.events);
    if (count === queue.length) this.queues.delete(partition);
    return queue.splice(0, count);
  }

  private recordsOf(parcels: readonly Parcel[]): NewRecord[] {
    const drafts: Draft[] = [];
    const latest = new Map<string, Draft>();
    for (const { tenant, receivedAt, traceparent, events } of parcels) {
      for (const event of events) {
        let draft = latest.get(tenant);
        if (draft === undefined || draft.events.length >= ENVELOPE_EVENTS_MAX || draft.characters + event.length > ENVELOPE_CHARACTERS_MAX) {
          draft = { tenant, recordedAt: receivedAt, requests: new Set(), events: [], characters: 0 };
          drafts.push(draft);
          latest.set(tenant, draft);
        }
        if (isBefore(draft.recordedAt, receivedAt)) draft.recordedAt = receivedAt;
        if (traceparent !== undefined) draft.requests.add(traceparent);
        draft.events.push(event);
        draft.characters += event.length;
      }
    }
    return drafts.map((draft) => this.recordOf(draft));
  }

  private recordOf({ tenant, recordedAt, requests, events }: Draft): NewRecord {
    const id = this.ids.next('env');
    // Of many requests: where they are not of one trace, the envelope has its own and is linked to each.
    const traceparent = markSpan('create usage.events', { kind: SpanKind.PRODUCER, attributes: { 'valueverse.tenant': tenant, 'valueverse.usage.events': events.length }, causes: [...requests] });
    const head = JSON.stringify({ id, tenant, recordedAt, traceparent });
    return {
      key: id,
      value: `${head.slice(0, -1)},"events":[${events.join(',')}]}`,
      headers: { ce_tenant: tenant, 'content-type': 'application/json', ...(traceparent === undefined ? {} : { traceparent }) },
    };
  }
}

const lengthOf = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + text.length, 0);
