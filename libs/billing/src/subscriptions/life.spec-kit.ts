import { canonicalJson, laterOf, Money, Refused, type Instant, type Period } from '@valueverse/kernel';
import type { AddOnCreated, BilledSlice, CitedStatement, CreditedLine, InvoiceItem } from '@valueverse/contracts';
import { lineIdOf } from '../invoicing/domain/line-id';
import { interimLinesOf, type InterimInvoice } from '../invoicing/domain/interim-lines';
import { priceItems, type PricedLine } from '../invoicing/domain/lines';
import type { PlanRow, PlanVersion } from '../catalog/plan.model';
import { catalogueOf } from './catalogue';
import { merged, without } from './domain/intervals';
import { creditItem, dueAt, openUsageAt, type Catalogue, type DueItem } from './domain/due-items';
import { evolveSubscription, NEW_SUBSCRIPTION, subscription, type StartSubscription, type Subscription, type SubscriptionCommand } from './domain/subscription.decider';

export type PlanSpec = Partial<PlanVersion> & Pick<PlanVersion, 'charges'>;
/** A catalogue of plans by their key, each with one version or several, and of add-ons. */
export const catalogue = (plans: Readonly<Record<string, PlanSpec | readonly PlanSpec[]>>, addOns: Readonly<Record<string, Pick<AddOnCreated, 'charges' | 'interval'>>> = {}, currency = 'USD'): Catalogue => catalogueOf({
  plans: new Map(Object.entries(plans).map(([planKey, given]): [string, PlanRow] => [planKey, {
    planKey, archivedAt: null,
    versions: [given].flat().map((own, nth) => ({ version: nth + 1, name: planKey, currency, interval: { unit: 'month', count: 1 }, metadata: {}, createdAt: '2020-01-01T00:00:00Z', ...own })),
  }])),
  addOns: new Map(Object.entries(addOns).map(([addOnKey, own]): [string, AddOnCreated] => [addOnKey, { type: 'AddOnCreated', addOnKey, name: addOnKey, currency, metadata: {}, createdAt: '2020-01-01T00:00:00Z', ...own }])),
});

/** What was used in a time. */
export type UsageIn = (period: Period) => string;
/** One unit for each hour. */
const HOUR_MS = 3_600_000;
const hoursOf: UsageIn = ({ from, to }) => String(Math.floor((Date.parse(to) - Date.parse(from)) / HOUR_MS));

/** One subscription with the invoices of its runs, as the service makes them, without any of its storage. */
export class Life {
  state: Subscription = NEW_SUBSCRIPTION;
  readonly lines: PricedLine[] = [];
  /** Everything that was ever charged and given back. */
  readonly slices: BilledSlice[] = [];
  readonly items: InvoiceItem[] = [];
  private readonly credited: Record<string, CreditedLine> = {};
  private readonly interimInvoices: InterimInvoice[] = [];
  private readonly splitBy: string[] = [];
  private invoices = 0;

  constructor(readonly catalogue: Catalogue, start: Omit<StartSubscription, 'type' | 'at' | 'subscriptionId' | 'accountId' | 'subjects' | 'metadata' | 'planVersion' | 'currency' | 'interval'> & Partial<StartSubscription>, private readonly usageIn: UsageIn = hoursOf) {
    this.do({ type: 'StartSubscription', subscriptionId: 'sub_1', accountId: 'acc_1', subjects: [], metadata: {}, planVersion: 1, currency: 'USD', interval: { unit: 'month', count: 1 }, at: start.startsAt, ...start });
  }

  /** The code where it is refused. */
  do(command: SubscriptionCommand): string | undefined {
    try {
      for (const event of subscription.decide(command, this.state)) {
        this.state = evolveSubscription(event, this.state);
        if (event.type === 'SubscriptionChanged' && event.proration !== undefined) this.splitBy.push(event.changeId);
      }
      return undefined;
    } catch (error) {
      if (error instanceof Refused) return error.code;
      throw error;
    }
  }

  dueAt(at: Instant): DueItem[] {
    const invoiceId = `inv_${this.invoices}`;
    const { items, credits } = dueAt(this.state, this.catalogue, this.state.billedTo === undefined ? at : laterOf(at, this.state.billedTo), invoiceId);
    return [...items, ...credits.map((credit) => creditItem(credit, this.items.find(({ itemId }) => lineIdOf(credit.of.invoiceId, itemId) === credit.of.lineId)!, invoiceId))];
  }
  run(at: Instant): PricedLine[] { return this.bill(this.dueAt(at), this.state.billedTo === undefined ? at : laterOf(at, this.state.billedTo), 'cycle'); }
  interim(at: Instant): PricedLine[] { return this.bill(openUsageAt(this.state, this.catalogue, at, `inv_${this.invoices}`), this.state.billedTo ?? this.state.started!.startsAt, 'interim'); }

