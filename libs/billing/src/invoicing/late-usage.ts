import { earlierOf } from '@valueverse/kernel';
import { instant, object, LateUsageFound, whole } from '@valueverse/contracts';
import type { Projector, Tx } from '@valueverse/event-log';

/** Usage events, voids and amendments that came after what was billed, and when metering received the first of them. What they come to in money is not known before the usage is rated again. */
export const LATE_USAGE_SHOWN = object({ events: whole(1), since: instant() });
export interface LateUsage { readonly events: number; readonly since: string }
/** Of an invoice by charge. */
export type LateByCharge = ReadonlyMap<string, LateUsage>;

/** Adds up what came late to the statements that invoices cite. */
export const lateUsage: Projector = {
  kind: 'projector', name: 'late-usage', version: 1, topics: ['usage.statements'], events: [LateUsageFound.name], tables: ['late_usage'],
  project: async (tx, facts) => {
    for (const { tenant, event } of facts) {
      const { requestId, chargeKey, events, receivedFrom } = event as LateUsageFound;
      await tx.query(
        `INSERT INTO late_usage AS l (tenant, request_id, invoice_id, charge_key, events, since)
         SELECT $1, $2, r.invoice_id, $3, $4, $5 FROM invoice_requests r WHERE r.tenant = $1 AND r.request_id = $2
         ON CONFLICT (tenant, request_id) DO UPDATE SET events = l.events + excluded.events, since = CASE WHEN excluded.since::timestamptz < l.since::timestamptz THEN excluded.since ELSE l.since END`,
        [tenant, requestId, chargeKey, events, receivedFrom]);
    }
  },
};

/** A row of a charge. */
export interface LateRow { readonly charge_key: string; readonly events: bigint | number; readonly since: string }
/** Rows of one invoice, by charge. */
export const lateByCharge = (rows: readonly LateRow[]): LateByCharge => new Map(rows.map(({ charge_key: key, events, since }) => [key, { events: Number(events), since }]));

/** Invoice -> what came late to its charges; an invoice to which nothing did is not in it. */
export const lateUsageOf = async (tx: Tx, tenant: string, invoiceIds: readonly string[]): Promise<ReadonlyMap<string, LateByCharge>> => {
  const { rows } = await tx.query<LateRow & { invoice_id: string }>('SELECT invoice_id, charge_key, events, since FROM late_usage WHERE tenant = $1 AND invoice_id = ANY($2)', [tenant, invoiceIds]);
  return new Map([...Map.groupBy(rows, ({ invoice_id: id }) => id)].map(([id, own]) => [id, lateByCharge(own)]));
};

/** All charges together; null where there is none. */
export const lateInAll = (late: LateByCharge | undefined): LateUsage | null => [...late?.values() ?? []]
  .reduce<LateUsage | null>((sum, one) => (sum === null ? one : { events: sum.events + one.events, since: earlierOf(sum.since, one.since) }), null);
