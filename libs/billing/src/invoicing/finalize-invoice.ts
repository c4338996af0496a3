import { addLocalDays, derivedId, Money, Refused, type Instant } from '@valueverse/kernel';
import type { BillingSettings, CreditedLine, CreditNoteLine, InvoiceDrafted, InvoiceItem, InvoiceLine, StatedUsage } from '@valueverse/contracts';
import { follow, followIdempotent, type Reaction, type Tx } from '@valueverse/event-log';
import { heldRow, heldRows, type Job } from '@valueverse/platform';
import { billToOf, type AccountRow, type Personal } from '../accounts/account.model';
import { balanceDecider } from '../balances/balance.model';
import type { BillingHost } from '../billing-host';
import { useDiscounts } from '../coupons/discounts';
import { leftOf, taxesOfPart, taxOfPart } from '../credit-notes/domain/note-lines';
import { issueNote } from '../credit-notes/issue-note';
import { onDocument } from '../documents/on-document';
import { sellerOf } from '../entities/entity.model';
import { termsDays } from '../settings/domain/settings.decider';
import type { TaxCustomer, TaxEngine } from '../taxes/tax-engine';
import { answersOf } from './answers';
import { invoiceRows, type Draft } from './bill-subscription';
import type { OfInvoice } from './cycle-jobs';
import { interimLinesOf } from './domain/interim-lines';
import { issueInvoice, pricingOf, type Drafted, type IssueTerms, type NoteParts, type Statements } from './domain/issue-invoice';
import type { FinalizeInvoice } from './domain/invoice.decider';
import { priceItems, type PricedLine } from './domain/lines';
import { draftedRow, invoiceDecider, invoicesModel, statementsOf, unstated, type CreditedOfLine, type InvoiceRow } from './invoice.model';
import { InvoiceGround } from './invoice-ground';
import { nextNumber, nextNumbers, type SeriesOf } from './number-series';

/** A line as what gives back a part of it has to know it, by what was given back of it before. */
export const creditedLineOf = (line: InvoiceLine, before: CreditedOfLine | undefined, currency: string): CreditedLine => {
  const { amount, netAmount, taxAmount, taxBehavior, servicePeriod, taxes } = line;
  const { net, tax } = leftOf(line, before, currency);
  const isInclusive = taxBehavior === 'inclusive';
  return {
    amount, paid: isInclusive ? Money.parse(netAmount, currency).add(Money.parse(taxAmount, currency)).toString() : netAmount, left: (isInclusive ? net.add(tax) : net).toString(), servicePeriod,
    taxes: taxes.map(({ key, name, rate, reason }) => ({ key, name, rate, ...(reason === undefined ? {} : { reason }) })),
  };
};

/** What was charged of the lines that items give back a part of. Of an invoice that is void, or was never issued, nothing was taken. */
const creditedBy = async (tx: Tx, tenant: string, items: readonly InvoiceItem[]): Promise<Record<string, CreditedLine>> => {
  const refs = items.flatMap(({ credits }) => credits ?? []);
  const rows = await invoiceRows(tx, tenant, [...new Set(refs.map(({ invoiceId }) => invoiceId))]);
  return Object.fromEntries(rows.filter(({ status }) => status === 'finalized').flatMap(({ issued, credited = {} }) => issued!.lines.filter(({ lineId }) => refs.some((ref) => ref.lineId === lineId))
    .map((line) => [line.lineId, creditedLineOf(line, credited[line.lineId], issued!.currency)])));
};

/** The invoices that items give back a part of, or take off what those have charged in between, and that are not issued yet: what they come to is not known before. */
export const draftsBehind = async (tx: Tx, tenant: string, items: readonly InvoiceItem[]): Promise<readonly InvoiceRow[]> =>
  (await invoiceRows(tx, tenant, [...new Set(items.flatMap(({ credits, interimInvoices = [] }) => [...(credits === undefined ? [] : [credits.invoiceId]), ...interimInvoices]))])).filter(({ status }) => status === 'draft');

/** What interim invoices have charged of items, and their lines as what gives back a part of them has to know them. */
const interimOf = async (tx: Tx, tenant: string, items: readonly InvoiceItem[]): Promise<Pick<IssueTerms, 'credited' | 'interim'>> => {
  const rows = (await invoiceRows(tx, tenant, [...new Set(items.flatMap(({ interimInvoices = [] }) => interimInvoices))])).filter(({ status }) => status === 'finalized');
  const interim = interimLinesOf(items, rows.map(({ invoiceId, drafted, issued }) => ({ invoiceId, items: drafted.items, lines: issued!.lines })));
  const charged = new Set(interim.map(({ lineId }) => lineId));
  return { interim, credited: Object.fromEntries(rows.flatMap(({ issued, credited = {} }) => issued!.lines.filter(({ lineId }) => charged.has(lineId)).map((line) => [line.lineId, creditedLineOf(line, credited[line.lineId], issued!.currency)]))) };
};

