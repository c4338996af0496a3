import { Refused } from '@valueverse/kernel';
import type { GroupQuantity, UsageReader, UsageSpan } from '@valueverse/contracts';
import type { Database, Feed } from '@valueverse/event-log';
import { ruleOf } from '../metering/domain/measure';
import { meterOf } from '../meters/meters';
import { answerAgain, answersTo } from '../statements/compute';
import { statementOf } from '../statements/statements';
import { asOfIn, FeedHorizon } from './as-of';

/** What other contexts may ask metering at once. Nothing that is billed comes this way. */
export class CopyUsageReader implements UsageReader {
  readonly horizon: FeedHorizon;

  constructor(private readonly database: Database, feed: Feed, wallClock: () => string) { this.horizon = new FeedHorizon(feed, wallClock); }

  /** Refuses an unknown meter with `meter_not_found`. */
  async quantities(tenant: string, query: { meterKey: string; usage: readonly UsageSpan[]; groupBy: readonly string[] }): Promise<{ quantities: readonly GroupQuantity[]; asOf: string }> {
    const looks = await this.horizon.look();
    return this.database.transaction({ role: 'api', tenant, isolation: 'repeatable read', readOnly: true }, async (tx) => {
      const meter = await meterOf(tx, tenant, query.meterKey);
      if (meter === undefined) throw new Refused('meter_not_found', `there is no meter ${query.meterKey}`);
      const request = { requestId: '', subscriptionId: '', chargeKey: '', meterVersion: meter.version, ...query };
      const [answer] = await answersTo(tx, tenant, [{ request, rule: ruleOf(meter) }]);
      return { quantities: answer!.quantities, asOf: await asOfIn(tx, tenant, meter, looks, query.usage.map(({ subject }) => subject)) };
    });
  }

  async recompute(tenant: string, statementId: string): Promise<{ quantities: readonly GroupQuantity[]; evidence: string } | undefined> {
    // The worker's role: the chain of a partition runs through the envelopes of every tenant in it.
    return this.database.transaction({ role: 'worker', isolation: 'repeatable read', readOnly: true }, async (tx) => {
      const statement = await statementOf(tx, tenant, statementId);
      const meter = statement === undefined ? undefined : await meterOf(tx, tenant, statement.meterKey);
      if (statement === undefined || meter === undefined) return undefined;
      const asOf = new Map(Object.entries(statement.asOf).map(([partition, position]) => [Number(partition), Number(position)]));
      return answerAgain(tx, tenant, { request: statement, rule: ruleOf(meter) }, asOf);
    });
  }
}
