import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { ApiClient } from '../http/api-client';
import type { Explanation } from './explanation-text';
import { invoiceText, type Invoice } from './invoice-text';
import { print, sessionOf } from './print';
import { Missing } from './session';

const INVOICES = '/api/v1/billing/invoices';
const LINES_AT_ONCE = 100;
const EXPLAINED_AT_ONCE = 8;

interface Page<T> { readonly data: readonly T[]; readonly nextCursor?: string | null }

const find = async (api: ApiClient, idOrNumber: string): Promise<Invoice> => {
  if (idOrNumber.startsWith('inv_')) return api.get<Invoice>(`${INVOICES}/${encodeURIComponent(idOrNumber)}`);
  const { data } = await api.get<Page<Invoice>>(`${INVOICES}?number=${encodeURIComponent(idOrNumber)}`);
  if (data.length > 1) throw new Missing(`${data.length} invoices have the number ${idOrNumber}, each in the series of its own test clock`, `vv invoice explain ${data[0]!.id}`);
  if (data[0] === undefined) throw new Missing(`there is no invoice ${idOrNumber}`, 'vv invoice list');
  return data[0];
};

/** Of all lines, those beyond the first ones too. */
const lineIds = async (api: ApiClient, { id, lines, hasMore }: Invoice): Promise<string[]> => {
  if (!hasMore) return lines.map((line) => line.id);
  const ids: string[] = [];
  for (let cursor: string | null | undefined = ''; cursor !== undefined && cursor !== null;) {
    const page: Page<{ readonly id: string }> = await api.get(`${INVOICES}/${id}/lines?limit=${LINES_AT_ONCE}${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
    ids.push(...page.data.map((line) => line.id));
    cursor = page.nextCursor;
  }
  return ids;
};

const explain = async (api: ApiClient, invoice: Invoice): Promise<Explanation[]> => {
  const ids = await lineIds(api, invoice);
  const explained: Explanation[] = [];
  for (let from = 0; from < ids.length; from += EXPLAINED_AT_ONCE) {
    explained.push(...await Promise.all(ids.slice(from, from + EXPLAINED_AT_ONCE).map((lineId) => api.get<Explanation>(`${INVOICES}/${invoice.id}/lines/${lineId}/explanation`))));
  }
  return explained;
};

export const addInvoices = (program: Command): void => {
  const invoice = program.command('invoice').description('Invoices');
  const save = async (command: Command, which: string, kind: 'pdf' | 'lines.csv', out: string | undefined): Promise<void> => {
    const api = sessionOf(command).tenant();
    const found = await find(api, which);
    const file = out ?? (kind === 'pdf' ? `${found.number ?? found.id}.pdf` : `${found.number ?? found.id}-lines.csv`);
    writeFileSync(file, await api.bytes(`${INVOICES}/${found.id}/${kind}`));
    print(command, { file }, () => [file]);
  };
  invoice.command('list').option('--account <account>').action(async ({ account }: { account?: string }, command: Command) => {
    const { data } = await sessionOf(command).tenant().get<Page<Invoice>>(`${INVOICES}${account === undefined ? '' : `?accountId=${account}`}`);
    print(command, data, () => data.map(({ id, number, issuedAt, total, currency, paymentStatus }) => `${id}  ${number ?? 'draft'}  ${issuedAt ?? ''}  ${total} ${currency}  ${paymentStatus}`));
  });
  invoice.command('explain <invoice>').description('Why it says what it says: every line with its arithmetic, and how they come to the total').action(async (which: string, _, command: Command) => {
    const api = sessionOf(command).tenant();
    const found = await find(api, which);
    if (found.issuedAt === undefined) throw new Missing(`${which} is a draft: its lines are not final yet`, 'vv invoice list');
    const explained = await explain(api, found);
    print(command, { invoice: found, lines: explained }, () => invoiceText(found, explained));
  });
  invoice.command('pdf <invoice>').description('The document').option('--out <file>').action((which: string, { out }: { out?: string }, command: Command) => save(command, which, 'pdf', out));
  invoice.command('lines <invoice>').description('Its lines as CSV').option('--out <file>').action((which: string, { out }: { out?: string }, command: Command) => save(command, which, 'lines.csv', out));
};