const customerOf = ({ taxRateKeys, taxExemption, reverseCharge }: AccountRow, { address }: Personal): TaxCustomer => ({
  ...(typeof address !== 'object' ? {} : { address: { country: address.country, ...(address.state === undefined ? {} : { state: address.state }) } }), ...(taxRateKeys === undefined ? {} : { taxRateKeys }),
  ...(taxExemption === undefined ? {} : { exemption: taxExemption }), ...(reverseCharge === undefined ? {} : { isReverseCharge: reverseCharge }),
});

/** The rates of each line. A line that gives back has those of the line that it gives back. */
const lineTaxesOf = async (engine: TaxEngine, ground: InvoiceGround, tx: Tx, tenant: string, lines: readonly PricedLine[], items: readonly InvoiceItem[], around: { customer: TaxCustomer; settings: BillingSettings; at: Instant }): Promise<Pick<IssueTerms, 'lineTaxes' | 'taxReasons'>> => {
  const byId = new Map(items.map((item) => [item.itemId, item]));
  const answers = await engine.taxesOf(tx, tenant, {
    customer: around.customer, settingsRateKeys: around.settings.taxRateKeys, at: around.at,
    lines: lines.map(({ lineId, itemId }) => {
      const item = byId.get(itemId)!;
      const { taxCode, taxRateKeys } = item.charge;
      const ofPlan = ground.planRateKeys(item);
      return { lineId, ...(taxCode === undefined ? {} : { taxCode }), ...(taxRateKeys === undefined ? {} : { chargeRateKeys: taxRateKeys }), ...(ofPlan === undefined ? {} : { planRateKeys: ofPlan }) };
    }),
  });
  const untaxed = answers.filter(({ rates, reason }) => rates.length === 0 && reason !== 'none');
  return {
    lineTaxes: Object.fromEntries(answers.map(({ lineId, rates }) => [lineId, rates.map(({ key, name, rate }) => ({ key, name, rate }))])),
    ...(untaxed.length === 0 ? {} : { taxReasons: Object.fromEntries(untaxed.map(({ lineId, reason, detail }) => [lineId, { reason, ...(detail === undefined ? {} : { detail }) }])) }),
  };
};

export interface Terms { readonly terms: IssueTerms; readonly settings: BillingSettings; readonly account: AccountRow; readonly personal: Personal }

interface TermsOptions {
  readonly at: Instant;
  readonly isIssue: boolean;
  readonly ground?: InvoiceGround;
  /** Of a preview: lines of drafts, as they would be issued. */
  readonly foreseen?: Readonly<Record<string, CreditedLine>>;
}
/** Everything that an invoice is computed with, beside its draft and statements, as it stands at an instant. */
export const termsFor = async (host: BillingHost, tx: Tx, tenant: string, drafted: Drafted & Pick<InvoiceDrafted, 'accountId'>, statements: Statements, { at, isIssue, ground: given, foreseen = {} }: TermsOptions): Promise<Terms> => {
  const { accountId, currency, items } = drafted;
  const ground = given ?? await InvoiceGround.of(host, tx, tenant, [drafted], isIssue);
  const [account, personal, settings] = [ground.account(accountId), ground.personal(accountId), ground.settingsAt(at)];
  const between = await interimOf(tx, tenant, items);
  const [credited, { interim }] = [{ ...foreseen, ...between.credited, ...await creditedBy(tx, tenant, items) }, between];
  const lines = priceItems(items, pricingOf(drafted, statements, { credited, interim }));
  const taxes = await lineTaxesOf(host.taxes, ground, tx, tenant, lines, items, { customer: customerOf(account, personal), settings, at });
  const coupons = await ground.coupons(accountId, currency, at);
  return { terms: { taxRounding: settings.taxRounding, inclusiveRounding: settings.inclusiveRounding, coupons, ...taxes, credited, interim }, settings, account, personal };
};

