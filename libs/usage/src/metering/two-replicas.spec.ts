import fc from 'fast-check';
import { runs } from '@valueverse/testing';
import { USAGE_PARTITIONS } from '@valueverse/contracts';
import { instantFromMicros, microsNumberOfText, newIdFrom, partitionOf } from '@valueverse/kernel';
import { AT, Bed, QUARTER, SECOND } from '../bed.spec-kit';
import type { Envelope, UsageEvent } from '../ingest/domain/usage-event';
import { reconcile } from '../reconciliation/reconcile';
import { bodyHashOf } from './body';
import { linkOf } from './copy';
import { bucketLines, type CopyRow, METERS, plainCount } from './plain-count.spec-kit';
import { fault, type Fault, Replica, SHARES } from './replica.spec-kit';

// Two processes count the same topic, and partitions go to and fro between them; any of their statements may fail, or be their last. Whatever happens: each accepted event counts as one
// plain pass over the copy says, and every record is in the copy once.
const TIMEOUT_MS = 600_000;
const DAY = 86_400 * SECOND;
/** Days of log time that partitions may be apart: the slots of keys less the window. */
const APART_DAYS_MAX = 28;
/** Long ago: log time goes no further than the clock of the database. */
const BEGINNING = '1983-01-01T00:00:00Z';

type Sent = { readonly what: 'plain' | 'void' | 'amend'; readonly id: string; readonly source: string; readonly subject: number; readonly at: number; readonly n: number | undefined; readonly user: string | undefined; readonly model: string };
type Step =
  | { readonly do: 'send'; readonly events: readonly Sent[]; readonly cut: number; readonly again: number }
  | { readonly do: 'wait'; readonly days: number }
  | { readonly do: 'assign'; readonly to: 0 | 1; readonly which: keyof typeof SHARES }
  | { readonly do: 'read'; readonly faults: readonly [Fault | undefined, Fault | undefined] }
  | { readonly do: 'read alone'; readonly who: 0 | 1; readonly fault: Fault | undefined }
  | { readonly do: 'retry'; readonly who: 0 | 1 }
  | { readonly do: 'meter' };

const event: fc.Arbitrary<Sent> = fc.record({
  what: fc.oneof({ weight: 6, arbitrary: fc.constant('plain' as const) }, { weight: 1, arbitrary: fc.constant('void' as const) }, { weight: 1, arbitrary: fc.constant('amend' as const) }),
  id: fc.constantFrom('1', '2', '3', '4', '5'), source: fc.constantFrom('a', 'a', 'b'), subject: fc.nat(5), at: fc.integer({ min: 0, max: (3 * QUARTER) / SECOND }),
  n: fc.oneof({ weight: 8, arbitrary: fc.integer({ min: -2, max: 3 }) }, { weight: 1, arbitrary: fc.constant(undefined) }), user: fc.constantFrom('ann', 'bob', 'cid', undefined), model: fc.constantFrom('x', 'y'),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('send' as const), events: fc.array(event, { minLength: 1, maxLength: 16 }), cut: fc.integer({ min: 1, max: 6 }), again: fc.integer({ min: 0, max: 3 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), days: fc.constantFrom(1, 1, 2, 20, 34, 35, 70) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('assign' as const), to: fc.constantFrom(0 as const, 1 as const), which: fc.constantFrom('all' as const, 'even' as const, 'odd' as const, 'low' as const) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('read' as const), faults: fc.tuple(fault, fault) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('read alone' as const), who: fc.constantFrom(0 as const, 1 as const), fault }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('retry' as const), who: fc.constantFrom(0 as const, 1 as const) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'meter' } as const) });

