import { ident, type Tx } from '@valueverse/event-log';
import { growBuckets } from '../metering/buckets';
import { Cells } from '../metering/domain/cells';
import { ALL_SUBJECTS, type SeriesDelta, seriesText } from '../metering/domain/deltas';
import type { MeterRule } from '../metering/domain/measure';
import type { Tally } from '../metering/domain/tally';
import { SeriesIndex } from '../metering/series';
import { type SealedTally, tallyOf } from '../retention/domain/seal';
import { type ComparedMeter, rulesByTenant } from './compared-meters';
import type { Schemas } from './shadow-tables';

const SEALS_PER_PAGE = 1_000;

/** Series with what is added to their buckets. */
class Growth {
  private readonly byText = new Map<string, SeriesDelta>();

  add(tenant: string, rule: MeterRule, partition: number, subject: string, { groups, bucket }: SealedTally, tally: Tally): void {
    const text = seriesText({ tenant, rule, partition, subject, groups });
    let delta = this.byText.get(text);
    if (delta === undefined) this.byText.set(text, delta = { tenant, rule, partition, subject, groups, number: undefined, cells: new Cells(), nth: this.byText.size });
    delta.cells.at(bucket, rule).merge(tally);
  }

  get all(): SeriesDelta[] { return [...this.byText.values()]; }
}

/** Adds what the dropped events of a partition counted for to the buckets of their subjects, and to those of all subjects together. */
export const addSeals = async (tx: Tx, { live }: Schemas, partition: number, meters: readonly ComparedMeter[]): Promise<void> => {
  const rules = rulesByTenant(meters);
  const index = new SeriesIndex();
  let [tenant, subject, bucket] = ['', '', -1];
  for (;;) {
    const { rows } = await tx.query<{ tenant: string; subject: string; bucket: bigint; tallies: string }>(
      `SELECT tenant, subject, bucket, tallies FROM ${ident(live)}.usage_seals WHERE partition = $1 AND (tenant, subject, bucket) > ($2, $3, $4) ORDER BY tenant, subject, bucket LIMIT $5`,
      [partition, tenant, subject, bucket, SEALS_PER_PAGE]);
    const growth = new Growth();
    for (const row of rows) {
      for (const sealed of JSON.parse(row.tallies) as SealedTally[]) {
        const rule = rules.get(row.tenant)?.find(({ key, version }) => key === sealed.meter && version === sealed.version);
        if (rule === undefined) continue;
        growth.add(row.tenant, rule, partition, row.subject, sealed, tallyOf(sealed));
        if (rule.aggregation.fold !== 'distinct') growth.add(row.tenant, rule, partition, ALL_SUBJECTS, sealed, tallyOf(sealed));
      }
    }
    const { all } = growth;
    await index.number(tx, all);
    await growBuckets(tx, all);
    if (rows.length < SEALS_PER_PAGE) return;
    [tenant, subject, bucket] = [rows.at(-1)!.tenant, rows.at(-1)!.subject, Number(rows.at(-1)!.bucket)];
  }
};