type FinalizeJob = Pick<Job<OfInvoice>, 'tenant' | 'payload' | 'clockId' | 'now'>;
/** An invoice to be issued, and when, by which clock. */
type Issuing = Pick<FinalizeJob, 'tenant' | 'clockId' | 'now'> & { readonly invoice: Answered };
/** An invoice that is about to be issued: only its number is missing. */
interface Ready { readonly series: SeriesOf; readonly reactionWith: (number: string) => Reaction }

const isReady = (row: InvoiceRow): boolean => row.status === 'draft' && unstated(row).length === 0;

/** An invoice with what metering has answered of its usage; `stated` is what of that the invoice has not said itself yet. */
interface Answered { readonly row: InvoiceRow; readonly stated: readonly StatedUsage[] }
const withAnswers = async (tx: Tx, tenant: string, rows: readonly InvoiceRow[]): Promise<Answered[]> => {
  const answers = await answersOf(tx, tenant, rows.filter((row) => row.status === 'draft' && unstated(row).length > 0).map(({ invoiceId }) => invoiceId));
  return rows.map((row) => {
    const stated = (answers.get(row.invoiceId) ?? []).filter(({ requestId }) => row.statements[requestId] === undefined);
    return { row: stated.length === 0 ? row : { ...row, statements: { ...row.statements, ...Object.fromEntries(stated.map(({ requestId, statement }) => [requestId, statement])) } }, stated };
  });
};

/** Whether metering has answered for all usage of a draft, be it stated by now or not. */
export const isAnswered = async (tx: Tx, tenant: string, draft: InvoiceRow): Promise<boolean> => (await withAnswers(tx, tenant, [draft])).every(({ row }) => unstated(row).length === 0);

/**
 * Issues an invoice once metering has answered for all its usage. The number is taken in the same transaction, so a failure gives it back. The row is held from the first look on: two runs of this job that overlap would
 * otherwise each take a number.
 */
export const finalizeIn = async (host: BillingHost, tx: Tx, job: FinalizeJob): Promise<Reaction> => {
  const { tenant, payload: { invoiceId } } = job;
  const [answered] = await withAnswers(tx, tenant, [(await heldRow<InvoiceRow>(tx, tenant, invoicesModel, invoiceId))!]) as [Answered];
  const { row } = answered;
  if (!isReady(row)) return {};
  const [behind] = await draftsBehind(tx, tenant, row.drafted.items);
  if (behind !== undefined) throw new Refused('invoice_behind_not_issued', `it gives back a part of ${behind.invoiceId}, which is not issued yet`);
  const made = await prepare(host, tx, { ...job, invoice: answered }, await InvoiceGround.of(host, tx, tenant, [row.drafted], true));
  return 'reactionWith' in made ? made.reactionWith(await nextNumber(tx, tenant, made.series)) : made;
};

/** Several at once, in the order of the jobs: numbers are taken last, so many of each series at a time. What gives back parts of other invoices, or was billed in between, is left out: those look at more than themselves. */
export const finalizeAll = async <J extends FinalizeJob & { readonly id: string }>(host: BillingHost, tx: Tx, jobs: readonly J[]): Promise<Map<string, Reaction>> => {
  const { tenant } = jobs[0]!;
  const held = await heldRows<InvoiceRow>(tx, tenant, invoicesModel, jobs.map(({ payload: { invoiceId } }) => invoiceId));
  const invoices = new Map((await withAnswers(tx, tenant, [...held.values()])).map((one) => [one.row.invoiceId, one]));
  const reactions = new Map<string, Reaction>();
  const plain = jobs.filter(({ id, payload: { invoiceId } }) => {
    const { row } = invoices.get(invoiceId)!;
    if (!isReady(row)) { reactions.set(id, {}); return false; }
    return row.drafted.items.every(({ credits, interimInvoices }) => credits === undefined && interimInvoices === undefined);
  });
  const issued = await issueAll(host, tx, tenant, plain.map(({ payload: { invoiceId }, ...job }) => ({ ...job, invoice: invoices.get(invoiceId)! })));
  return new Map([...reactions, ...plain.map(({ id, payload: { invoiceId } }) => [id, issued.get(invoiceId)!] as const)]);
};

/** Drafts of this transaction that ask metering for nothing and give nothing back, issued as soon as they are made; by invoice. */
export const issueDrafts = (host: BillingHost, tx: Tx, tenant: string, drafts: readonly (Pick<FinalizeJob, 'clockId' | 'now'> & { readonly draft: Draft })[]): Promise<ReadonlyMap<string, Reaction>> =>
  issueAll(host, tx, tenant, drafts.map(({ draft, clockId, now }) => ({ tenant, clockId, now, invoice: { row: draftedRow({ ...draft, type: 'InvoiceDrafted', draftedAt: now }), stated: [] } })));

