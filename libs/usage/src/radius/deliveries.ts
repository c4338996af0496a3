import { microsNumberOfText, type Instant } from '@valueverse/kernel';
import { isTransient, Loop, type Database } from '@valueverse/event-log';
import type { Logger } from '@valueverse/platform';
import type { Ingest } from '../ingest/ingest';
import { plannedBefore, removePlanned, type Planned } from './session-table';

/** What was planned this long ago and is still there was left behind by a process that ended, or by a feed that did not answer. */
const LEFT_BEHIND_MICROS = 10_000_000;
const LOOK_EVERY_MS = 2_000;
const ERROR_PAUSE_MS = 5_000;
const AT_ONCE = 500;

/**
 * Brings the usage of sessions to the feed, at least once, under the id that was planned with the session: metering counts it once. A packet brings its own at once; what was left behind is
 * brought by whichever process looks next, also when the NAS never comes again.
 */
export class Deliveries {
  private readonly loop: Loop;

  constructor(private readonly database: Database, private readonly ingest: Ingest, private readonly now: () => Instant, private readonly logger: Logger) {
    this.loop = new Loop(() => this.lookBehind(), (error) => {
      if (!isTransient(error)) logger.error({ err: error }, 'usage of RADIUS sessions that was left behind could not be brought to the feed; it is tried again');
      return ERROR_PAUSE_MS;
    });
  }

  start(): void { this.loop.start(); }
  stop(): Promise<void> { return this.loop.stop(); }

  /** Appends, then forgets. Throws what the feed throws; nothing is forgotten then. */
  async deliver(tenant: string, planned: readonly Planned[]): Promise<void> {
    if (planned.length === 0) return;
    // What an event may claim was decided when it was planned, by the clock of that process: this one's may be behind it.
    const { rejected } = await this.ingest.accept(tenant, 'test', planned.map(({ event }) => ({ value: JSON.parse(event) as unknown })), this.now());
    // A plan is made of what was checked, so this is a fault of ours; kept, it would be refused again for ever and hold up its session.
    if (rejected.length > 0) this.logger.error({ alarm: true, rejected }, 'usage of a RADIUS session was refused by our own ingest and is lost');
    await this.database.transaction({ role: 'api', tenant }, (tx) => removePlanned(tx, tenant, planned));
  }

  private async lookBehind(): Promise<number> {
    const before = microsNumberOfText(this.now()) - LEFT_BEHIND_MICROS;
    const left = await this.database.transaction({ role: 'worker', readOnly: true }, (tx) => plannedBefore(tx, before, AT_ONCE));
    for (const tenant of new Set(left.map((one) => one.tenant))) await this.deliver(tenant, left.filter((one) => one.tenant === tenant));
    return left.length < AT_ONCE ? LOOK_EVERY_MS : 0;
  }
}
