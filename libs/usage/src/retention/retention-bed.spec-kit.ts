import { eventually } from '@valueverse/testing';
import { partitionName } from '@valueverse/event-log';
import { USAGE_PARTITIONS, type StatementRequest } from '@valueverse/contracts';
import { HostBed, type Answer } from '../host-bed.spec-kit';
import { envelopeIn, type KeptBody } from '../metering/body';
import { CopyUsageReader } from '../query/usage-reader';
import { statementIdOf } from '../statements/statements';
import { dropDue } from './retention.worker';

const PARTITIONS = Array.from({ length: USAGE_PARTITIONS }, (_, partition) => ({ topic: 'usage.events', partition }) as const);
export interface Sent { readonly id: string; readonly subject: string; readonly time: string; readonly type: string; readonly data: object }

/** The usage service with a past: what is sent has the receipt that the test says. */
export class RetentionBed {
  readonly tenant: string;
  readonly reader: CopyUsageReader;
  private requests = 0;
  private constructor(readonly host: HostBed, readonly organization: string, readonly key: string) {
    this.tenant = `${organization}:test`;
    this.reader = new CopyUsageReader(host.service.database, host.feed, () => host.service.clock.now());
  }

  static async make(organization = 'org_1'): Promise<RetentionBed> {
    const host = await HostBed.make();
    return new RetentionBed(host, organization, await host.key(organization));
  }
  /** Another tenant of the same service. */
  async other(organization: string): Promise<RetentionBed> { return new RetentionBed(this.host, organization, await this.host.key(organization)); }

  ask(method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown): Promise<Answer> { return this.host.ask(method, path, this.key, body); }
  meter(key: string, more: object = {}): Promise<Answer> { return this.ask('POST', 'meters', { key, eventType: 'call', aggregation: 'sum', valueProperty: '$.n', groupBy: {}, ...more }); }