const issueAll = async (host: BillingHost, tx: Tx, tenant: string, all: readonly Issuing[]): Promise<ReadonlyMap<string, Reaction>> => {
  const reactions = new Map<string, Reaction>();
  if (all.length === 0) return reactions;
  const ground = await InvoiceGround.of(host, tx, tenant, all.map(({ invoice: { row } }) => row.drafted), true);
  const ready: { readonly invoiceId: string; readonly made: Ready }[] = [];
  for (const one of all) {
    const { invoiceId } = one.invoice.row;
    const made = await prepare(host, tx, one, ground);
    if ('reactionWith' in made) ready.push({ invoiceId, made });
    else reactions.set(invoiceId, made);
  }
  for (const own of Map.groupBy(ready, ({ made: { series } }) => JSON.stringify(series)).values()) {
    const numbers = await nextNumbers(tx, tenant, own[0]!.made.series, own.length);
    for (const [nth, { invoiceId, made }] of own.entries()) reactions.set(invoiceId, made.reactionWith(numbers[nth]!));
  }
  return reactions;
};

const prepare = async (host: BillingHost, tx: Tx, { tenant, clockId, now, invoice: { row, stated } }: Issuing, ground: InvoiceGround): Promise<Ready | Reaction> => {
  const { invoiceId } = row;
  const { drafted } = row;
  const { accountId, currency } = drafted;
  const { terms, settings, account, personal } = await termsFor(host, tx, tenant, drafted, statementsOf(row), { at: now, isIssue: true, ground });
  const issue = issueInvoice(drafted, statementsOf(row), terms);
  const billTo = billToOf(personal, account);
  const before = stated.length === 0 ? [] : [followIdempotent(invoiceDecider, { type: 'StateUsage', invoiceId, stated, at: now })];
  const notes = await issueNotes(tx, tenant, issue.notes, { drafted, now, clockId, billTo });
  const balance = ground.balance(accountId, currency).add(notes.toBalance);
  const money = issue.invoiceWith(balance);
  const isNothing = money === undefined || (money.lines.every(({ amount }) => Money.parse(amount, currency).isZero()) && settings.zeroAmountInvoices === 'skip');
  ground.setBalance(accountId, currency, isNothing ? balance : balance.subtract(Money.parse(money.creditApplied, currency)));
  if (isNothing) return { commands: [...before, ...notes.commands, followIdempotent(invoiceDecider, { type: 'DropInvoice', invoiceId, reason: money === undefined ? 'given back by credit notes' : 'nothing to bill', at: now })] };
  await useDiscounts(tx, tenant, invoiceId, issue.usedRedemptions);
  const seller = await ground.seller(drafted.entityKey ?? account.entityKey);
  const used = Money.parse(money.creditApplied, currency);
  const originals = await creditOriginals(tx, tenant, money.lines, invoiceId, now);
  const finalize = (number: string): FinalizeInvoice => ({
    type: 'FinalizeInvoice', invoiceId, number, dueAt: dueAfter(now, account.paymentTerms ?? settings.paymentTerms, drafted.zone), terms, balance: balance.toString(), billTo, ...onDocument(account, seller), at: now,
    ...(seller === undefined ? {} : { entityKey: seller.entityKey, seller: sellerOf(seller) }),
  });
  const balances = used.isZero() ? [] : [follow(balanceDecider, used.isPositive() ? { type: 'UseBalance', accountId, currency, amount: used.toString(), invoiceId, at: now }
    : { type: 'CreditBalance', accountId, currency, amount: used.negate().toString(), source: 'credit_note', sourceId: invoiceId, at: now })];
  return { series: { kind: 'invoice', entityKey: seller?.entityKey, clockId }, reactionWith: (number) => ({ commands: [...before, ...notes.commands, ...originals, followIdempotent(invoiceDecider, finalize(number)), ...balances] }) };
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
    const original = (await heldRow<InvoiceRow>(tx, tenant, invoicesModel, part.invoiceId))!;
    const lines = noteLines(original, part);
    if (lines.length === 0) continue;
    const note = await issueNote(tx, tenant, original, { creditNoteId: derivedId('cn', drafted.invoiceId, part.invoiceId), lines, settlement: 'balance', reason: 'a change of the subscription', billTo }, { at: now, clockId });
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
