import { earlierOf, type Instant } from '@valueverse/kernel';
import type { CitedStatement, CreditedLine, InvoiceLine, UsageReader } from '@valueverse/contracts';
import type { Tx } from '@valueverse/event-log';
import { balanceOf } from '../balances/balance.model';
import type { BillingHost } from '../billing-host';
import type { Draft } from './bill-subscription';
import { issueInvoice, type InvoiceMoney, type Issue } from './domain/issue-invoice';
import { creditedLineOf, draftsBehind, termsFor } from './finalize-invoice';
import { lineToApi } from './invoice-api';

export interface Live { readonly statements: ReadonlyMap<string, CitedStatement>; readonly asOf: Instant | undefined }

/** Metering's live numbers in the place of statements that are not there yet. */
export const liveStatements = async (usage: UsageReader, tenant: string, { requests }: Pick<Draft, 'requests'>): Promise<Live> => {
  const statements = new Map<string, CitedStatement>();
  let asOf: Instant | undefined;
  for (const { requestId, meterKey, usage: spans, groupBy, period, terms } of requests) {
    const answer = await usage.quantities(tenant, { meterKey, usage: spans, groupBy, period, terms });
    asOf = asOf === undefined ? answer.asOf : earlierOf(asOf, answer.asOf);
    statements.set(requestId, { statementId: requestId, quantities: answer.quantities, asOf: {}, evidence: '' });
  }
  return { statements, asOf };
};

export interface Preview { readonly money: InvoiceMoney | undefined; readonly notes: Issue['notes']; readonly asOf: Instant | undefined }

type Previewed = Pick<Draft, 'invoiceId' | 'accountId' | 'kind' | 'currency' | 'rounding' | 'items' | 'requests'>;

/** What a draft would come to if it were issued at an instant, by the same functions as the invoice itself; nothing is stored. */
export const previewDraft = async (host: BillingHost, tenant: string, draft: Previewed, at: Instant): Promise<Preview> => {
  const behind = draft.items.every(({ credits }) => credits === undefined) ? [] : await host.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => draftsBehind(tx, tenant, draft.items));
  const foreseen: Record<string, CreditedLine> = {};
  for (const { drafted } of behind) {
    const { money } = await previewDraft(host, tenant, drafted, drafted.finalizeAt);
    for (const line of money?.lines ?? []) foreseen[line.lineId] = creditedLineOf(line, undefined, drafted.currency);
  }
  const live = await liveStatements(host.usage, tenant, draft);
  return host.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => previewIn(host, tx, tenant, draft, live, at, foreseen));
};

/** The same inside a transaction, with what metering has said; nobody is asked while a connection is held. */
export const previewIn = async (host: BillingHost, tx: Tx, tenant: string, draft: Previewed, { statements, asOf }: Live, at: Instant, foreseen: Readonly<Record<string, CreditedLine>> = {}): Promise<Preview> => {
  const { terms } = await termsFor(host, tx, tenant, draft, statements, { at, isIssue: false, foreseen });
  const issue = issueInvoice(draft, statements, terms);
  return { money: issue.invoiceWith(await balanceOf(tx, tenant, draft.accountId, draft.currency)), notes: issue.notes, asOf };
};

const noLines = (zero: string): Omit<InvoiceMoney, 'totalSteps'> => ({ lines: [], subtotal: zero, discountTotal: zero, taxTotal: zero, total: zero, creditApplied: zero, amountDue: zero });

/** A preview as it is answered. What would be given back by credit notes stands beside it. */
export const previewToApi = ({ money, notes, asOf }: Preview, zero: string): Record<string, unknown> => {
  const { lines, ...sums } = money ?? noLines(zero);
  return {
    ...(asOf === undefined ? {} : { usageAsOf: asOf }), lines: lines.map((line) => lineToApi(line)), ...sums,
    creditNotes: notes.map(({ invoiceId, lines: given }) => ({ invoiceId, lines: given.map(({ line }: { line: InvoiceLine }) => lineToApi(line)) })),
  };
};
