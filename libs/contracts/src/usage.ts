import { defineEvent, type EventOf } from './event-definition';
import { anything, decimal, flag, instant, list, mapOf, object, oneOf, optional, text, whole, type TypeOf } from './schema';

/** A stretch of one subject's usage, half-open. */
export const usageSpan = object({ subject: text(256), from: instant(), to: instant() });
export type UsageSpan = TypeOf<typeof usageSpan>;

/**
 * What metering found for one combination of the meter's dimensions. `events` counts the usage events behind it; `converted` is what is billed where the meter
 * converts the total of a period.
 */
export const groupQuantity = object({
  group: mapOf(text()), value: decimal(), events: whole(), converted: optional(decimal()),
  /** Where the request has terms: what the events cost by them, in the order of their time. `unpriced` have no amount that a number could be read from. */
  priced: optional(object({ amount: decimal(), paidValue: decimal(), freeEvents: whole(), paidEvents: whole(), unpriced: whole() })),
});
export type GroupQuantity = TypeOf<typeof groupQuantity>;

/** What a price says of single events: a percentage of each one's value, or the amount that each one names. Rates in percent, amounts in major units. */
export const eventTerms = object({
  kind: oneOf('percentage', 'dynamic'), rate: optional(decimal()), fixedAmount: optional(decimal()), freeEvents: optional(whole()), freeAmount: optional(decimal()),
  minAmountPerEvent: optional(decimal()), maxAmountPerEvent: optional(decimal()), amountProperty: optional(text()), multiplier: optional(decimal()),
});
export type EventTerms = TypeOf<typeof eventTerms>;

/** One question of billing: the usage of a subscription that one charge bills. Answered exactly once, by one statement. */
export const statementRequest = object({
  requestId: text(), subscriptionId: text(), chargeKey: text(), meterKey: text(), meterVersion: whole(1),
  usage: list(usageSpan), groupBy: list(text()),
  /** The whole aligned period that the usage is a part of: an average over time is divided by its length. From the first instant of the usage to the last where it is not given. */
  period: optional(object({ from: instant(), to: instant() })),
  terms: optional(eventTerms),
});
export type StatementRequest = TypeOf<typeof statementRequest>;

export const METER_AGGREGATIONS = ['count', 'sum', 'min', 'max', 'average', 'latest', 'unique_count', 'time_weighted_sum', 'percentile'] as const;
export const FILTER_OPERATORS = ['eq', 'neq', 'in', 'nin', 'gt', 'gte', 'lt', 'lte', 'exists'] as const;

const meterFilter = object({ property: text(256), operator: oneOf(...FILTER_OPERATORS), value: optional(anything()) });
export type MeterFilter = TypeOf<typeof meterFilter>;
const meterConversion = object({ divideBy: optional(decimal()), round: optional(oneOf('up', 'down', 'half_up')), scale: optional(whole()), per: optional(oneOf('period', 'event')) });
export type MeterConversion = TypeOf<typeof meterConversion>;

/** A rule that turns usage events into a quantity, as it was from one instant on. */
const meterRule = {
  meterKey: text(256), version: whole(1), name: text(256), eventType: text(256), aggregation: oneOf(...METER_AGGREGATIONS),
  valueProperty: optional(text()), groupBy: mapOf(text()), filter: list(meterFilter), percentile: optional(decimal()), sampleWindow: optional(text(32)),
  rate: optional(oneOf('per_second')), unit: optional(text(64)), conversion: optional(meterConversion), carryOver: flag(), metadata: mapOf(text()), createdAt: instant(),
};

export const MeterCreated = defineEvent({
  name: 'MeterCreated', topic: 'usage.meters', fact: 'meter.created', version: 2,
  /** Events that occurred before `from` are not counted; where it is not given, all are. */
  data: object({ ...meterRule, from: optional(instant()) }),
  history: [{ version: 1, upcast: (data) => ({ ...data, filter: [], carryOver: false }) }],
});
export type MeterCreated = EventOf<typeof MeterCreated>;

/** Events that occur from `from` on are counted by this rule; those before keep the one that they had. */
export const MeterVersionAdded = defineEvent({
  name: 'MeterVersionAdded', topic: 'usage.meters', fact: 'meter.version_added', data: object({ ...meterRule, from: instant() }),
});
export type MeterVersionAdded = EventOf<typeof MeterVersionAdded>;

