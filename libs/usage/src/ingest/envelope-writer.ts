import type { IdSource } from '@valueverse/kernel';
import { USAGE_TOPIC } from '@valueverse/contracts';
import type { Feed, NewRecord } from '@valueverse/event-log';
import { envelopesOf, type Parcel } from './envelopes';
import { AppendOrSetAside, type Aside } from './set-aside';

/** A request whose parcels are being written: it is done with the last of them, and has failed with the first that does. */
interface Request { left: number; readonly done: () => void; readonly failed: (cause: unknown) => void }
interface Waiting { readonly parcel: Parcel; readonly request: Request }

const APPEND_CHARACTERS_MAX = 4_000_000;
/** Where a feed takes all partitions in one append, they share it. */
const ALL_PARTITIONS = -1;
/**
 * Where each partition is appended to by itself, its appends begin at least so long after one another: a busy partition would otherwise be given a few events at a time, and an append costs
 * as much as dozens of them. The busier, the longer; what comes after a rest goes at once.
 */
const SPACING_MIN_MS = 15;
const SPACING_MAX_MS = 80;
/** What an append should hold at the least, in characters, where so much comes in `SPACING_MAX_MS`. */
const APPEND_CHARACTERS_WANTED = 12_000;

const charactersOf = ({ events }: Parcel): number => events.reduce((sum, { length }) => sum + length, 0);

/** When the appends to one partition began, and how much the last one held. */
class Pace {
  private beganMs = 0;
  private spacingMs = SPACING_MIN_MS;

  get restMs(): number { return this.beganMs + this.spacingMs - performance.now(); }

  began(characters: number): void {
    const now = performance.now();
    const wanted = APPEND_CHARACTERS_WANTED / characters * (now - this.beganMs);
    // Where it would not fill up in time, waiting longer would only make the answer late.
    this.spacingMs = wanted > SPACING_MAX_MS ? SPACING_MIN_MS : Math.max(SPACING_MIN_MS, wanted);
    this.beganMs = now;
  }
}

/**
 * Writes usage events to `usage.events`. Requests that come while an append is under way share the next one: one record for each tenant and partition
 * among them. What is answered is durable.
 */
export class EnvelopeWriter {
  private readonly queues = new Map<number, Waiting[]>();
  private readonly busy = new Set<number>();
  private readonly paces = new Map<number, Pace>();

  private readonly patient: AppendOrSetAside | undefined;

  /** `aside`: where what one partition does not take waits for it; without, and where the feed takes all partitions in one append, it fails. */
  constructor(private readonly feed: Feed, private readonly ids: IdSource, aside?: Aside) {
    if (aside !== undefined && feed.appendAll === undefined) this.patient = new AppendOrSetAside(feed, aside);
  }

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
      for (;;) {
        const restMs = this.restMs(lane);
        if (restMs > 0) await new Promise((resolve) => { setTimeout(resolve, restMs); });
        const batch = this.take(lane);
        if (batch.length === 0) return;
        this.paces.get(lane)?.began(batch.reduce((sum, { parcel }) => sum + charactersOf(parcel), 0));
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

  /** How long the lane has to wait before its next append. */
  private restMs(lane: number): number {
    if (lane === ALL_PARTITIONS || !this.queues.has(lane)) return 0;
    let pace = this.paces.get(lane);
    if (pace === undefined) this.paces.set(lane, pace = new Pace());
    return pace.restMs;
  }

  private take(lane: number): Waiting[] {
    const queue = this.queues.get(lane);
    if (queue === undefined) return [];
    let characters = 0;
    let count = 0;
    while (count < queue.length && characters < APPEND_CHARACTERS_MAX) characters += charactersOf(queue[count++]!.parcel);
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
    if (this.feed.appendAll !== undefined) return this.feed.appendAll(USAGE_TOPIC, records);
    const [[partition, only]] = [...records] as [[number, readonly NewRecord[]]];
    return this.patient === undefined ? this.feed.append(USAGE_TOPIC, partition, only) : this.patient.append(partition, only);
  }
}
