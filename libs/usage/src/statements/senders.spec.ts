import fc from 'fast-check';
import { eventually, runs, timeForRuns } from '@valueverse/testing';
import { USAGE_PARTITIONS, type StatementRequest } from '@valueverse/contracts';
import { microsNumberOfText, newIdFrom, partitionOf } from '@valueverse/kernel';
import { AT, Bed, NOW, QUARTER, SECOND } from '../bed.spec-kit';
import type { UsageEvent } from '../ingest/domain/usage-event';
import { Ingest } from '../ingest/ingest';
import { rulesOf } from '../metering/domain/measure';
import { fault, type Fault, Replica, SHARES } from '../metering/replica.spec-kit';
import type { CreateMeter } from '../meters/domain/meter';
import { meter, meterOf } from '../meters/meters';
import { queryMeter } from '../query/meter-query';
import { BEFORE_ALL, bucketsBehind } from './behind';
import { addEvents, chainAt, piecesOf, sha256, workOf } from './compute';
import { evidenceText, quantitiesOf } from './domain/evidence';
import type { StatementData } from './domain/statement';
import { priceEvents, withPrices } from './event-prices';

// The same usage twice: by one sender in its order, counted by one process, and by several senders to several processes in any order, cut and mixed in any way, some of it twice, counted by two
// processes that take partitions from one another, fail and die. Its buckets are the same, and so is each statement: quantities, buckets behind it and evidence, but for the place of the chain.
const TIMEOUT_MS = timeForRuns(300_000);
/** A failure is made smaller for so long. */
const LOOK_MS = timeForRuns(120_000);
const SPAN = 3 * QUARTER;
const [ONE, MANY] = ['org_one:test', 'org_many:test'];
const SUBJECTS = 5;
const MIDDLE = AT(QUARTER);

const METERS: Readonly<Record<string, Partial<CreateMeter>>> = {
  calls: { aggregation: 'count', valueProperty: undefined }, tokens: { aggregation: 'sum', valueProperty: '$.n' }, mean: { aggregation: 'average', valueProperty: '$.n', groupBy: {} }, peak: { aggregation: 'max', valueProperty: '$.n', groupBy: {} },
  last: { aggregation: 'latest', valueProperty: '$.n', groupBy: {}, carryOver: true }, users: { aggregation: 'unique_count', valueProperty: '$.user', groupBy: {} }, seats: { aggregation: 'time_weighted_sum', valueProperty: '$.n', carryOver: true },
  burst: { aggregation: 'percentile', valueProperty: '$.n', percentile: '90', sampleWindow: 'PT5M', rate: 'per_second', groupBy: {} }, halves: { aggregation: 'sum', valueProperty: '$.n', conversion: { divideBy: '3', round: 'up', per: 'event' }, groupBy: {} },
  changed: { aggregation: 'sum', valueProperty: '$.n' },
};
const TERMS: Readonly<Record<string, StatementRequest['terms']>> = { tokens: { kind: 'percentage', rate: '10', fixedAmount: '1', freeEvents: 1, freeAmount: '7', maxAmountPerEvent: '3' }, changed: { kind: 'dynamic', amountProperty: '$.n', multiplier: '0.5' } };

interface Sent { readonly id: string; readonly source: string; readonly subject: number; readonly at: number; readonly n: string | number; readonly user: string; readonly model: string }
interface Correction { readonly which: number; readonly kind: 'void' | 'amend'; readonly at: number; readonly n: number }
/** Batches go out together, each to one of three processes. `moved`: what was acknowledged before is sent again with another time, or with none. */
interface Batch { readonly to: number; readonly picks: readonly number[]; readonly moved: number | undefined }
type Step =
  | { readonly do: 'send'; readonly batches: readonly Batch[] }
  | { readonly do: 'ask' }
  | { readonly do: 'read'; readonly faults: readonly [Fault | undefined, Fault | undefined] }
  | { readonly do: 'assign'; readonly to: 0 | 1; readonly which: keyof typeof SHARES };