  /** Sends events that were received at an instant, each its own envelope where `apart`; until metering has counted them. */
  async receive(at: string, events: readonly Partial<Sent>[], apart = false): Promise<void> {
    const items = events.map((event) => ({ value: { specversion: '1.0', source: 'gateway', type: 'call', subject: 'acme', time: at, data: { n: 1 }, ...event } }));
    for (const batch of apart ? items.map((item) => [item]) : [items]) {
      const { rejected } = await this.host.ingest.accept(this.tenant, 'test', batch, at);
      if (rejected.length > 0) throw new Error(JSON.stringify(rejected));
    }
    await this.metered();
  }
  /** Until everything that is in the feed is counted. */
  async metered(): Promise<void> {
    const ends = await this.host.feed.ends(PARTITIONS);
    await eventually('metering at the end of the feed', async (saw) => {
      const rows = await this.rows<{ partition: number; next_offset: bigint }>(`SELECT partition, next_offset FROM checkpoints WHERE consumer = 'metering@1' AND topic = 'usage.events'`);
      saw(rows);
      const read = new Map(rows.map((row) => [row.partition, row.next_offset]));
      return PARTITIONS.every((one) => (read.get(one.partition) ?? 0n) >= (ends.get(partitionName(one)) ?? 0n)) ? true : undefined;
    });
  }
  /** Until whoever looks for late usage has looked at all of the copy. */
  async lookedThrough(): Promise<void> {
    await eventually('the look for late usage to be through', async (saw) => {
      const [late] = await this.rows<{ behind: bigint }>(
        `SELECT count(*) + (SELECT count(*) FROM usage_stated_spans WHERE NOT is_looked_behind) AS behind FROM usage_late_progress l JOIN usage_partitions p USING (partition) WHERE l.position < p.position`);
      saw(late);
      return late!.behind === 0n ? true : undefined;
    });
  }
  async metersFollow(): Promise<void> {
    await eventually('meters that follow', async (saw) => {
      const [row] = await this.rows<{ versions: bigint; following: bigint }>(
        `SELECT (SELECT sum(json_array_length(row->'versions')) FROM meters WHERE tenant = $1)::bigint AS versions, (SELECT count(*) FROM usage_meter_progress WHERE tenant = $1 AND position IS NULL) AS following`, [this.tenant]);
      saw(row);
      return row!.versions * BigInt(USAGE_PARTITIONS) === row!.following ? true : undefined;
    });
  }
  /** Takes an event back, as if it was asked for at an instant. */
  async takeBack(at: string, subject: string, id: string): Promise<void> {
    await this.host.ingest.correct(this.tenant, { id, source: 'gateway', type: 'dev.valueverse.usage.event.void', subject, time: at, correction: { id: `cor_${id}_${at}`, kind: 'void', reason: 'a test' } }, at);
    await this.metered();
  }
  /** Puts an event in the place of the one with its subject and id. */
  async amend(at: string, event: Omit<Sent, 'type'>): Promise<void> {
    const { data, ...rest } = event;
    await this.host.ingest.correct(this.tenant, { source: 'gateway', type: 'call', ...rest, data: data as Record<string, unknown>, correction: { id: `cor_${event.id}_${at}`, kind: 'amend', reason: 'a test' } }, at);
    await this.metered();
  }
  /** A subscription, once it is known to metering. */
  async subscribe(subscription: string, subjects: readonly string[], from: string): Promise<void> {
    await this.host.subscribe(this.tenant, subscription, subjects, from);
    await eventually('the claim', async () => ((await this.rows('SELECT FROM usage_subject_claims WHERE tenant = $1 AND subscription = $2', [this.tenant, subscription])).length > 0 ? true : undefined));
  }
  /** A request of billing. */
  async request(usage: StatementRequest['usage'], meterKey = 'tokens', more: Partial<StatementRequest> = {}): Promise<string> {
    const requestId = `r${++this.requests} of ${this.organization}`;
    await this.host.request(this.tenant, [{ requestId, subscriptionId: 'sub_1', chargeKey: meterKey, meterKey, meterVersion: 1, usage, groupBy: [], ...more }], usage[0]!.to);
    return statementIdOf(this.tenant, requestId);
  }
  /** The same, once it is answered and known as a stated span; answers the statement. */
  async stated(usage: StatementRequest['usage'], meterKey = 'tokens', more: Partial<StatementRequest> = {}): Promise<Answer['body']> {
    const id = await this.request(usage, meterKey, more);
    const found = await eventually(`the statement ${id}`, async (saw) => {
      const { body } = await this.ask('GET', `statements/${id}`);
      saw(body);
      return body.id === undefined ? undefined : body;
    });
    await eventually('its span', async () => ((await this.rows('SELECT FROM usage_stated_spans WHERE tenant = $1 AND statement = $2', [this.tenant, id])).length > 0 ? true : undefined));
    return found;
  }
  /** Drops what may be dropped now; answers how many bodies. */
  async drop(): Promise<number> {
    await this.lookedThrough();
    return dropDue(this.host.service.database);
  }
  async held(): Promise<Record<string, number>> {
    const { body } = await this.ask('GET', 'retention');
    return Object.fromEntries(body.held.map(({ reason, subjects }: { reason: string; subjects: number }) => [reason, subjects]));
  }
  async rows<R extends object>(sql: string, values: readonly unknown[] = []): Promise<R[]> {
    return this.host.service.database.transaction({ role: 'worker' }, async (tx) => (await tx.query(sql, values)).rows as R[]);
  }
  /** The ids of the events that are still kept. */
  async kept(): Promise<string[]> {
    const rows = await this.rows<KeptBody>('SELECT body, packed FROM usage_envelopes WHERE tenant = $1 ORDER BY log_time, position', [this.tenant]);
    return rows.flatMap((row) => (envelopeIn(row)?.events ?? []).map(({ id }) => id).sort());
  }
  async query(meter: string, from: string, to: string, more = ''): Promise<Answer> { return this.ask('GET', `meters/${meter}/query?from=${from}&to=${to}${more}`); }
  close(): Promise<void> { return this.host.close(); }
}
