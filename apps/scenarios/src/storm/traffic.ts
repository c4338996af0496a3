import { setTimeout as pause } from 'node:timers/promises';
import { GivenUp, type StormClient } from './client';
import type { Random } from './random';
import { until } from './until';

/** A customer's month: what was acknowledged of it, and so what has to be billed. */
export interface Round { readonly subject: string; readonly accountId: string; readonly clockId: string; used: number }

const START = '2026-01-01T00:00:00Z';
const END = '2026-02-01T12:00:00Z';
const JANUARY_MINUTES = 31 * 24 * 60;
const EVENTS_PER_REQUEST = 20;
const DUPLICATE_PROBABILITY = 0.15;
const FREE_SUBJECTS = 6;
const PACE_MS = 15;
const CLOCK_LOOK_EVERY_MS = 250;
const REQUESTS_PER_ROUND = 6;
const PREPARE_TIMEOUT_MS = 180_000;
export const FEE_CENTS = 4_900;
export const CENTS_PER_UNIT = 3;
const BATCH_TYPE = 'application/cloudevents-batch+json';

interface UsageEvent { readonly id: string; readonly subject: string; readonly data: { readonly n: number } }

/** Usage and months of customers, through the public interface, with a model of what was acknowledged. */
export class Traffic {
  /** Quantity by subject: every event counts once, however often it was sent. */
  readonly used = new Map<string, number>();
  readonly rounds: Round[] = [];
  /** What ended with an answer that must not come. */
  readonly violations: string[] = [];
  events = 0;
  private isOver = false;
  private working: Promise<unknown> = Promise.resolve();
  private nth = 0;

  constructor(private readonly client: StormClient, private readonly random: Random, private readonly load: { readonly senders: number; readonly rounds: number }) {}

  async prepare(): Promise<void> {
    await this.client.post('/api/v1/usage/meters', { body: { key: 'calls', eventType: 'call', aggregation: 'sum', valueProperty: '$.n' }, idempotencyKey: 'meter' });
    const plan = { idempotencyKey: 'plan', body: {
      key: 'calls', name: 'Calls', currency: 'USD', interval: { unit: 'month', count: 1 }, charges: [
        { key: 'fee', name: 'Fee', type: 'recurring', timing: 'in_advance', price: { model: 'flat', amount: (FEE_CENTS / 100).toFixed(2) } },
        { key: 'calls', name: 'Calls', type: 'usage', meterKey: 'calls', price: { model: 'per_unit', unitAmount: (CENTS_PER_UNIT / 100).toFixed(2) } },
      ],
    } };
    // Billing hears of the meter by the log; until then it says that there is none.
    await until('billing to take a plan with the meter', async () => { await this.client.post('/api/v1/billing/plans', plan); return undefined; }, PREPARE_TIMEOUT_MS);
  }

  start(): void {
    const { senders, rounds } = this.load;
    this.working = Promise.all([...Array.from({ length: senders }, () => this.safely(() => this.sendFreely())), ...Array.from({ length: rounds }, () => this.safely(() => this.turnRounds()))]);
  }

  /** No new work; what is under way is brought to its end. */
  async finish(): Promise<void> {
    this.isOver = true;
    await this.working;
  }

  private async safely(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof GivenUp)) this.violations.push((error as Error).message);
    }
  }

  private async sendFreely(): Promise<void> {
    while (!this.isOver) {
      await this.sendUsage(`free-${this.random.whole(1, FREE_SUBJECTS)}`);
      await pause(PACE_MS);
    }
  }

  /** Twenty events of a subject, acknowledged; now and then the same ones come again, as a customer's retries do. */
  private async sendUsage(subject: string): Promise<number> {
    const events = Array.from({ length: EVENTS_PER_REQUEST }, () => this.event(subject));
    const sum = events.reduce((total, { data: { n } }) => total + n, 0);
    await this.client.post('/api/v1/usage/events', { body: events, contentType: BATCH_TYPE });
    this.used.set(subject, (this.used.get(subject) ?? 0) + sum);
    this.events += events.length;
    if (this.random.isLucky(DUPLICATE_PROBABILITY)) await this.client.post('/api/v1/usage/events', { body: events, contentType: BATCH_TYPE });
    return sum;
  }

  private event(subject: string): UsageEvent {
    const minute = this.random.whole(0, JANUARY_MINUTES - 1);
    return Object.assign({ specversion: '1.0', source: 'storm', type: 'call', time: new Date(Date.parse(START) + minute * 60_000).toISOString() }, { id: `e${++this.nth}`, subject, data: { n: this.random.whole(1, 9) } });
  }

  private async turnRounds(): Promise<void> { while (!this.isOver) await this.turnRound(`round-${++this.nth}`); }

  /** A customer subscribes, uses for a month, and is billed at its end. */
  private async turnRound(subject: string): Promise<void> {
    const make = (path: string, step: string, body: unknown) => this.client.post(path, { body, idempotencyKey: `${subject}-${step}` });
    const clockId = (await make('/api/v1/billing/clocks', 'clock', { name: subject, now: START })).id as string;
    const accountId = (await make('/api/v1/billing/accounts', 'account', { name: subject, email: `${subject}@example.com`, currency: 'USD', timezone: 'UTC', testClockId: clockId })).id as string;
    await make('/api/v1/payments/methods', 'method', { accountId, provider: 'sandbox', token: 'tok_ok', default: true });
    await make('/api/v1/billing/subscriptions', 'subscription', { accountId, planKey: 'calls', startsAt: START, subjects: [subject] });
    const round: Round = { subject, accountId, clockId, used: 0 };
    for (let requests = 0; requests < REQUESTS_PER_ROUND; requests++) round.used += await this.sendUsage(subject);
    await make(`/api/v1/billing/clocks/${clockId}/advance`, 'advance', { to: END });
    this.rounds.push(round);
    // One clock after the other; what is still on its way when the storm ends is judged after it.
    while (!this.isOver && (await this.client.get(`/api/v1/billing/clocks/${clockId}`)).status !== 'ready') await pause(CLOCK_LOOK_EVERY_MS);
  }
}
