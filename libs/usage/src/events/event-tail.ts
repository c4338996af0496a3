import { isTransient, Loop, type Database } from '@valueverse/event-log';
import { Problem, type Logger } from '@valueverse/platform';
import { eventsOf, listed, type EnvelopeRow } from './listed-events';
import { Listener, type TailFilter } from './tail-listener';

export const STREAMS_MAX = 200;
export const STREAMS_OF_TENANT_MAX = 20;
const LOOK_EVERY_MS = 250;
const IDLE_MS = 60_000;
const ERROR_PAUSE_MS = 1_000;
const ENVELOPES_AT_ONCE = 64;
/** After so many full looks one after the other the rest is passed over: a tail that is far behind is none. */
const FULL_LOOKS_MAX = 20;

interface Tailed { readonly listeners: Set<Listener>; read: Map<number, bigint> | undefined; fullLooks: number }

/** Tells listeners of events as metering takes them in. One look serves all listeners of a tenant in this process. */
export class EventTail {
  private readonly tenants = new Map<string, Tailed>();
  private readonly loop: Loop;
  private isClosed = false;

  constructor(private readonly database: Database, logger: Logger) {
    this.loop = new Loop(() => this.turn(), (error) => {
      if (!isTransient(error)) logger.error({ err: error }, 'new usage events could not be read for those who listen; it is tried again');
      return ERROR_PAUSE_MS;
    });
  }

  start(): void { this.loop.start(); }
  /** Ends every stream. */
  close(): void {
    this.isClosed = true;
    for (const { listeners } of this.tenants.values()) for (const listener of listeners) listener.end('closing', 'this process ends; connect again');
  }
  async stop(): Promise<void> {
    this.close();
    await this.loop.stop();
  }

  /** Who listens from now on; `leave` ends it. Refuses with 429 `too_many_streams` and 503 `closing`. */
  listen(tenant: string, filter: TailFilter): { listener: Listener; leave: () => void } {
    if (this.isClosed) throw new Problem(503, 'closing', 'this process ends; connect again', { retryAfterSeconds: 1 });
    const tailed = this.tenants.get(tenant) ?? { listeners: new Set(), read: undefined, fullLooks: 0 };
    const all = [...this.tenants.values()].reduce((sum, { listeners }) => sum + listeners.size, 0);
    if (tailed.listeners.size >= STREAMS_OF_TENANT_MAX || all >= STREAMS_MAX) throw new Problem(429, 'too_many_streams', `at most ${STREAMS_OF_TENANT_MAX} streams of a tenant and ${STREAMS_MAX} of a process`, { retryAfterSeconds: 10 });
    const listener = new Listener(filter);
    tailed.listeners.add(listener);
    this.tenants.set(tenant, tailed);
    this.loop.wake();
    return { listener, leave: () => {
      tailed.listeners.delete(listener);
      if (tailed.listeners.size === 0 && this.tenants.get(tenant) === tailed) this.tenants.delete(tenant);
    } };
  }

  private async turn(): Promise<number> {
    if (this.tenants.size === 0) return IDLE_MS;
    const heads = await this.heads();
    let isFull = false;
    const failures: unknown[] = [];
    // One tenant whose events cannot be read does not keep those of the others.
    for (const [tenant, tailed] of [...this.tenants]) isFull = (await this.look(tenant, tailed, heads).catch((error: unknown) => { failures.push(error); return false; })) || isFull;
    if (failures.length > 0) throw failures[0];
    return isFull ? 0 : LOOK_EVERY_MS;
  }

  private async heads(): Promise<Map<number, bigint>> {
    const { rows } = await this.database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ partition: number; position: bigint }>('SELECT partition, position FROM usage_partitions ORDER BY partition'));
    return new Map(rows.map(({ partition, position }) => [partition, position]));
  }

  /** Tells a tenant's listeners what has come since the last look; answers whether there is more at once. Read as the tenant: another one's events are behind the policy. */
  private async look(tenant: string, tailed: Tailed, heads: ReadonlyMap<number, bigint>): Promise<boolean> {
    const { read, listeners } = tailed;
    if (read === undefined) {
      tailed.read = new Map(heads);
      for (const listener of listeners) listener.begin();
      return false;
    }
    for (const listener of listeners) listener.begin();
    const grown = [...heads].filter(([partition, position]) => position > read.get(partition)!);
    if (grown.length === 0) return false;
    const { events, rows } = await this.database.transaction({ role: 'api', tenant, isolation: 'repeatable read', readOnly: true }, async (tx) => {
      const found = await tx.query<EnvelopeRow & Record<string, unknown>>(
        `SELECT e.partition, e.position, e.log_time, e.envelope, e.not_counted, e.body, e.packed FROM unnest($2::int[], $3::bigint[], $4::bigint[]) g(partition, after, upto)
         JOIN usage_envelopes e ON e.tenant = $1 AND e.partition = g.partition AND e.position > g.after AND e.position <= g.upto ORDER BY e.partition, e.position LIMIT $5`,
        [tenant, grown.map(([partition]) => partition), grown.map(([partition]) => read.get(partition)), grown.map(([, position]) => position), ENVELOPES_AT_ONCE]);
      const wanted = eventsOf(found.rows).reverse().filter(({ event }) => [...listeners].some((listener) => listener.wants(event)));
      return { rows: found.rows, events: await listed(tx, tenant, wanted) };
    });
    for (const event of events) for (const listener of listeners) if (listener.wants(event)) listener.tell(event);
    return this.advance(tailed, rows, grown);
  }

  private advance(tailed: Tailed, rows: readonly EnvelopeRow[], grown: readonly (readonly [number, bigint])[]): boolean {
    const isFull = rows.length === ENVELOPES_AT_ONCE;
    tailed.fullLooks = isFull ? tailed.fullLooks + 1 : 0;
    const last = rows.at(-1);
    const isTooFar = tailed.fullLooks > FULL_LOOKS_MAX;
    for (const [partition, position] of grown) {
      if (!isFull || isTooFar || partition < last!.partition) tailed.read!.set(partition, position);
      else if (partition === last!.partition) tailed.read!.set(partition, last!.position);
    }
    if (isTooFar) {
      tailed.fullLooks = 0;
      for (const listener of tailed.listeners) listener.passedOver();
    }
    return isFull && !isTooFar;
  }
}