  /** What would be billed at an instant of the subscription as it would be then, or the code of what is refused. Nothing stays of it. */
  preview(foresee: () => Subscription, at: Instant): readonly PricedLine[] | string {
    const { state } = this;
    try {
      this.state = foresee();
      return this.price(this.dueAt(at).map(({ item }) => item), `inv_${this.invoices}`, 'cycle');
    } catch (error) {
      if (error instanceof Refused) return error.code;
      throw error;
    } finally {
      this.state = state;
    }
  }

  /** What items come to, by the functions that price an invoice. */
  price(items: readonly InvoiceItem[], invoiceId: string, kind: 'cycle' | 'interim'): PricedLine[] {
    const statements = new Map<string, CitedStatement>();
    const asked = items.map((item): InvoiceItem => {
      if (item.kind !== 'usage' || item.fees !== undefined) return item;
      const { from, to } = { from: item.usageFrom ?? item.served.from, to: item.served.to };
      statements.set(item.itemId, { statementId: item.itemId, quantities: [{ group: {}, value: this.usageIn({ from, to }), events: 1 }], asOf: {}, evidence: '' });
      return { ...item, requests: [{ requestId: item.itemId }] };
    });
    const interim = interimLinesOf(items, this.interimInvoices);
    return priceItems(asked, { invoiceId, kind, currency: this.state.started!.currency, rounding: 'half_up', statements, credited: this.credited, interim });
  }

  private bill(due: readonly DueItem[], billedTo: Instant, kind: 'cycle' | 'interim'): PricedLine[] {
    if (due.length === 0) return [];
    const invoiceId = `inv_${this.invoices++}`;
    const lines = this.price(due.map(({ item }) => item), invoiceId, kind);
    const code = this.do({ type: 'BillSubscription', subscriptionId: 'sub_1', invoiceId, billedTo, slices: due.map(({ slice }) => slice), revision: this.state.revision, at: billedTo });
    if (code !== undefined) throw new Error(code);
    for (const line of lines) {
      this.credited[line.lineId] = { amount: line.amount, paid: line.amount, left: line.amount, servicePeriod: line.servicePeriod, taxes: [] };
      const { credits } = line;
      if (credits !== undefined) this.credited[credits.lineId] = { ...this.credited[credits.lineId]!, left: this.money(this.credited[credits.lineId]!.left!).add(this.money(line.amount)).toString() };
    }
    if (kind === 'interim') this.interimInvoices.push({ invoiceId, items: due.map(({ item }) => item), lines });
    this.lines.push(...lines);
    this.slices.push(...due.map(({ slice }) => slice));
    this.items.push(...due.map(({ item }) => item));
    return lines;
  }

  /** What stays charged: the slots with the times in which they are. */
  get net(): Record<string, string[]> {
    const bySlot = Map.groupBy(this.slices.filter(({ interim }) => interim !== true), ({ slot }) => slot);
    const all = [...bySlot].map(([slot, own]): [string, string[]] => {
      if (own[0]!.kind === 'one_off') return [slot, own.map(({ from }) => from)];
      const stays = own.filter(({ credit }) => credit !== true).flatMap((line) => without([line], own.filter(({ credit, lineId }) => credit === true && lineId === line.lineId)));
      const once = merged(stays);
      if (lengthOf(once) !== lengthOf(stays)) throw new Error(`charged twice: ${JSON.stringify(stays)}`);
      return [slot, once.map(({ from, to }) => `${from}/${to}`)];
    });
    return Object.fromEntries(all.filter(([, periods]) => periods.length > 0).sort(([left], [right]) => (left < right ? -1 : 1)));
  }
  /** Whether a change that said how it splits was replaced by another one: what was billed of it is split as it was said then, which its history does not tell any more. */
  get hasForgottenSplit(): boolean { return this.splitBy.some((id) => !this.state.changes.some(({ changeId }) => changeId === id)); }
  /** The slots of what was billed once, which is not given back when the life that took it never was. */
  get once(): ReadonlySet<string> { return new Set(this.slices.filter(({ kind }) => kind === 'one_off').map(({ slot }) => slot)); }
  get total(): string { return Money.sum(this.lines.map(({ amount }) => this.money(amount)), this.state.started!.currency).toString(); }
  private money(amount: string): Money { return Money.parse(amount, this.state.started!.currency); }
  get history(): string { return canonicalJson({ changes: this.state.changes, ends: this.state.ends, pauses: this.state.pauses }); }
}

const lengthOf = (periods: readonly Period[]): number => periods.reduce((sum, { from, to }) => sum + Date.parse(to) - Date.parse(from), 0);
