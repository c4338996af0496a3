import type { Database, Tx } from '@valueverse/event-log';
import { Money, parseInstant } from '@valueverse/kernel';
import { type Capabilities, type Capability, notSupported } from '../capabilities';
import type {
  BalanceEntry, BalanceOrder, BalancePage, CustomerOrder, DisputesPage, FindOrder, Found, FoundRefund, MadeOrder, PaymentProvider, ProviderDispute, ProviderRefund, ReferenceOrder, RefundOrder, RefundOutcome, RefundsOrder, RefundsPage, RefusedOrder, ThingOrder,
} from '../provider';
import { enter, type ManualEntry } from './manual-book';

const ROW_SQL = `SELECT kind, key, reference, charge_reference AS "chargeReference", amount::text AS amount, currency, reason, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, nth FROM manual_book WHERE tenant = $1`;
const PAGE = 100;
type Row = ManualEntry & { readonly nth: bigint };
const minorOf = ({ amount, currency }: Pick<Row, 'amount' | 'currency'>): bigint => Money.parse(amount, currency).minor;
const sumOf = (rows: readonly Row[]): bigint => rows.reduce((sum, row) => sum + minorOf(row), 0n);
const LINE = { charge: 'charge', refund: 'refund', reversal: 'dispute' } as const;

/**
 * What people enter: cash, cheques, transfers that were seen on a statement, what was paid out by hand, and what bounced. It asks nobody and takes no orders for money: its book is what was entered. Money goes back the moment that somebody says so, because then it was paid out,
 * or is about to be, by hand; a cheque that bounces is a dispute that was lost before it began.
 */
export class ManualProvider implements PaymentProvider {
  readonly can: Capabilities = { methods: false, charges: false, pages: false, webhooks: false };
  constructor(readonly name: string, private readonly database: Database) {}

  stepOf(): bigint { return 1n; }
  /** Whoever pays by hand is known by the account. */
  customer({ accountId }: CustomerOrder): Promise<{ readonly status: 'made'; readonly reference: string }> { return Promise.resolve({ status: 'made', reference: accountId }); }
  attach(): Promise<RefusedOrder> { return this.cannot('methods'); }
  method(): Promise<RefusedOrder> { return this.cannot('methods'); }
  detach(): Promise<RefusedOrder> { return this.cannot('methods'); }
  chosenMethod(): Promise<RefusedOrder> { return this.cannot('methods'); }
  setup(): Promise<RefusedOrder> { return this.cannot('pages'); }
  readSetup(): Promise<RefusedOrder> { return this.cannot('pages'); }
  portal(): Promise<RefusedOrder> { return this.cannot('pages'); }
  charge(): Promise<RefusedOrder> { return this.cannot('charges'); }
  confirm(): Promise<RefusedOrder> { return this.cannot('charges'); }

  find({ tenant, key }: FindOrder): Promise<Found> { return this.reading(tenant, async (tx) => moneyOf(await rowsOf(tx, `${ROW_SQL} AND kind = 'charge' AND key = $2`, [tenant, key]))); }
  read({ tenant, reference }: ReferenceOrder): Promise<Found> { return this.reading(tenant, async (tx) => moneyOf(await chargesOf(tx, tenant, reference))); }
  /** Nothing waits for anybody here: what came in has come in. */
  cancel(order: ReferenceOrder): Promise<Found> { return this.read(order); }