// Few instants and few ids: many events claim the same one.
const at = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(0, 60, QUARTER / SECOND - 1, QUARTER / SECOND) }, { weight: 1, arbitrary: fc.integer({ min: 0, max: SPAN / SECOND - 1 }) });
const event: fc.Arbitrary<Sent> = fc.record({
  id: fc.constantFrom('1', '2', '3', '4'), source: fc.constantFrom('a', 'b'), subject: fc.constantFrom(0, 0, 0, 1, 1, 1, 2, 3, 4), at, n: fc.oneof(fc.integer({ min: -9, max: 99 }), fc.constantFrom('0.1', '12345678901234567890.5', '-3.75')),
  user: fc.constantFrom('ann', 'bob', 'cid'), model: fc.constantFrom('x', 'y'),
});
const events = fc.uniqueArray(event, { minLength: 2, maxLength: 24, selector: ({ id, source, subject }) => `${subject} ${source} ${id}` });
const corrections = fc.uniqueArray(fc.record({ which: fc.nat(23), kind: fc.constantFrom('void' as const, 'amend' as const), at, n: fc.integer({ min: -9, max: 99 }) }), { maxLength: 6, selector: ({ which }) => which });
const batch = fc.record({ to: fc.nat(2), picks: fc.array(fc.nat(23), { minLength: 1, maxLength: 12 }), moved: fc.option(fc.integer({ min: -1, max: SPAN / SECOND - 1 }), { nil: undefined }) });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('send' as const), batches: fc.array(batch, { minLength: 1, maxLength: 4 }) }) }, { weight: 1, arbitrary: fc.constant({ do: 'ask' } as const) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('read' as const), faults: fc.tuple(fault, fault) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('assign' as const), to: fc.constantFrom(0 as const, 1 as const), which: fc.constantFrom('all' as const, 'even' as const, 'odd' as const, 'low' as const) }) });

