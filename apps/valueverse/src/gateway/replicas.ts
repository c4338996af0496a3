import { Agent, get } from 'node:http';

/** How a replica is: it serves; it is there and not fit, so it is asked only when nobody is fit; or it is to be left alone. */
export type ReplicaState = 'ready' | 'unfit' | 'gone';

export interface Replica {
  readonly url: URL;
  state: ReplicaState;
  /** Why it is not ready. */
  reason: string;
  /** Called when it does not answer any more: reads that wait for it are better asked elsewhere. */
  readonly givenUp: Set<() => void>;
}

const CHECK_EVERY_MS = 250;
const CHECK_TIMEOUT_MS = 4_000;
const READY = 200;
const READINESS_BYTES_MAX = 64 * 1024;

/** The replicas of one backend. Each is asked for its readiness again and again; requests go around those that are ready. */
export class Replicas {
  readonly all: readonly Replica[];
  private turn = 0;
  private readonly timers = new Map<Replica, NodeJS.Timeout>();
  private running = true;
  // A connection of its own for each look: one that is kept alive would show the state of the socket, not that of the listener.
  private readonly agent = new Agent({ keepAlive: false });

  constructor(readonly name: string, urls: readonly string[]) {
    this.all = urls.map((url) => ({ url: new URL(url), state: 'gone', reason: 'it was not asked yet', givenUp: new Set() }));
  }

  /** Begins to look; settles when each replica was asked once. */
  async watch(): Promise<void> { await Promise.all(this.all.map((replica) => this.look(replica))); }

  /** The next one in turn among those that are ready, else among those that are there; without those that were `tried` already. */
  next(tried: ReadonlySet<Replica>): Replica | undefined {
    const left = this.all.filter((replica) => !tried.has(replica));
    const ready = left.filter(({ state }) => state === 'ready');
    const candidates = ready.length > 0 ? ready : left.filter(({ state }) => state === 'unfit');
    return candidates[this.turn++ % candidates.length];
  }

  /** A replica that refused a connection gets no more requests until it was looked at again. */
  refused(replica: Replica, reason: string): void {
    replica.state = 'gone';
    replica.reason = reason;
  }

  stop(): void {
    this.running = false;
    this.timers.forEach((timer) => clearTimeout(timer));
    this.agent.destroy();
  }

  private async look(replica: Replica): Promise<void> {
    const { isSilent, ...found } = await this.ask(replica);
    Object.assign(replica, found);
    if (isSilent) [...replica.givenUp].forEach((giveUp) => giveUp());
    if (this.running) this.timers.set(replica, setTimeout(() => { void this.look(replica); }, CHECK_EVERY_MS));
  }

  private ask({ url }: Replica): Promise<Pick<Replica, 'state' | 'reason'> & { isSilent?: boolean }> {
    return new Promise((resolve) => {
      const request = get(new URL('/health/ready', url), { agent: this.agent, timeout: CHECK_TIMEOUT_MS }, (answer) => {
        let text = '';
        answer.on('data', (chunk: Buffer) => { if (text.length < READINESS_BYTES_MAX) text += chunk.toString(); });
        answer.once('error', (error) => resolve({ state: 'gone', reason: error.message, isSilent: true }));
        answer.once('end', () => {
          if (answer.statusCode === READY) resolve({ state: 'ready', reason: '' });
          // On its way out it takes nothing new; with a sick database it may still answer what needs none.
          else resolve(text.includes('"draining"') ? { state: 'gone', reason: 'it is on its way out' } : { state: 'unfit', reason: `it answers ${answer.statusCode}` });
        });
      });
      request.once('timeout', () => request.destroy(new Error(`no answer within ${CHECK_TIMEOUT_MS} ms`)));
      request.once('error', (error) => resolve({ state: 'gone', reason: error.message, isSilent: true }));
    });
  }
}