  /** Writes down that money is paid out by hand. Refuses with `charge_not_found` and `refund_exceeds_payment`. */
  refund({ tenant, now, key, refundId, reference, amountMinor, currency }: RefundOrder): Promise<RefundOutcome | RefusedOrder> {
    return this.database.transaction({ role: 'api', tenant }, async (tx): Promise<RefundOutcome | RefusedOrder> => {
      // One after the other, so that together they never exceed what came in.
      await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [JSON.stringify(['pay out', tenant, reference])]);
      const charges = await rowsOf(tx, `${ROW_SQL} AND kind = 'charge' AND reference = $2 AND currency = $3`, [tenant, reference, currency]);
      const [before] = await rowsOf(tx, `${ROW_SQL} AND kind = 'refund' AND key = $2`, [tenant, key]);
      if (before !== undefined) return refundOf(before);
      if (charges.length === 0) return { status: 'refused', code: 'charge_not_found', detail: `nothing in ${currency} was entered under this reference` };
      const left = sumOf(charges) - sumOf(await rowsOf(tx, `${ROW_SQL} AND kind <> 'charge' AND charge_reference = $2 AND currency = $3`, [tenant, reference, currency]));
      if (amountMinor > left) return { status: 'refused', code: 'refund_exceeds_payment', detail: `${Money.of(left, currency).toString()} ${currency} is left of what was entered under this reference` };
      await enter(tx, tenant, [{ kind: 'refund', key, reference: refundId, chargeReference: reference, amount: Money.of(amountMinor, currency).toString(), currency, reason: null, at: now }]);
      return { status: 'succeeded', reference: refundId, amountMinor, currency };
    });
  }
  findRefund({ tenant, key }: Pick<RefundOrder, 'tenant' | 'key'>): Promise<FoundRefund> {
    return this.reading(tenant, async (tx) => (await rowsOf(tx, `${ROW_SQL} AND kind = 'refund' AND key = $2`, [tenant, key])).map(refundOf)[0] ?? { status: 'absent' });
  }
  refunds(order: RefundsOrder): Promise<{ readonly status: 'page' } & RefundsPage> {
    return this.reading(order.tenant, async (tx) => {
      const { rows, next } = await pageOf(tx, order.tenant, 'refund', order);
      const keys = await attemptKeysOf(tx, order.tenant, rows);
      return { status: 'page', refunds: rows.map((row): ProviderRefund => ({ reference: row.reference, chargeReference: row.chargeReference!, ...keys(row), key: row.key, amountMinor: minorOf(row), currency: row.currency, state: 'succeeded' })), ...next };
    });
  }

  dispute({ tenant, reference }: ReferenceOrder): Promise<ProviderDispute | { readonly status: 'absent' }> {
    return this.reading(tenant, async (tx) => {
      const rows = await rowsOf(tx, `${ROW_SQL} AND kind = 'reversal' AND reference = $2`, [tenant, reference]);
      const keys = await attemptKeysOf(tx, tenant, rows);
      return rows.map((row) => disputeOf(row, keys(row)))[0] ?? { status: 'absent' };
    });
  }
  disputes(order: MadeOrder): Promise<{ readonly status: 'page' } & DisputesPage> {
    return this.reading(order.tenant, async (tx) => {
      const { rows, next } = await pageOf(tx, order.tenant, 'reversal', order);
      const keys = await attemptKeysOf(tx, order.tenant, rows);
      return { status: 'page', disputes: rows.map((row) => disputeOf(row, keys(row))), ...next };
    });
  }

  /** What people hold in their hands goes to no bank by itself. */
  payout(): Promise<{ readonly status: 'absent' }> { return Promise.resolve({ status: 'absent' }); }
  payouts(): Promise<{ readonly status: 'page'; readonly payouts: readonly [] }> { return Promise.resolve({ status: 'page', payouts: [] }); }
  linesOf({ tenant, type, reference }: ThingOrder): Promise<{ readonly status: 'lines'; readonly entries: readonly BalanceEntry[] } | { readonly status: 'absent' }> {
    return this.reading(tenant, async (tx) => {
      const rows = await rowsOf(tx, `${ROW_SQL} AND kind = $2 AND reference = $3 ORDER BY nth DESC`, [tenant, type === 'dispute' ? 'reversal' : type, reference]);
      return rows.length === 0 ? { status: 'absent' } : { status: 'lines', entries: rows.map(lineOf) };
    });
  }
  balance({ tenant, from, to, payout, after }: BalanceOrder): Promise<{ readonly status: 'page' } & BalancePage> {
    return this.reading(tenant, async (tx) => {
      const rows = payout !== undefined ? [] : await rowsOf(tx, `${ROW_SQL} AND ($2::timestamptz IS NULL OR at >= $2) AND ($3::timestamptz IS NULL OR at < $3) AND ($4::bigint IS NULL OR nth < $4) ORDER BY nth DESC LIMIT $5`, [tenant, from ?? null, to ?? null, after ?? null, PAGE]);
      return { status: 'page', entries: rows.map(lineOf), ...(rows.length < PAGE ? {} : { next: String(rows.at(-1)!.nth) }) };
    });
  }

  private cannot(capability: Capability): Promise<RefusedOrder> { return Promise.resolve(notSupported(this.name, capability)); }
  private reading<T extends { readonly status: string }>(tenant: string, work: (tx: Tx) => Promise<T>): Promise<T> { return this.database.transaction({ role: 'api', tenant, readOnly: true }, work); }
}

