// Random years of subscriptions through the public API under test clocks: whatever happens in them, the invoices less the credit notes are what an obvious computation over the whole year gives, and each preview was right.
import { addMicros, anchorAt, isBefore, periodAt, periodContaining, type BillingAnchor, type Interval, type Period } from '@valueverse/kernel';
import { isNightly, oracleLife, type OracleLifePlan, type OracleState } from '@valueverse/testing';
import { Edition, type Json } from './edition.spec-kit';

const TIMEOUT_MS = isNightly() ? 3_600_000 : 240_000;
/** By day one, which is seen to be the same each day; random lives without the system around them are in `whole-life.spec.ts` of billing. */
const YEARS = isNightly() ? 40 : 1;
const SEED = Number(process.env['VV_SEED'] ?? 7);
const AT_ONCE = 2;
const DAYS = 366;
const PAUSE_DAYS_MAX = 45;
const HOUR = 3_600_000_000n;
/** When usage of a change is invoiced: the grace period, and a little. */
const SETTLED = HOUR + 1_000_000n;
const ZONES = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe'];
const INTERVALS: Readonly<Record<string, Interval>> = { month: { unit: 'month', count: 1 }, quarter: { unit: 'quarter', count: 1 } };
const fee = (key: string, price: Json, more: Json = {}): Json => ({ key, name: key, type: 'recurring', timing: 'in_advance', price, ...more });
const seats = fee('seats', { model: 'per_unit', unitAmount: '7.77' });
const calls = (price: Json): Json => ({ key: 'calls', name: 'calls', type: 'usage', meterKey: 'calls', price });
const flat = (amount: string): Json => ({ model: 'flat', amount });
const PLANS: Readonly<Record<string, { readonly api: Json; readonly oracle: OracleLifePlan }>> = {
  small: {
    api: { charges: [fee('base', flat('31.00')), seats, calls({ model: 'graduated', tiers: [{ upTo: '3', unitAmount: '1' }, { unitAmount: '0.5' }] })] },
    oracle: { interval: 'month', fees: [{ key: 'base', cents: 3_100, isPerSeat: false }, { key: 'seats', cents: 777, isPerSeat: true }], usage: (count) => 100 * Math.min(count, 3) + 50 * Math.max(count - 3, 0) },
  },
  large: {
    api: { charges: [fee('base', flat('49.99')), seats, fee('support', flat('12.34'), { timing: 'in_arrears' }), calls({ model: 'per_unit', unitAmount: '0.03' })] },
    oracle: { interval: 'month', fees: [{ key: 'base', cents: 4_999, isPerSeat: false }, { key: 'seats', cents: 777, isPerSeat: true }, { key: 'support', cents: 1_234, isPerSeat: false }], usage: (count) => 3 * count },
  },
  quarterly: {
    api: { charges: [fee('base', flat('80.01')), calls({ model: 'package', packageSize: '4', packageAmount: '1.11' })] },
    oracle: { interval: 'quarter', fees: [{ key: 'base', cents: 8_001, isPerSeat: false }], usage: (count) => 111 * Math.ceil(count / 4) },
  },
};
const EXTRAS: Readonly<Record<string, number>> = { backup: 999, phone: 501 };

let edition: Edition;
beforeAll(async () => {
  edition = await Edition.start();
  await edition.post('/api/v1/usage/meters', { key: 'calls', eventType: 'call', aggregation: 'count' });
  await edition.post('/api/v1/billing/tax-rates', { key: 'vat-de', name: 'VAT', rate: '19', jurisdiction: { country: 'DE' } });
  for (const [key, { api, oracle }] of Object.entries(PLANS)) await edition.post('/api/v1/billing/plans', { key, name: key, currency: 'USD', interval: INTERVALS[oracle.interval], ...api });
  for (const [key, cents] of Object.entries(EXTRAS)) await edition.post('/api/v1/billing/add-ons', { key, name: key, currency: 'USD', charges: [fee(key, flat((cents / 100).toFixed(2)))] });
}, TIMEOUT_MS);
afterAll(() => edition.stop(), TIMEOUT_MS);

/** Numbers that look random and are the same each time. */
const numbers = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
};
const cents = (text: string): number => Math.round(Number(text) * 100);

/** One subscription, what is done to it, and beside it how it has to be. */
class Year {
  readonly states: OracleState[] = [];
  readonly calls: string[] = [];
  readonly told: string[] = [];
  private now: string;
  private pending: { readonly at: string; readonly plan: string } | undefined;
  private isPaused = false;
  private clock = '';
  private account = '';
  private subscription = '';
  private readonly anchor: BillingAnchor;

  constructor(private readonly seed: number, private readonly random: () => number) {
    this.now = `2024-01-${String(1 + Math.floor(random() * 28)).padStart(2, '0')}T${String(Math.floor(random() * 24)).padStart(2, '0')}:07:33Z`;
    this.anchor = anchorAt(this.now, ZONES[seed % ZONES.length]!);
  }
  private pick<T>(all: readonly T[]): T { return all[Math.floor(this.random() * all.length)]!; }
  private get state(): OracleState { return this.states.at(-1)!; }

