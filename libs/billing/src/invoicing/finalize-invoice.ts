import { addLocalDays, derivedId, Money, type Instant } from '@valueverse/kernel';
import type { BillingSettings, CreditedLine, CreditNoteLine, InterimLine, InvoiceDrafted, InvoiceItem } from '@valueverse/contracts';
import { follow, ident, tableOf, type Reaction, type Tx } from '@valueverse/event-log';
import type { Job } from '@valueverse/platform';
import { accountsModel, billToOf, personalOf, type AccountRow, type Personal } from '../accounts/account.model';
import { balanceDecider, balanceOf } from '../balances/balance.model';
import type { BillingHost } from '../billing-host';
import { versionOf, plansModel, type PlanRow } from '../catalog/plan.model';
import { discountsOf, useDiscounts } from '../coupons/discounts';
import { leftOf, taxesOfPart, taxOfPart } from '../credit-notes/domain/note-lines';
import { issueNote } from '../credit-notes/issue-note';
import { onDocument } from '../documents/on-document';
import { entityOf, sellerOf } from '../entities/entity.model';
import { termsDays } from '../settings/domain/settings.decider';
import { settingsAt } from '../settings/settings.model';
import type { TaxCustomer, TaxEngine } from '../taxes/tax-engine';
import { invoiceRows } from './bill-subscription';
import { issueInvoice, pricingOf, type Drafted, type IssueTerms, type NoteParts, type Statements } from './domain/issue-invoice';
import { priceItems, type PricedLine } from './domain/lines';
import { invoiceDecider, invoicesModel, statementsOf, unstated, type InvoiceRow } from './invoice.model';
import { nextNumber } from './number-series';

export interface OfInvoice { readonly invoiceId: string }

const accountRow = async (tx: Tx, tenant: string, accountId: string): Promise<AccountRow> => {
  const { rows } = await tx.query<{ row: AccountRow }>(`SELECT row FROM ${ident(tableOf(accountsModel))} WHERE tenant = $1 AND key = $2`, [tenant, accountId]);
  return rows[0]!.row;
};

/** What was charged of the lines that items give back a part of. Of an invoice that is void, or was never issued, nothing was taken. */
export const creditedBy = async (tx: Tx, tenant: string, items: readonly InvoiceItem[]): Promise<Record<string, CreditedLine>> => {
  const refs = items.flatMap(({ credits }) => credits ?? []);
  const rows = await invoiceRows(tx, tenant, [...new Set(refs.map(({ invoiceId }) => invoiceId))]);
  const all: Record<string, CreditedLine> = {};
  for (const { status, issued } of rows) {
    if (status !== 'finalized') continue;
    for (const { lineId, amount, netAmount, taxAmount, taxBehavior, servicePeriod, taxes } of issued!.lines) {
      const paid = taxBehavior === 'inclusive' ? Money.parse(netAmount, issued!.currency).add(Money.parse(taxAmount, issued!.currency)).toString() : netAmount;
      if (refs.some((ref) => ref.lineId === lineId)) all[lineId] = { amount, paid, servicePeriod, taxes: taxes.map(({ key, name, rate, reason }) => ({ key, name, rate, ...(reason === undefined ? {} : { reason }) })) };
    }
  }
  return all;
};

/** What interim invoices have charged of items. */
export const interimOf = async (tx: Tx, tenant: string, items: readonly InvoiceItem[]): Promise<InterimLine[]> => {
  const rows = await invoiceRows(tx, tenant, [...new Set(items.flatMap(({ interimInvoices = [] }) => interimInvoices))]);
  return items.flatMap(({ itemId, charge: { key }, subscriptionId, interimInvoices = [] }) => rows.filter(({ invoiceId, status }) => interimInvoices.includes(invoiceId) && status === 'finalized')
    .flatMap(({ invoiceId, issued }) => issued!.lines.filter(({ chargeKey, subscriptionId: of, type }) => chargeKey === key && of === subscriptionId && type === 'usage')
      .map(({ lineId, dimensions, window, amount }) => ({ itemId, invoiceId, lineId, dimensions, amount, ...(window === undefined ? {} : { window }) }))));
};

