import { defineEvent, type EventOf } from './event-definition';
import { decimal, instant, list, mapOf, object, oneOf, optional, text, whole, type TypeOf } from './schema';

/** A stretch of one subject's usage, half-open. */
export const usageSpan = object({ subject: text(256), from: instant(), to: instant() });
export type UsageSpan = TypeOf<typeof usageSpan>;

/** What metering found for one combination of the meter's dimensions. `events` counts the usage events behind it. */
export const groupQuantity = object({ group: mapOf(text()), value: decimal(), events: whole() });
export type GroupQuantity = TypeOf<typeof groupQuantity>;

/** One question of billing: the usage of a subscription that one charge bills. Answered exactly once, by one statement. */
export const statementRequest = object({
  requestId: text(), subscriptionId: text(), chargeKey: text(), meterKey: text(), meterVersion: whole(1),
  usage: list(usageSpan), groupBy: list(text()),
});
export type StatementRequest = TypeOf<typeof statementRequest>;

export const MeterCreated = defineEvent({
  name: 'MeterCreated', topic: 'usage.meters', fact: 'meter.created',
  data: object({
    meterKey: text(256), version: whole(1), name: text(256), eventType: text(256), aggregation: oneOf('sum', 'count'),
    valueProperty: optional(text()), groupBy: mapOf(text()), metadata: mapOf(text()), createdAt: instant(),
  }),
});
export type MeterCreated = EventOf<typeof MeterCreated>;

/** Metering's answer: it was computed from one snapshot of metering's copy of the log and stored before it was published. */
export const StatementIssued = defineEvent({
  name: 'StatementIssued', topic: 'usage.statements', fact: 'statement.issued',
  data: object({
    statementId: text(), requestId: text(), chunkId: text(), subscriptionId: text(), chargeKey: text(), meterKey: text(), meterVersion: whole(1),
    usage: list(usageSpan), groupBy: list(text()), quantities: list(groupQuantity),
    /** Partition of metering's copy -> the position up to which it is counted. */
    asOf: mapOf(text()), evidence: text(), issuedAt: instant(),
  }),
});
export type StatementIssued = EventOf<typeof StatementIssued>;

export const StatementsRequested = defineEvent({
  name: 'StatementsRequested', topic: 'billing.statement-requests', fact: 'statements.requested',
  data: object({ chunkId: text(), requests: list(statementRequest), requestedAt: instant() }),
});
export type StatementsRequested = EventOf<typeof StatementsRequested>;

export const USAGE_EVENTS = [MeterCreated, StatementIssued] as const;

/** Queries of other contexts to metering. Nothing that is billed comes this way: statements do. */
export interface UsageReader {
  /** What was used so far; `asOf` names the instant up to which everything accepted is in it. */
  quantities(tenant: string, query: { meterKey: string; usage: readonly UsageSpan[]; groupBy: readonly string[] }): Promise<{ quantities: readonly GroupQuantity[]; asOf: string }>;
  /** A statement computed again from the envelopes, as of its own positions. `undefined` for an unknown statement. */
  recompute(tenant: string, statementId: string): Promise<{ quantities: readonly GroupQuantity[]; evidence: string } | undefined>;
}
