/** The process holds as much usage as it may; nothing was written for the one who gets this. */
export class IngestOverloaded extends Error {
  readonly code = 'ingest_overloaded';
}

/** How many bytes of usage, in bodies and as texts to be written, a process holds at one time before it is durable. */
export const BYTES_IN_FLIGHT_MAX = 128 * 1024 * 1024;

/** Bounds what is on its way: who takes gives back, whatever has become of it. */
export class Room {
  private taken = 0;

  constructor(private readonly bytesMax = BYTES_IN_FLIGHT_MAX) {}

  /** Throws `IngestOverloaded` where there is no room for so many bytes. */
  take(bytes: number): void {
    if (this.taken + bytes > this.bytesMax) throw new IngestOverloaded('too much usage waits to be written');
    this.taken += bytes;
  }
  give(bytes: number): void { this.taken -= bytes; }
  get bytes(): number { return this.taken; }
}