const customerOf = ({ taxRateKeys, taxExemption, reverseCharge }: AccountRow, { address }: Personal): TaxCustomer => ({
  ...(typeof address !== 'object' ? {} : { address: { country: address.country, ...(address.state === undefined ? {} : { state: address.state }) } }), ...(taxRateKeys === undefined ? {} : { taxRateKeys }),
  ...(taxExemption === undefined ? {} : { exemption: taxExemption }), ...(reverseCharge === undefined ? {} : { isReverseCharge: reverseCharge }),
});

/** The rates of each line. A line that gives back has those of the line that it gives back. */
const lineTaxesOf = async (engine: TaxEngine, tx: Tx, tenant: string, lines: readonly PricedLine[], items: readonly InvoiceItem[], around: { customer: TaxCustomer; settings: BillingSettings; at: Instant }): Promise<Pick<IssueTerms, 'lineTaxes' | 'taxReasons'>> => {
  const byId = new Map(items.map((item) => [item.itemId, item]));
  const plans = await planRateKeys(tx, tenant, items);
  const answers = await engine.taxesOf(tx, tenant, {
    customer: around.customer, settingsRateKeys: around.settings.taxRateKeys, at: around.at,
    lines: lines.map(({ lineId, itemId }) => {
      const { charge: { taxCode, taxRateKeys }, planKey, planVersion } = byId.get(itemId)!;
      const ofPlan = plans.get(`${planKey}@${planVersion}`);
      return { lineId, ...(taxCode === undefined ? {} : { taxCode }), ...(taxRateKeys === undefined ? {} : { chargeRateKeys: taxRateKeys }), ...(ofPlan === undefined ? {} : { planRateKeys: ofPlan }) };
    }),
  });
  const untaxed = answers.filter(({ rates, reason }) => rates.length === 0 && reason !== 'none');
  return {
    lineTaxes: Object.fromEntries(answers.map(({ lineId, rates }) => [lineId, rates.map(({ key, name, rate }) => ({ key, name, rate }))])),
    ...(untaxed.length === 0 ? {} : { taxReasons: Object.fromEntries(untaxed.map(({ lineId, reason, detail }) => [lineId, { reason, ...(detail === undefined ? {} : { detail }) }])) }),
  };
};

const planRateKeys = async (tx: Tx, tenant: string, items: readonly InvoiceItem[]): Promise<ReadonlyMap<string, readonly string[] | undefined>> => {
  const keys = [...new Set(items.flatMap(({ planKey }) => planKey ?? []))];
  if (keys.length === 0) return new Map();
  const { rows } = await tx.query<{ row: PlanRow }>(`SELECT row FROM ${ident(tableOf(plansModel))} WHERE tenant = $1 AND key = ANY($2)`, [tenant, keys]);
  const plans = new Map(rows.map(({ row }) => [row.planKey, row]));
  return new Map(items.flatMap(({ planKey, planVersion }) => (planKey === undefined || !plans.has(planKey) ? [] : [[`${planKey}@${planVersion}`, versionOf(plans.get(planKey)!, planVersion)?.taxRateKeys] as const])));
};

export interface Terms { readonly terms: IssueTerms; readonly settings: BillingSettings; readonly account: AccountRow; readonly personal: Personal }