let bed: Bed;
let days = 0;
let ids = 0;
let run = 0;
beforeAll(async () => { bed = await Bed.make(); bed.start(({ name }) => name !== 'metering'); }, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

/** One tenant's run of a script. */
class Play {
  readonly tenant = `org_play${++run}:test`;
  private readonly replicas: [Replica, Replica] = [new Replica(bed), new Replica(bed)];
  private readonly sent: { readonly partition: number; readonly envelope: Envelope }[] = [];
  private hasMeter = false;
  private undrained = 0;

  async play(script: readonly Step[]): Promise<void> {
    for (const [meterKey, more] of Object.entries(METERS)) if (meterKey !== 'since') await bed.createMeter(meterKey, more, this.tenant);
    await bed.metersFollow(this.tenant);
    for (const one of script) {
      await this.step(one);
      for (const who of [0, 1] as const) if (this.replicas[who].isDead) await this.replace(who);
    }
    if (!this.hasMeter) await this.addMeter();
    await this.drain();
    await this.replicas[0].retryAll();
    await bed.metersFollow(this.tenant);
  }
  async end(): Promise<void> { for (const replica of this.replicas) await replica.end(); }

  private async step(one: Step): Promise<void> {
    switch (one.do) {
      case 'send': return this.send(one.events, one.cut, one.again);
      case 'wait': return this.wait(one.days);
      case 'assign': return this.replicas[one.to].assign(SHARES[one.which]);
      case 'read': { await Promise.all(this.replicas.map((replica, who) => replica.read(one.faults[who]))); return; }
      case 'read alone': { await this.replicas[one.who].read(one.fault); return; }
      case 'retry': return this.replicas[one.who].retryAll();
      case 'meter': return this.hasMeter ? undefined : this.addMeter();
    }
  }
  private async replace(who: 0 | 1): Promise<void> {
    await this.replicas[who].end();
    this.replicas[who] = new Replica(bed);
  }
  private async addMeter(): Promise<void> {
    this.hasMeter = true;
    await bed.createMeter('since', METERS.since, this.tenant);
  }
  /** All partitions may be so many days apart at the most. */
  private async wait(more: number): Promise<void> {
    if (this.undrained + more > APART_DAYS_MAX) await this.drain();
    days += more;
    this.undrained += more;
  }
  private async drain(): Promise<void> {
    await this.replicas[0].assign(() => true);
    await this.replicas[0].readAll();
    this.undrained = 0;
  }

  private async send(events: readonly Sent[], cut: number, again: number): Promise<void> {
    const recordedAt = instantFromMicros(microsNumberOfText(BEGINNING) + days * DAY);
    const envelopes: { partition: number; envelope: Envelope }[] = [];
    for (const [partition, own] of Map.groupBy(events, ({ subject }) => partitionOf(this.tenant, `s${subject}`, USAGE_PARTITIONS))) {
      for (let at = 0; at < own.length; at += cut) envelopes.push({ partition, envelope: { id: newIdFrom('env', ++ids, new Uint8Array(10)), tenant: this.tenant, recordedAt, events: own.slice(at, at + cut).map((one) => this.eventOf(one)) } });
    }
    this.sent.push(...envelopes);
    const repeated = this.sent.slice(-again).slice(0, again);
    // Several senders at once; what one of them was not sure of is there twice.
    await Promise.all([envelopes, repeated].map(async (own) => {
      const byPartition = new Map([...Map.groupBy(own, ({ partition }) => partition)].map(([partition, list]) => [partition, list.map(({ envelope }) => ({ key: envelope.id, value: JSON.stringify(envelope), headers: { ce_tenant: this.tenant } }))]));
      if (byPartition.size > 0) await bed.feed.appendAll('usage.events', byPartition);
    }));
  }
  private eventOf({ what, id, source, subject, at, n, user, model }: Sent): UsageEvent {
    const plain = { id, source, type: 'call', subject: `s${subject}`, time: AT(at * SECOND), data: { ...(n === undefined ? {} : { n }), ...(user === undefined ? {} : { user }), model } };
    return what === 'plain' ? plain : { ...plain, correction: { id: `${what} ${subject} ${source} ${id} ${at % 3}`, kind: what, reason: 'a test' } };
  }

  get envelopesSent(): string[] { return [...new Set(this.sent.map(({ envelope }) => envelope.id))].sort(); }
  get errors(): unknown[] { return this.replicas.flatMap(({ errors }) => errors); }
}

const lines = async (sql: string, tenant: string): Promise<string[]> => (await bed.rows<{ line: string }>(sql, [tenant])).map(({ line }) => line).sort();

const expectPlain = async (play: Play): Promise<void> => {
  const { tenant } = play;
  const copy = await bed.rows<CopyRow & { envelope: string }>('SELECT partition, position, log_time, header, body, envelope FROM usage_envelopes WHERE tenant = $1 ORDER BY partition, position', [tenant]);
  expect(copy.map(({ envelope }) => envelope).sort()).toEqual(play.envelopesSent);
  const plain = plainCount(copy);
  expect(await lines(`SELECT format('%s/%s/%s %s %s', partition, position, nth, code, meter) AS line FROM usage_exceptions WHERE tenant = $1 AND code <> 'id_reused'`, tenant)).toEqual(plain.exceptions);
  const reused = await lines(`SELECT format('%s/%s/%s', partition, position, nth) AS line FROM usage_exceptions WHERE tenant = $1 AND code = 'id_reused'`, tenant);
  expect(reused.filter((place) => !plain.idsReused.may.has(place))).toEqual([]);
  expect(plain.idsReused.must.filter((place) => !reused.includes(place))).toEqual([]);
  expect(await lines(
    `SELECT format('%s/%s/%s', e.partition, e.position, n.nth) AS line FROM usage_envelopes e CROSS JOIN LATERAL generate_series(0, json_array_length(e.body::json->'events') - 1) n(nth)
     WHERE e.tenant = $1 AND n.nth <> ALL(e.not_counted) AND NOT EXISTS (SELECT FROM usage_superseded s WHERE s.tenant = $1 AND s.partition = e.partition AND s.position = e.position AND s.nth = n.nth)`, tenant))
    .toEqual(plain.standing.map(({ place }) => place).sort());
  for (const meter of Object.keys(METERS) as (keyof typeof METERS)[]) {
    expect(await lines(
      `SELECT format('%s %s %s %s %s: %s of %s, %s', s.meter, s.partition, s.subject, s.groups, b.bucket, b.total, b.events,
         (SELECT string_agg(encode(v.value, 'hex') || ' ' || v.events, ' ' ORDER BY encode(v.value, 'hex') || ' ' || v.events) FROM usage_bucket_values v WHERE v.series = b.series AND v.bucket = b.bucket)) AS line
       FROM usage_buckets b JOIN usage_series s USING (series) WHERE b.tenant = $1 AND s.meter = '${meter}'`, tenant)).toEqual(bucketLines(meter, plain.standing));
  }
  expect((await bed.database.transaction({ role: 'api', tenant, isolation: 'repeatable read', readOnly: true }, (tx) => reconcile(tx, tenant, { from: BEGINNING, to: '2069-01-01T00:00:00Z' }))).isEqual).toBe(true);
};

/** The chain over all tenants, and positions without gaps. */
const expectChain = async (): Promise<void> => {
  const rows = await bed.rows<{ partition: number; position: bigint; header: string; body: string; link: Buffer }>('SELECT partition, position, header, body, link FROM usage_envelopes ORDER BY partition, position');
  for (const own of Map.groupBy(rows, ({ partition }) => partition).values()) {
    let link: Buffer = Buffer.alloc(0);
    for (const [index, row] of own.entries()) {
      expect(row.position).toBe(BigInt(index + 1));
      link = linkOf(link, row.header, bodyHashOf(row.body));
      expect(row.link).toEqual(link);
    }
  }
};

test('two replicas that take partitions from one another, fail and die at any statement count each event as one plain pass does', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 12, maxLength: 32 }), async (script) => {
    const play = new Play();
    try {
      await play.play(script);
      await expectPlain(play);
      expect(play.errors).toEqual([]);
    } finally {
      await play.end();
    }
  }), { ...runs(20261121, 6), endOnFailure: true });
  await expectChain();
}, TIMEOUT_MS);