let bed: Bed;
let ids = 0;
let run = 0;
beforeAll(async () => {
  bed = await Bed.make();
  bed.start(({ name }) => name !== 'metering');
  for (const tenant of [ONE, MANY]) {
    for (const [key, more] of Object.entries(METERS)) await bed.createMeter(key, more, tenant);
    const next = { type: 'AddMeterVersion' as const, meterKey: 'changed', name: 'changed', eventType: 'call', aggregation: 'sum', valueProperty: '$.n', groupBy: { user: '$.user' }, conversion: { divideBy: '2', per: 'event' }, metadata: {}, from: MIDDLE, createdAt: NOW };
    await bed.log.executeOne(meter, next, { tenant, at: NOW, actor: 'test' });
    await bed.metersFollow(tenant);
  }
}, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

/** Names of subjects, the first two of which share a partition. */
const subjectsOf = (name: string): readonly string[] => {
  const partition = (subject: string): number => partitionOf(MANY, subject, USAGE_PARTITIONS);
  const first = `${name}-0`;
  let second = 0;
  while (partition(`${name}-1-${second}`) !== partition(first)) second += 1;
  return [first, `${name}-1-${second}`, ...Array.from({ length: SUBJECTS - 2 }, (_, nth) => `${name}-${nth + 2}`)];
};

/** Places in a list, each once and all of them, in some order. */
const placesIn = (list: readonly unknown[], order: readonly number[]): number[] => [...new Set([...(list.length === 0 ? [] : order.map((nth) => nth % list.length)), ...list.keys()])];

/** One run: the same usage and the same requests for two tenants. */
class Play {
  private readonly name = `r${++run}`;
  private readonly subjects = subjectsOf(this.name);
  private readonly replicas: [Replica, Replica] = [new Replica(bed), new Replica(bed)];
  private readonly ingests = [0, 1, 2].map(() => new Ingest(bed.feed, { next: (prefix) => newIdFrom(prefix, ++ids, new Uint8Array(10)) }));
  private readonly acknowledged = new Set<number>();
  private readonly asked: { readonly requestId: string; readonly atLeast: number }[] = [];

  constructor(private readonly usage: readonly Sent[], private readonly corrections: readonly Correction[]) {}

  async byOne(): Promise<void> {
    await this.accept(ONE, 0, this.usage.map((one) => this.eventOf(one)));
    for (const [nth] of this.corrections.entries()) await this.correct(ONE, 0, nth);
    await this.ask(ONE);
    await this.replicas[0].assign(() => true);
    await this.replicas[0].readAll();
  }

  async byMany(script: readonly Step[], order: readonly number[]): Promise<void> {
    for (const one of script) await this.play(one);
    const left = placesIn(this.usage, order).filter((place) => !this.acknowledged.has(place));
    await this.send([{ to: 0, picks: left.slice(2), moved: undefined }, { to: 1, picks: left, moved: undefined }]);
    // Each by another process, the first of them by two at once.
    const shuffled = placesIn(this.corrections, order);
    await Promise.all([...shuffled, ...shuffled.slice(0, 1)].map((nth, place) => this.correct(MANY, place % this.ingests.length, nth)));
    await this.ask(MANY);
    for (const one of script.slice(0, 4)) if (one.do !== 'send' && one.do !== 'ask') await this.play(one);
    await this.replicas[1].assign(() => true);
    await this.replicas[1].readAll();
    await this.replicas[1].retryAll();
  }
  async end(): Promise<void> { for (const replica of this.replicas) await replica.end(); }
  get errors(): unknown[] { return this.replicas.flatMap(({ errors }) => errors); }

  private async replace(who: 0 | 1): Promise<void> {
    await this.replicas[who].end();
    this.replicas[who] = new Replica(bed);
  }

  /** A process that has died in a step has a successor. */
  private async play(one: Step): Promise<void> {
    await this.step(one);
    for (const who of [0, 1] as const) if (this.replicas[who].isDead) await this.replace(who);
  }
  private async step(one: Step): Promise<void> {
    switch (one.do) {
      case 'send': return this.send(one.batches);
      case 'assign': return this.replicas[one.to].assign(SHARES[one.which]);
      case 'read': { await Promise.all(this.replicas.map((replica, who) => replica.read(one.faults[who]))); return; }
      case 'ask': {
        const requestId = `${this.name} early ${this.asked.length}`;
        this.asked.push({ requestId, atLeast: this.acknowledged.size });
        return bed.request([{ requestId, meterKey: 'calls', usage: this.subjects.map((subject) => ({ subject, from: AT(0), to: AT(SPAN) })) }], `${this.name} ${requestId}`, MANY);
      }
    }
  }
  private async send(batches: readonly Batch[]): Promise<void> {
    // What goes out at the same time is of the same time: which of two comes first is not decided.
    const known = new Set(this.acknowledged);
    const sent = batches.map(({ picks }) => picks.map((pick) => pick % this.usage.length));
    await Promise.all(batches.map(({ to, moved }, nth) => this.accept(MANY, to, sent[nth]!.map((place) => this.eventOf(this.usage[place]!, known.has(place) ? moved : undefined)))));
    for (const place of sent.flat()) this.acknowledged.add(place);
  }
  private async accept(tenant: string, to: number, own: readonly object[]): Promise<void> {
    const { rejected } = await this.ingests[to]!.accept(tenant, 'test', own.map((value) => ({ value: { specversion: '1.0', ...value } })), NOW);
    expect(rejected).toEqual([]);
  }
  private correct(tenant: string, to: number, nth: number): Promise<void> {
    const { which, kind, at: moment, n } = this.corrections[nth]!;
    const first = this.usage[which % this.usage.length]!;
    return this.ingests[to]!.correct(tenant, { ...this.eventOf(kind === 'void' ? first : { ...first, at: moment, n }) as UsageEvent, correction: { id: `${this.name} ${which}`, kind, reason: 'a test' } }, NOW);
  }
  private eventOf({ id, source, subject, at: seconds, n, user, model }: Sent, moved?: number): object {
    const time = moved === undefined ? AT(seconds * SECOND) : moved < 0 ? undefined : AT(moved * SECOND);
    return { id, source, type: 'call', subject: this.subjects[subject]!, ...(time === undefined ? {} : { time }), data: { n, user, model } };
  }

  /** Statements over whole and cut buckets, of one subject and of several that share what they have named. */
  private requests(): StatementRequest[] {
    const spans = (from: number, to: number, subjects: readonly string[]): StatementRequest['usage'] => subjects.map((subject) => ({ subject, from: AT(from), to: AT(to) }));
    const asked = [spans(0, SPAN, this.subjects), spans(60 * SECOND, 2 * QUARTER + 1, this.subjects.slice(0, 2)), [...spans(0, QUARTER, this.subjects.slice(0, 1)), ...spans(QUARTER, SPAN, this.subjects.slice(1, 3))]];
    return Object.keys(METERS).flatMap((meterKey) => asked.slice(0, meterKey in TERMS || meterKey === 'seats' ? 3 : 2).map((usage, nth): StatementRequest => ({
      requestId: `${this.name} ${meterKey} ${nth}`, subscriptionId: 'sub_1', chargeKey: 'charge', meterKey, meterVersion: 1, usage, groupBy: nth === 1 && meterKey === 'calls' ? ['model'] : [], period: { from: AT(0), to: AT(SPAN) },
      ...(TERMS[meterKey] === undefined ? {} : { terms: TERMS[meterKey] }),
    })));
  }
  /** Until the requests are taken; they are answered when those who count are far enough. */
  private async ask(tenant: string): Promise<void> {
    const requests = this.requests();
    await bed.request(requests, `${this.name} ${tenant}`, tenant);
    await eventually('the requests to be taken', async () => {
      const [row] = await bed.rows<{ taken: bigint }>('SELECT count(*) AS taken FROM usage_statement_requests WHERE tenant = $1 AND request = ANY($2)', [tenant, requests.map(({ requestId }) => requestId)]);
      return row!.taken === BigInt(requests.length) ? true : undefined;
    });
  }

  /** What each statement says and rests on, and that it is what it says. */
  async statements(tenant: string): Promise<object[]> {
    const found: object[] = [];
    for (const { requestId } of this.requests()) found.push(await this.behind(tenant, await bed.statement(requestId, tenant)));
    return found;
  }
  private behind(tenant: string, statement: StatementData): Promise<object> {
    return bed.database.transaction({ role: 'worker', isolation: 'repeatable read', readOnly: true }, async (tx) => {
      const rules = rulesOf((await meterOf(tx, tenant, statement.meterKey))!);
      const asOf = new Map(Object.entries(statement.asOf).map(([partition, position]) => [Number(partition), Number(position)]));
      const work = workOf({ request: statement, rules });
      expect(await addEvents(tx, tenant, piecesOf(work), { upTo: asOf, isProof: true })).toEqual([]);
      const priced = statement.terms === undefined ? undefined : await priceEvents(tx, tenant, work, { upTo: asOf });
      const quantities = withPrices(quantitiesOf(statement, work.rule, work.spans, work.cells), priced);
      expect({ ...statement, quantities, evidence: sha256(evidenceText(statement, quantities, work.cells, await chainAt(tx, asOf))) }).toEqual(statement);
      const { requestId, meterVersion } = statement;
      const buckets = (await bucketsBehind(tx, tenant, statement, rules, BEFORE_ALL, 1_000)).map(({ place: _, ...bucket }) => bucket);
      return { requestId, meterVersion, quantities, evidence: evidenceText(statement, quantities, work.cells, {}), buckets };
    });
  }
  /** What was asked for before all was there holds all that was acknowledged by then, and is what it says. */
  async expectEarly(): Promise<void> {
    for (const { requestId, atLeast } of this.asked) {
      const { statementId, quantities, evidence } = await bed.statement(requestId, MANY);
      const value = Number(quantities[0]?.value ?? 0);
      // It may be answered after events were taken back.
      expect([requestId, value >= atLeast - this.corrections.length, value <= this.usage.length]).toEqual([requestId, true, true]);
      expect(await bed.reader.recompute(MANY, statementId)).toEqual({ quantities, evidence });
    }
  }
  buckets(tenant: string): Promise<object[]> {
    return bed.rows(
      `SELECT s.meter, s.version, s.subject, s.groups, b.bucket::text, b.total::text, b.events::text, b.moment::text, b.at::text, b.tie,
         (SELECT string_agg(encode(v.value, 'hex') || ' ' || v.events, ' ' ORDER BY v.value) FROM usage_bucket_values v WHERE v.series = b.series AND v.bucket = b.bucket) AS different
       FROM usage_buckets b JOIN usage_series s USING (series) WHERE b.tenant = $1 AND s.subject = ANY($2) ORDER BY 1, 2, 3, 4, b.bucket`, [tenant, this.subjects]);
  }
  /** Of all of its subjects as one. */
  query(tenant: string): Promise<object[]> {
    return bed.database.transaction({ role: 'api', tenant, isolation: 'repeatable read', readOnly: true }, async (tx) => {
      const found: object[] = [];
      for (const key of Object.keys(METERS)) {
        const asked = { from: AT(0), to: AT(SPAN - 1), windowSize: 'hour' as const, timezone: 'Asia/Kolkata', groupBy: [], filters: {}, subjects: this.subjects, fillZero: false };
        found.push({ key, rows: await queryMeter(tx, tenant, (await meterOf(tx, tenant, key))!, asked) });
      }
      return found;
    });
  }
}

/** Both ways of sending come to the same. */
const expectSame = async (usage: readonly Sent[], changes: readonly Correction[], script: readonly Step[], order: readonly number[]): Promise<void> => {
  const play = new Play(usage, [...new Map(changes.map((one) => [one.which % usage.length, one])).values()]);
  try {
    await play.byOne();
    await play.byMany(script, order);
    expect(await play.statements(MANY)).toEqual(await play.statements(ONE));
    expect(await play.buckets(MANY)).toEqual(await play.buckets(ONE));
    expect(await play.query(MANY)).toEqual(await play.query(ONE));
    await play.expectEarly();
    expect(play.errors).toEqual([]);
  } finally {
    await play.end();
  }
};

test('usage comes to the same statements, buckets and evidence whoever sends it, in whatever order, how often, and whichever processes count it', async () => {
  expect(microsNumberOfText(MIDDLE) % QUARTER).toBe(0);
  await fc.assert(fc.asyncProperty(events, corrections, fc.array(step, { minLength: 2, maxLength: 10 }), fc.array(fc.nat(23), { maxLength: 24 }), expectSame), { ...runs(20261123, 4), interruptAfterTimeLimit: LOOK_MS });
}, TIMEOUT_MS);

test('two subjects that use one id at one instant are priced, and chosen among, in the same order whichever came first', async () => {
  const one = (subject: number, n: number): Sent => ({ id: '1', source: 'a', subject, at: 0, n, user: 'ann', model: 'x' });
  await expectSame([one(0, 7), one(1, 99)], [], [{ do: 'send', batches: [{ to: 0, picks: [1], moved: undefined }] }], []);
}, TIMEOUT_MS);
