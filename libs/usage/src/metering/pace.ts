import { setImmediate } from 'node:timers/promises';

/** About a millisecond of work. */
const EVENTS_AT_A_TIME = 250;

/**
 * Counts events that are worked on, and says when the other transactions of this thread should go on: the database would have nothing to do for them meanwhile.
 *
 *     if (pace.isOver(1)) await pace.giveWay();
 */
export class Pace {
  private events = 0;

  /** After some more events: whether it is time to give way. */
  isOver(more: number): boolean {
    this.events += more;
    return this.events >= EVENTS_AT_A_TIME;
  }

  async giveWay(): Promise<void> {
    this.events = 0;
    await setImmediate();
  }
}