/** New plans cannot use it any more. It goes on counting for those that do. */
export const MeterArchived = defineEvent({ name: 'MeterArchived', topic: 'usage.meters', fact: 'meter.archived', data: object({ meterKey: text(256), archivedAt: instant() }) });
export type MeterArchived = EventOf<typeof MeterArchived>;
export const MeterRestored = defineEvent({ name: 'MeterRestored', topic: 'usage.meters', fact: 'meter.restored', data: object({ meterKey: text(256), restoredAt: instant() }) });
export type MeterRestored = EventOf<typeof MeterRestored>;

/** For how many days of log time the envelopes of a tenant are kept; for ever where `days` is not given. One stream per tenant. */
export const RetentionChanged = defineEvent({ name: 'RetentionChanged', topic: 'usage.meters', fact: 'retention.changed', data: object({ days: optional(whole(1)), changedAt: instant() }) });
export type RetentionChanged = EventOf<typeof RetentionChanged>;

/** Metering's answer: it was computed from one snapshot of metering's copy of the log and stored before it was published. */
export const StatementIssued = defineEvent({
  name: 'StatementIssued', topic: 'usage.statements', fact: 'statement.issued',
  data: object({
    statementId: text(), requestId: text(), chunkId: text(), subscriptionId: text(), chargeKey: text(), meterKey: text(), meterVersion: whole(1),
    usage: list(usageSpan), groupBy: list(text()), period: optional(object({ from: instant(), to: instant() })), terms: optional(eventTerms), quantities: list(groupQuantity),
    /** Partition of metering's copy -> the position up to which it is counted. */
    asOf: mapOf(text()), evidence: text(), issuedAt: instant(),
  }),
});
export type StatementIssued = EventOf<typeof StatementIssued>;

/**
 * Usage came after a statement that would be in it, or was taken back or amended after it: at most one of these a second for each partition. It says nothing of amounts: what is stated does not change,
 * and whoever bills asks for another statement.
 */
export const LateUsageFound = defineEvent({
  name: 'LateUsageFound', topic: 'usage.statements', fact: 'late_usage.found',
  data: object({
    statementId: text(), requestId: text(), subscriptionId: text(), chargeKey: text(), meterKey: text(),
    /** Usage events and corrections that would have been counted otherwise, had they come before. */
    events: whole(1),
    /** Of metering's copy of this partition: the positions of the envelopes that hold them, in order; all after the one that the statement is as of. */
    partition: whole(), positions: list(text()),
    /** Log time of the first and of the last of these envelopes. */
    receivedFrom: instant(), receivedTo: instant(),
  }),
});
export type LateUsageFound = EventOf<typeof LateUsageFound>;

export const StatementsRequested = defineEvent({
  name: 'StatementsRequested', topic: 'billing.statement-requests', fact: 'statements.requested',
  data: object({ chunkId: text(), requests: list(statementRequest), requestedAt: instant() }),
});
export type StatementsRequested = EventOf<typeof StatementsRequested>;

export const USAGE_EVENTS = [MeterCreated, MeterVersionAdded, MeterArchived, MeterRestored, RetentionChanged, StatementIssued, LateUsageFound] as const;

/** What another context wants to know at once; `period` as in a statement request. */
export interface UsageQuestion {
  readonly meterKey: string;
  readonly usage: readonly UsageSpan[];
  readonly groupBy: readonly string[];
  readonly period?: { readonly from: string; readonly to: string } | undefined;
  readonly terms?: EventTerms | undefined;
}

/**
 * A statement computed again. `sealed` where retention has dropped envelopes behind it: then its buckets were compared with their seals and with what is left (`isIntact`), and it was computed from the seals
 * where they hold exactly what it counted (`isRecomputed`); otherwise quantities and evidence are those that were stated.
 */
export interface Recomputed {
  readonly quantities: readonly GroupQuantity[];
  readonly evidence: string;
  readonly sealed?: { readonly isIntact: boolean; readonly isRecomputed: boolean } | undefined;
}

/** Queries of other contexts to metering. Nothing that is billed comes this way: statements do. */
export interface UsageReader {
  /** What was used so far; `asOf` names the instant up to which everything accepted is in it. */
  quantities(tenant: string, query: UsageQuestion): Promise<{ quantities: readonly GroupQuantity[]; asOf: string }>;
  /** A statement computed again from the envelopes, as of its own positions. `undefined` for an unknown statement. */
  recompute(tenant: string, statementId: string): Promise<Recomputed | undefined>;
}