  async begin(): Promise<void> {
    const plan = this.pick(Object.keys(PLANS));
    const quantity = 1 + Math.floor(this.random() * 3);
    this.clock = (await edition.post('/api/v1/billing/clocks', { name: 'year', now: this.now })).id;
    const address = this.seed % 2 === 0 ? { country: 'DE' } : { country: 'US' };
    this.account = (await edition.post('/api/v1/billing/accounts', { name: 'Acme', email: 'a@acme.example', currency: 'USD', timezone: this.anchor.zone, address, testClockId: this.clock })).id;
    if (this.seed % 3 !== 0) await edition.post('/api/v1/payments/methods', { accountId: this.account, provider: 'sandbox', token: 'tok_ok', default: true });
    this.subscription = (await edition.post('/api/v1/billing/subscriptions', { accountId: this.account, planKey: plan, startsAt: this.now, quantity: String(quantity), subjects: [`year_${this.seed}`] })).id;
    this.states.push({ at: this.now, isOn: true, plan, seats: quantity, extras: [], by: 'day' });
    await this.goTo(addMicros(this.now, SETTLED));
  }

  /** Moves on; what was to come meanwhile comes. */
  async goTo(at: string): Promise<void> {
    if (this.pending !== undefined && this.pending.at <= at) {
      this.states.push({ ...this.state, ...this.pending, by: 'day' });
      this.pending = undefined;
    }
    this.now = at;
    await edition.advance(this.clock, at);
  }

  later(hours: number): Promise<void> { return this.goTo(addMicros(this.now, BigInt(hours) * HOUR)); }

  async use(): Promise<void> {
    const count = Math.floor(this.random() * 4);
    // Some of it comes late, but before its period is closed for good.
    const times = Array.from({ length: count }, () => addMicros(this.now, -BigInt(Math.floor(this.random() * 60_000_000))));
    const counted = times.filter((time) => time >= this.state.at);
    if (counted.length > 0) await edition.send(counted.map((time) => ({ specversion: '1.0', id: `${this.seed}-${this.calls.push(time)}`, source: 'year', type: 'call', subject: `year_${this.seed}`, time })));
  }

  /** Asks for the preview and then for the change. Answers the preview, unless both were refused alike. */
  private async ask(what: string, body: Json): Promise<Json> {
    const path = `/api/v1/billing/subscriptions/${this.subscription}/${what}`;
    const preview = what === 'reactivate' ? undefined : await edition.ask(`${path}/preview`, { body });
    const { status, body: answer } = await edition.ask(path, { body });
    this.told.push(`${this.now} ${what} ${JSON.stringify(body)} -> ${status} ${status < 300 ? '' : answer.code}`);
    if (preview !== undefined && (preview.status !== status || (status >= 300 && preview.body.code !== answer.code))) throw new Error(`the preview said ${preview.status} ${preview.body.code}`);
    return status >= 300 ? undefined : preview?.body ?? {};
  }

  /** Does something at once, and looks whether what is billed then is what the preview said. */
  private async do(what: string, body: Json, next: Partial<OracleState>): Promise<boolean> {
    const before = (await this.billed()).length;
    const preview = await this.ask(what, body);
    if (preview === undefined) return false;
    // A change replaces what was to come.
    if (what === 'change') this.pending = undefined;
    this.states.push({ ...this.state, by: 'day', ...next, at: this.now });
    const at = this.now;
    await this.goTo(addMicros(at, SETTLED));
    const { to } = periodContaining(this.anchor, INTERVALS[PLANS[this.state.plan]!.oracle.interval]!, at).period;
    if (preview.effectiveAt === undefined || to <= this.now || this.state.at !== at) return true;
    const ofNotes = (preview.invoice?.creditNotes ?? []).flatMap((note: Json) => note.lines.map(({ netAmount }: Json) => ({ netAmount: String(-Number(netAmount)) })));
    const amounts = (lines: readonly Json[]): string => lines.map(({ netAmount }) => cents(netAmount)).filter((amount) => amount !== 0).sort((left, right) => left - right).join(' ');
    const [said, came] = [amounts([...(preview.invoice?.lines ?? []), ...ofNotes]), amounts((await this.billed()).slice(before))];
    if (said !== came) throw new Error(`the preview said ${said}, billed was ${came}`);
    return true;
  }

