import type { Clock } from '@valueverse/kernel';
import type { Database } from '@valueverse/event-log';
import type { Worker } from '@valueverse/platform';
import type { PaymentProvider } from '../provider';
import { StripeProvider } from '../stripe/stripe-provider';
import { NOW_HEADER, SandboxServer, sandboxKeyOf } from './sandbox-server';

export const SANDBOX = 'sandbox';

/** Where the sandbox listens: at a URL that is given, or on a loopback socket of this process, over the tables of its service. */
export class Sandbox implements Worker {
  private readonly server: SandboxServer | undefined;
  private known: (url: string) => void = () => undefined;
  private readonly address: Promise<string>;

  constructor(database: Database, clock: Clock, url?: string) {
    this.address = url === undefined ? new Promise((resolve) => { this.known = resolve; }) : Promise.resolve(url);
    this.server = url === undefined ? new SandboxServer(database, clock) : undefined;
  }
  get url(): Promise<string> { return this.address; }
  /** How many orders have yet to arrive at the one that runs inside. */
  get late(): number { return this.server?.late ?? 0; }
  start(): void { if (this.server !== undefined) void this.server.start().then((url) => this.known(url)); }
  async stop(): Promise<void> { await this.server?.stop(); }

  /** A request to it that no real provider takes: faults, and what customers and banks do. `now` is the present of the clock that it happens on, where that is not the wall's. Answers what it says; throws what it refuses. */
  async control(tenant: string, path: string, body: unknown, now?: string): Promise<unknown> {
    const answer = await fetch(`${await this.address}/sandbox/${path}`, { method: 'POST', headers: { authorization: `Bearer ${sandboxKeyOf(tenant)}`, 'content-type': 'application/json', ...(now === undefined ? {} : { [NOW_HEADER]: now }) }, body: JSON.stringify(body) });
    const said = await answer.json() as { error?: { message: string } };
    if (!answer.ok) throw new SandboxRefusal(said.error?.message ?? `the sandbox answered ${answer.status}`);
    return said;
  }
}
export class SandboxRefusal extends Error {}

/** The sandbox as a provider: the adapter of Stripe at another address, so that what collects from the one collects from the other. */
export const sandboxProvider = (sandbox: Sandbox, timeoutMs: number): PaymentProvider => new StripeProvider({
  name: SANDBOX, timeoutMs, account: async (tenant) => ({ apiKey: sandboxKeyOf(tenant), url: await sandbox.url }), headersOf: ({ now }) => ({ [NOW_HEADER]: now }),
});
