import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '@valueverse/testing';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a scenario reads answers as any client does: by name
type Json = any;

const START = '2026-01-01T00:00:00Z';
const USED_AT = '2026-01-10T12:00:00Z';
const EVENTS_PER_REQUEST = 10;
const SENDERS = 2;
/** Between two requests of one sender: a steady load, not as much as the machine can do. */
const PACE_MS = 25;
const SUBSCRIBE_EVERY_MS = 250;
const SETTLED = { timeoutMs: 60_000, everyMs: 100 };

/** Customers that use and subscribe while something happens to the services; every request counts, and none is repeated here. */
export class Load {
  /** What was not answered with success, in words. */
  readonly failures: string[] = [];
  requests = 0;
  accepted = 0;
  private readonly accounts: string[] = [];
  private readonly subscribed: string[] = [];
  private running = false;
  private ended: Promise<unknown> = Promise.resolve();
  private nth = 0;

  constructor(private readonly url: string, private readonly key: string) {}

  /** A meter, a plan, and accounts with a card and a test clock, which subscribe later. */
  async prepare(accounts: number): Promise<void> {
    await this.make('/api/v1/usage/meters', { key: 'calls', eventType: 'call', aggregation: 'sum', valueProperty: '$.n' });
    await this.make('/api/v1/billing/plans', { key: 'fee', name: 'Fee', currency: 'USD', interval: { unit: 'month', count: 1 }, charges: [{ key: 'fee', name: 'Fee', type: 'recurring', timing: 'in_advance', price: { model: 'flat', amount: '49.00' } }] });
    const { id: testClockId } = await this.make('/api/v1/billing/clocks', { name: 'load', now: START });
    for (let nth = 0; nth < accounts; nth++) {
      const { id } = await this.make('/api/v1/billing/accounts', { name: `Customer ${nth}`, email: 'c@example.com', currency: 'USD', timezone: 'UTC', testClockId });
      await this.make('/api/v1/payments/methods', { accountId: id, provider: 'sandbox', token: 'tok_ok', default: true });
      this.accounts.push(id as string);
    }
  }

  start(): void {
    this.running = true;
    this.ended = Promise.all([...Array.from({ length: SENDERS }, () => this.use()), this.subscribe()]);
  }
  async stop(): Promise<void> {
    this.running = false;
    await this.ended;
  }

  /** Sends one request with ten events; those of a request that failed may count or not. */
  async send(): Promise<void> {
    const events = Array.from({ length: EVENTS_PER_REQUEST }, () => ({ specversion: '1.0', id: `e${++this.nth}`, source: 'load', type: 'call', subject: `s${this.nth % 7}`, time: USED_AT, data: { n: 1 } }));
    const answer = await this.post('/api/v1/usage/events', events, 'application/cloudevents-batch+json');
    if (answer !== undefined) this.accepted += answer.accepted as number;
  }

  /** Waits until the sum of what the meter says is the sum of what was accepted. */
  async allUsageCounted(): Promise<void> {
    await eventually(`${this.accepted} events to be counted`, async (saw) => {
      const { data } = await this.get(`/api/v1/usage/meters/calls/query?from=${START}&to=2026-02-01T00:00:00Z`);
      const counted = Number(data[0]?.value ?? 0);
      saw(counted);
      if (counted > this.accepted) throw new Error(`${counted} events are counted and ${this.accepted} were accepted`);
      return counted === this.accepted || undefined;
    }, SETTLED);
  }

  /** Waits until each subscription has its one paid invoice; answers how many there are. */
  async allInvoicesPaid(): Promise<number> {
    for (const account of this.subscribed) {
      await eventually(`the paid invoice of ${account}`, async (saw) => {
        const { data } = await this.get(`/api/v1/billing/invoices?accountId=${account}`);
        saw(data);
        return (data.length === 1 && data[0].total === '49.00' && data[0].paymentStatus === 'paid') || undefined;
      }, SETTLED);
    }
    return this.subscribed.length;
  }

  private async use(): Promise<void> {
    while (this.running) {
      await this.send();
      await pause(PACE_MS);
    }
  }

  private async subscribe(): Promise<void> {
    while (this.running) {
      const account = this.accounts[this.subscribed.length];
      if (account === undefined) return;
      const made = await this.post('/api/v1/billing/subscriptions', { accountId: account, planKey: 'fee', startsAt: START, subjects: [`subject-of-${account}`] });
      if (made === undefined) return;
      this.subscribed.push(account);
      await pause(SUBSCRIBE_EVERY_MS);
    }
  }

  private async make(path: string, body: unknown): Promise<Json> {
    const made = await this.post(path, body);
    if (made === undefined) throw new Error(this.failures.at(-1));
    return made;
  }

  private async get(path: string): Promise<Json> { return (await fetch(this.url + path, { headers: { authorization: `Bearer ${this.key}` } })).json(); }

  private async post(path: string, body: unknown, contentType = 'application/json'): Promise<Json> {
    this.requests++;
    try {
      const response = await fetch(this.url + path, { method: 'POST', headers: { 'authorization': `Bearer ${this.key}`, 'content-type': contentType }, body: JSON.stringify(body) });
      const text = await response.text();
      if (response.ok) return JSON.parse(text) as Json;
      this.failures.push(`${path}: ${response.status} ${text}`);
    } catch (error) {
      this.failures.push(`${path}: ${String((error as Error).cause ?? error)}`);
    }
    return undefined;
  }
}
