import { partitionOf, Refused } from '@valueverse/kernel';
import { USAGE_PARTITIONS, USAGE_TOPIC, type GroupQuantity, type Recomputed, type UsageQuestion, type UsageReader } from '@valueverse/contracts';
import { partitionName, type Database, type Feed } from '@valueverse/event-log';
import { currentVersion, rulesAsOf, rulesOf } from '../metering/domain/measure';
import { meterOf } from '../meters/meters';
import { answerAgain, answersTo, assertAnswerable } from '../statements/compute';
import { answerSealed } from '../statements/sealed';
import { statementOf } from '../statements/statements';
import { METERING_CONSUMER } from '../metering/metering.projector';
import { asOfIn, FeedHorizon, type FeedEnds } from './as-of';

const CATCH_UP_MS_MAX = 1_500;
const LOOK_EVERY_MS = 15;

/** What other contexts may ask metering at once. Nothing that is billed comes this way. */
export class CopyUsageReader implements UsageReader {
  readonly horizon: FeedHorizon;

  constructor(private readonly database: Database, feed: Feed, wallClock: () => string) { this.horizon = new FeedHorizon(database, feed, wallClock); }

  /** Refuses an unknown meter with `meter_not_found`, and with `usage_dropped` what retention has left too little of. */
  async quantities(tenant: string, query: UsageQuestion): Promise<{ quantities: readonly GroupQuantity[]; asOf: string }> {
    const looks = await this.horizon.look();
    await this.caughtUp(looks[0]!, query.usage.map(({ subject }) => partitionOf(tenant, subject, USAGE_PARTITIONS)));
    return this.database.transaction({ role: 'api', tenant, isolation: 'repeatable read', readOnly: true }, async (tx) => {
      const meter = await meterOf(tx, tenant, query.meterKey);
      if (meter === undefined) throw new Refused('meter_not_found', `there is no meter ${query.meterKey}`);
      const { period, terms, ...rest } = query;
      const request = { requestId: '', subscriptionId: '', chargeKey: '', meterVersion: currentVersion(meter).version, ...rest, ...(period === undefined ? {} : { period }), ...(terms === undefined ? {} : { terms }) };
      const question = { request, rules: rulesOf(meter) };
      await assertAnswerable(tx, tenant, question);
      const [answer] = await answersTo(tx, tenant, [question]);
      return { quantities: answer!.quantities, asOf: await asOfIn(tx, tenant, meter, looks, query.usage.map(({ subject }) => subject)) };
    });
  }

  /** Waits a moment for what was accepted before the question; answers whether all of it is counted. What is still missing then, `asOf` says. What was set aside takes longer than a moment. */
  async caughtUp({ ends, aside }: FeedEnds, partitions: readonly number[]): Promise<boolean> {
    const deadline = performance.now() + CATCH_UP_MS_MAX;
    for (;;) {
      const { rows } = await this.database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query<{ partition: number; next_offset: bigint }>(
        'SELECT partition, next_offset FROM checkpoints WHERE consumer = $1 AND topic = $2 AND partition = ANY($3)', [METERING_CONSUMER, USAGE_TOPIC, partitions]));
      const read = new Map(rows.map(({ partition, next_offset: next }) => [partition, next]));
      if (partitions.every((partition) => (read.get(partition) ?? 0n) >= (ends.get(partitionName({ topic: USAGE_TOPIC, partition })) ?? 0n))) return !partitions.some((partition) => aside.has(partition));
      if (performance.now() > deadline) return false;
      await new Promise((resolve) => { setTimeout(resolve, LOOK_EVERY_MS); });
    }
  }

  async recompute(tenant: string, statementId: string): Promise<Recomputed | undefined> {
    // The worker's role: the chain of a partition runs through the envelopes of every tenant in it.
    return this.database.transaction({ role: 'worker', isolation: 'repeatable read', readOnly: true }, async (tx) => {
      const statement = await statementOf(tx, tenant, statementId);
      const meter = statement === undefined ? undefined : await meterOf(tx, tenant, statement.meterKey);
      if (statement === undefined || meter === undefined) return undefined;
      const asOf = new Map(Object.entries(statement.asOf).map(([partition, position]) => [Number(partition), Number(position)]));
      const question = { request: statement, rules: rulesAsOf(meter, statement.meterVersion) };
      return (await answerSealed(tx, tenant, statement, question, asOf)) ?? answerAgain(tx, tenant, question, asOf);
    });
  }
}