/** Everything that an invoice is computed with, beside its draft and statements, as it stands at an instant. */
export const termsFor = async (host: BillingHost, tx: Tx, tenant: string, drafted: Drafted & Pick<InvoiceDrafted, 'accountId'>, statements: Statements, { at, isIssue }: { at: Instant; isIssue: boolean }): Promise<Terms> => {
  const { accountId, currency, items } = drafted;
  const account = await accountRow(tx, tenant, accountId);
  const personal = await personalOf(host.service, tx, tenant, accountId);
  const settings = await settingsAt(tx, tenant, at);
  const [credited, interim] = [await creditedBy(tx, tenant, items), await interimOf(tx, tenant, items)];
  const lines = priceItems(items, pricingOf(drafted, statements, { credited, interim }));
  const taxes = await lineTaxesOf(host.taxes, tx, tenant, lines, items, { customer: customerOf(account, personal), settings, at });
  const coupons = await discountsOf(tx, tenant, { accountId, currency, at, isIssue });
  return { terms: { taxRounding: settings.taxRounding, inclusiveRounding: settings.inclusiveRounding, coupons, ...taxes, credited, interim }, settings, account, personal };
};

/**
 * Issues an invoice once all its usage is stated. The number is taken in the same transaction, so a failure gives it back. The row is held from the first look on: two runs of this job that overlap would otherwise
 * each take a number.
 */
export const finalizeIn = async (host: BillingHost, tx: Tx, { tenant, payload: { invoiceId }, clockId, now }: Pick<Job<OfInvoice>, 'tenant' | 'payload' | 'clockId' | 'now'>): Promise<Reaction> => {
  const { rows } = await tx.query<{ row: InvoiceRow }>(`SELECT row FROM ${ident(tableOf(invoicesModel))} WHERE tenant = $1 AND key = $2 FOR UPDATE`, [tenant, invoiceId]);
  const row = rows[0]!.row;
  if (row.status !== 'draft' || unstated(row).length > 0) return {};
  const { drafted } = row;
  const { accountId, currency } = drafted;
  const { terms, settings, account, personal } = await termsFor(host, tx, tenant, drafted, statementsOf(row), { at: now, isIssue: true });
  const issue = issueInvoice(drafted, statementsOf(row), terms);
  const billTo = billToOf(personal, account);
  const notes = await issueNotes(tx, tenant, issue.notes, { drafted, now, clockId, billTo });
  const balance = (await balanceOf(tx, tenant, accountId, currency, true)).add(notes.toBalance);
  const money = issue.invoiceWith(balance);
  const isNothing = money === undefined || (money.lines.every(({ amount }) => Money.parse(amount, currency).isZero()) && settings.zeroAmountInvoices === 'skip');
  if (isNothing) return { commands: [...notes.commands, follow(invoiceDecider, { type: 'DropInvoice', invoiceId, reason: money === undefined ? 'given back by credit notes' : 'nothing to bill', at: now })] };
  await useDiscounts(tx, tenant, invoiceId, issue.usedRedemptions);
  const entityKey = drafted.entityKey ?? account.entityKey;
  const seller = await entityOf(tx, tenant, entityKey);
  const number = await nextNumber(tx, tenant, { kind: 'invoice', entityKey: seller?.entityKey, clockId });
  const used = Money.parse(money.creditApplied, currency);
  return {
    commands: [
      ...notes.commands,
      ...await creditOriginals(tx, tenant, money.lines, invoiceId, now),
      follow(invoiceDecider, {
        type: 'FinalizeInvoice', invoiceId, number, dueAt: dueAfter(now, account.paymentTerms ?? settings.paymentTerms, drafted.zone), terms, balance: balance.toString(), billTo, ...onDocument(account, seller), at: now,
        ...(seller === undefined ? {} : { entityKey: seller.entityKey, seller: sellerOf(seller) }),
      }),
      ...(used.isPositive() ? [follow(balanceDecider, { type: 'UseBalance', accountId, currency, amount: used.toString(), invoiceId, at: now })] : []),
      ...(used.isNegative() ? [follow(balanceDecider, { type: 'CreditBalance', accountId, currency, amount: used.negate().toString(), source: 'credit_note', sourceId: invoiceId, at: now })] : []),
    ],
  };
};

const dueAfter = (at: Instant, paymentTerms: string, zone: string): Instant => {
  const days = termsDays(paymentTerms) ?? 0;
  return days === 0 ? at : addLocalDays(at, days, zone);
};

