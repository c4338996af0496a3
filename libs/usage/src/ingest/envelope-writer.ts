import type { IdSource } from '@valueverse/kernel';
import type { Feed, NewRecord } from '@valueverse/event-log';
import { envelopesOf, type Parcel } from './envelopes';

/** A request whose parcels are being written: it is done with the last of them, and has failed with the first that does. */
interface Request { left: number; readonly done: () => void; readonly failed: (cause: unknown) => void }
interface Waiting { readonly parcel: Parcel; readonly request: Request }

const APPEND_CHARACTERS_MAX = 4_000_000;
/** Where a feed takes all partitions in one append, they share it. */
const ALL_PARTITIONS = -1;

/**
 * Writes usage events to `usage.events`. Requests that come while an append is under way share the next one: one record for each tenant and partition
 * among them. What is answered is durable.
 */
export class EnvelopeWriter {
  private readonly queues = new Map<number, Waiting[]>();
  private readonly busy = new Set<number>();

  constructor(private readonly feed: Feed, private readonly ids: IdSource) {}

  /** Resolves once all parcels are durable. Throws what the feed threw: then they may be there or not, and may be sent again. */
  write(parcels: readonly Parcel[]): Promise<void> {
    if (parcels.length === 0) return Promise.resolve();
    return new Promise<void>((done, failed) => {
      const request: Request = { left: parcels.length, done, failed };
      for (const parcel of parcels) this.queue(parcel, request);
      for (const parcel of parcels) void this.drain(this.laneOf(parcel));
    });
  }

  private laneOf({ partition }: Parcel): number { return this.feed.appendAll === undefined ? partition : ALL_PARTITIONS; }

  private queue(parcel: Parcel, request: Request): void {
    const lane = this.laneOf(parcel);
    const queue = this.queues.get(lane);
    if (queue === undefined) this.queues.set(lane, [{ parcel, request }]);
    else queue.push({ parcel, request });
  }

  private async drain(lane: number): Promise<void> {
    if (this.busy.has(lane)) return;
    this.busy.add(lane);
    try {
      for (let batch = this.take(lane); batch.length > 0; batch = this.take(lane)) {
        try {
          await this.append(batch.map(({ parcel }) => parcel));
          for (const { request } of batch) if (--request.left === 0) request.done();
        } catch (error) {
          for (const { request } of batch) request.failed(error);
        }
      }
    } finally {
      this.busy.delete(lane);
    }
  }

  private take(lane: number): Waiting[] {
    const queue = this.queues.get(lane);
    if (queue === undefined) return [];
    let characters = 0;
    let count = 0;
    while (count < queue.length && characters < APPEND_CHARACTERS_MAX) for (const { length } of queue[count++]!.parcel.events) characters += length;
    if (count === queue.length) this.queues.delete(lane);
    return queue.splice(0, count);
  }

  private append(parcels: readonly Parcel[]): Promise<void> {
    const byPartition = new Map<number, Parcel[]>();
    for (const parcel of parcels) {
      const own = byPartition.get(parcel.partition);
      if (own === undefined) byPartition.set(parcel.partition, [parcel]);
      else own.push(parcel);
    }
    const records = new Map<number, readonly NewRecord[]>();
    for (const [partition, own] of byPartition) records.set(partition, envelopesOf(own, this.ids));
    if (this.feed.appendAll !== undefined) return this.feed.appendAll('usage.events', records);
    const [[partition, only]] = [...records] as [[number, readonly NewRecord[]]];
    return this.feed.append('usage.events', partition, only);
  }
}
