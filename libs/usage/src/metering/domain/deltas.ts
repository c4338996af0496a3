import type { UsageEvent } from '../../ingest/domain/usage-event';
import { bucketOf } from './bucket';
import { ExactSum } from './exact-sum';
import { groupsOf, measure, type MeterRule } from './measure';

/** What a bucket grows by. */
export interface Delta {
  readonly tenant: string;
  readonly rule: MeterRule;
  readonly subject: string;
  readonly bucket: number;
  readonly groups: string;
  readonly sum: ExactSum;
  events: number;
}

/** Adds usage events up by meter, subject, bucket and group, in memory. */
export class Deltas {
  private readonly rows = new Map<string, Delta>();

  /** Adds an event for each of its tenant's meters that looks at its type; answers the meters for which its value is none. */
  add(tenant: string, event: UsageEvent, micros: number, rules: readonly MeterRule[]): readonly MeterRule[] {
    let invalid: MeterRule[] | undefined;
    for (const rule of rules) {
      if (rule.eventType !== event.type) continue;
      const value = measure(rule, event.data);
      if (value === undefined) { (invalid ??= []).push(rule); continue; }
      const row = this.row(tenant, rule, event.subject, bucketOf(micros), groupsOf(rule, event.data));
      row.sum.add(value);
      row.events++;
    }
    return invalid ?? NONE;
  }

  get all(): readonly Delta[] { return [...this.rows.values()]; }

  private row(tenant: string, rule: MeterRule, subject: string, bucket: number, groups: string): Delta {
    // None of the parts but the last can hold a line feed.
    const key = `${tenant}\n${rule.key}\n${rule.version}\n${subject}\n${bucket}\n${groups}`;
    let row = this.rows.get(key);
    if (row === undefined) {
      row = { tenant, rule, subject, bucket, groups, sum: new ExactSum(), events: 0 };
      this.rows.set(key, row);
    }
    return row;
  }
}
const NONE: readonly MeterRule[] = [];