interface NoteContext { readonly drafted: InvoiceRow['drafted']; readonly now: Instant; readonly clockId: string | undefined; readonly billTo: ReturnType<typeof billToOf> }
const issueNotes = async (tx: Tx, tenant: string, parts: readonly NoteParts[], { drafted, now, clockId, billTo }: NoteContext): Promise<{ commands: NonNullable<Reaction['commands']>; toBalance: Money }> => {
  const commands: NonNullable<Reaction['commands']>[number][] = [];
  let toBalance = Money.zero(drafted.currency);
  for (const part of parts) {
    const { rows } = await tx.query<{ row: InvoiceRow }>(`SELECT row FROM ${ident(tableOf(invoicesModel))} WHERE tenant = $1 AND key = $2 FOR UPDATE`, [tenant, part.invoiceId]);
    const lines = noteLines(rows[0]!.row, part);
    if (lines.length === 0) continue;
    const note = await issueNote(tx, tenant, rows[0]!.row, { creditNoteId: derivedId('cn', drafted.invoiceId, part.invoiceId), lines, settlement: 'balance', reason: 'a change of the subscription', billTo }, { at: now, clockId });
    commands.push(...note.commands);
    toBalance = toBalance.add(note.toBalance);
  }
  return { commands, toBalance };
};

/** What is given back of the lines of an invoice, at most what is left of each. */
const noteLines = (row: InvoiceRow, { lines }: NoteParts): CreditNoteLine[] => {
  const { currency } = row.drafted;
  const before = { ...row.credited };
  return lines.flatMap(({ lineId, line }) => {
    const original = row.issued!.lines.find((one) => one.lineId === lineId)!;
    const left = leftOf(original, before[lineId], currency);
    const net = Money.parse(line.netAmount, currency).min(left.net);
    const tax = net.equals(left.net) ? left.tax : Money.parse(line.taxAmount, currency).min(taxOfPart(net, left).max(Money.zero(currency)));
    if (!net.isPositive() && !tax.isPositive()) return [];
    const given = before[lineId] ?? { netAmount: '0', taxAmount: '0' };
    before[lineId] = { netAmount: Money.parse(given.netAmount, currency).add(net).toString(), taxAmount: Money.parse(given.taxAmount, currency).add(tax).toString() };
    return [{ lineId, amount: line.amount, netAmount: net.toString(), taxAmount: tax.toString(), taxes: taxesOfPart(original, net, tax), servicePeriod: line.servicePeriod, steps: line.steps }];
  });
};

/** What an invoice gives back of lines of earlier ones is noted there, so that no note gives it back again. */
const creditOriginals = async (tx: Tx, tenant: string, lines: readonly { readonly lineId: string; readonly amount: string; readonly netAmount: string; readonly taxAmount: string; readonly credits?: { readonly invoiceId: string; readonly lineId: string } | undefined }[], invoiceId: string, at: Instant): Promise<NonNullable<Reaction['commands']>> => {
  const back = Map.groupBy(lines.filter(({ credits }) => credits !== undefined), ({ credits }) => credits!.invoiceId);
  if (back.size === 0) return [];
  const rows = await invoiceRows(tx, tenant, [...back.keys()]);
  return rows.filter(({ status }) => status === 'finalized').map((row) => {
    const { currency } = row.drafted;
    const zero = Money.zero(currency);
    const own = back.get(row.invoiceId)!.map(({ credits, amount, netAmount, taxAmount }) => {
      const left = leftOf(row.issued!.lines.find(({ lineId }) => lineId === credits!.lineId)!, row.credited[credits!.lineId], currency);
      const least = (text: string, most: Money): string => Money.parse(text, currency).negate().min(most.max(zero)).toString();
      return { lineId: credits!.lineId, amount: Money.parse(amount, currency).negate().toString(), netAmount: least(netAmount, left.net), taxAmount: least(taxAmount, left.tax) };
    });
    return follow(invoiceDecider, { type: 'CreditInvoice', invoiceId: row.invoiceId, creditNoteId: invoiceId, amount: zero.toString(), lines: own, at });
  });
};