const rowsOf = async (tx: Tx, sql: string, values: readonly unknown[]): Promise<Row[]> => (await tx.query<Row & Record<string, unknown>>(sql, [...values])).rows;
const chargesOf = (tx: Tx, tenant: string, reference: string): Promise<Row[]> => rowsOf(tx, `${ROW_SQL} AND kind = 'charge' AND reference = $2 ORDER BY nth`, [tenant, reference]);
/** All that came in under one reference, in the currency of the first of it. */
const moneyOf = (rows: readonly Row[]): Found => {
  const [first] = rows;
  return first === undefined ? { status: 'absent' } : { status: 'succeeded', reference: first.reference, amountMinor: sumOf(rows.filter(({ currency }) => currency === first.currency)), currency: first.currency, feeMinor: 0n };
};
const refundOf = (row: Row): Extract<RefundOutcome, { status: 'succeeded' }> => ({ status: 'succeeded', reference: row.reference, amountMinor: minorOf(row), currency: row.currency });
const disputeOf = (row: Row, key: { readonly attemptKey?: string }): ProviderDispute => ({ reference: row.reference, chargeReference: row.chargeReference!, amountMinor: minorOf(row), currency: row.currency, reason: row.reason ?? '', status: 'lost', ...key });
const lineOf = (row: Row): BalanceEntry => ({
  reference: `line_${row.nth}`, type: LINE[row.kind], amountMinor: row.kind === 'charge' ? minorOf(row) : -minorOf(row), feeMinor: 0n, currency: row.currency, source: row.reference, at: parseInstant(row.at), ...(row.kind === 'reversal' ? {} : { key: row.key }),
  ...(row.chargeReference === null ? {} : { chargeReference: row.chargeReference }),
});

/** The latest first: from an instant on, or all of a charge. */
const pageOf = async (tx: Tx, tenant: string, kind: 'refund' | 'reversal', order: RefundsOrder): Promise<{ readonly rows: readonly Row[]; readonly next: { readonly next?: string } }> => {
  const [since, charge] = 'since' in order ? [order.since, null] : [null, order.chargeReference];
  const rows = await rowsOf(tx, `${ROW_SQL} AND kind = $2 AND ($3::timestamptz IS NULL OR at >= $3) AND ($4::text IS NULL OR charge_reference = $4) AND nth < coalesce((SELECT min(nth) FROM manual_book WHERE tenant = $1 AND kind = $2 AND reference = $5), 9223372036854775807) ORDER BY nth DESC LIMIT $6`, [tenant, kind, since, charge, order.after ?? null, PAGE]);
  return { rows, next: rows.length < PAGE ? {} : { next: rows.at(-1)!.reference } };
};
/** Of which attempt money is that went back: of the first one that was entered under its reference. */
const attemptKeysOf = async (tx: Tx, tenant: string, rows: readonly Row[]): Promise<(row: Row) => { readonly attemptKey?: string }> => {
  const charges = rows.length === 0 ? [] : await rowsOf(tx, `${ROW_SQL} AND kind = 'charge' AND reference = ANY($2) ORDER BY nth`, [tenant, rows.map(({ chargeReference }) => chargeReference)]);
  return ({ chargeReference }) => {
    const key = charges.find(({ reference }) => reference === chargeReference)?.key;
    return key === undefined ? {} : { attemptKey: key };
  };
};