  async act(): Promise<void> {
    const { isOn, seats: count, plan, extras } = this.state;
    const by = this.pick(['day', 'day', 'second'] as const);
    const how = { at: 'now', ...(by === 'day' ? {} : { proration: { granularity: by } }) };
    const other = this.pick(Object.keys(PLANS).filter((key) => key !== plan));
    const quantity = this.pick([1, 2, 3, 5, 8].filter((one) => one !== count));
    const others = Object.keys(EXTRAS).filter(() => this.random() < 0.5);
    switch (this.pick(['seats', 'seats', 'plan', 'plan', 'extras', 'later', 'pause', 'end', 'nothing'] as const)) {
      case 'seats': await this.do('change', { quantity: String(quantity), ...how }, { seats: quantity, by }); return;
      case 'plan': await this.do('change', { planKey: other, ...how }, { plan: other, by }); return;
      case 'extras': if (others.join() !== extras.join()) await this.do('change', { addOns: others.map((key) => ({ key })), ...how }, { extras: others, by }); return;
      case 'later': {
        const preview = isOn ? await this.ask('change', { planKey: other, at: 'period_end' }) : undefined;
        if (preview !== undefined) this.pending = { at: preview.effectiveAt, plan: other };
        return;
      }
      case 'pause': if (this.isPaused ? await this.do('resume', {}, { isOn: true }) : isOn && await this.do('pause', {}, { isOn: false })) this.isPaused = !this.isPaused; return;
      case 'end': if (!this.isPaused && this.pending === undefined) await (isOn ? this.do('cancel', { at: 'now' }, { isOn: false }) : this.do('reactivate', {}, { isOn: true })); return;
      case 'nothing': return;
    }
  }

  /** Ends it, and says what was billed in all, and what should have been, charge by charge. */
  async end(): Promise<{ readonly billed: Record<string, number>; readonly expected: Record<string, number> }> {
    if (this.isPaused) await this.do('resume', {}, { isOn: true });
    if (this.state.isOn) await this.do('cancel', { at: 'now' }, { isOn: false });
    await this.goTo(addMicros(this.now, 24n * HOUR));
    const billed = new Map<string, number>();
    for (const { chargeKey, netAmount } of await this.billed()) billed.set(chargeKey, (billed.get(chargeKey) ?? 0) + cents(netAmount));
    return { billed: Object.fromEntries([...billed].filter(([, amount]) => amount !== 0).sort()), expected: this.expected() };
  }

  private expected(): Record<string, number> {
    const periodsOf = (interval: Interval): Period[] => {
      const all: Period[] = [];
      for (let nth = 0; all.length === 0 || isBefore(all.at(-1)!.to, this.now); nth++) all.push(periodAt(this.anchor, interval, nth));
      return all;
    };
    return oracleLife({
      zone: this.anchor.zone, states: this.states, calls: this.calls, plans: Object.fromEntries(Object.entries(PLANS).map(([key, { oracle }]) => [key, oracle])), extras: EXTRAS,
      periods: Object.fromEntries(Object.entries(INTERVALS).map(([name, interval]) => [name, periodsOf(interval).map((period) => ({ ...period, months: 0 }))])),
    });
  }

  /** The lines of all invoices and credit notes, as they came. */
  async billed(): Promise<Json[]> {
    const invoices = ((await edition.get(`/api/v1/billing/invoices?accountId=${this.account}&limit=100&status=finalized`)).data as Json[]).reverse();
    const notes = ((await edition.get(`/api/v1/billing/credit-notes?accountId=${this.account}&limit=100`)).data as Json[]).reverse();
    const keys = new Map(invoices.flatMap(({ lines }) => lines.map(({ id, chargeKey }: Json) => [id, chargeKey])) as [string, string][]);
    const all = [
      ...invoices.flatMap(({ issuedAt, lines }) => lines.map(({ chargeKey, netAmount }: Json) => ({ at: issuedAt, chargeKey, netAmount }))),
      ...notes.flatMap(({ issuedAt, lines }) => lines.map(({ lineId, netAmount }: Json) => ({ at: issuedAt, chargeKey: keys.get(lineId), netAmount: String(-Number(netAmount)) }))),
    ];
    return all.sort((left, right) => (left.at < right.at ? -1 : left.at > right.at ? 1 : 0));
  }
}

const lived = async (seed: number): Promise<void> => {
  const random = numbers(seed);
  const year = new Year(seed, random);
  try {
    await year.begin();
    for (let day = 0; day < DAYS;) {
      const days = 1 + Math.floor(random() * PAUSE_DAYS_MAX);
      day += days;
      await year.later(days * 24 + Math.floor(random() * 24));
      await year.use();
      await year.act();
    }
    const { billed, expected } = await year.end();
    expect(billed).toEqual(expected);
    expect(year.told.length).toBeGreaterThan(5);
  } catch (error) {
    throw new Error(`the year ${seed}: ${(error as Error).message}\n${year.told.join('\n')}`);
  }
};

test('what a year is billed is what it costs', async () => {
  const seeds = Array.from({ length: YEARS }, (_, nth) => SEED * 1_000 + nth);
  await Promise.all(Array.from({ length: AT_ONCE }, async () => { for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) await lived(seed); }));
}, TIMEOUT_MS);
