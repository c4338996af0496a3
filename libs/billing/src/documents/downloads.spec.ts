import { eventually } from '@valueverse/testing';
import { BillingBed, faultsOf, type Tenant } from '../billing-bed.spec-kit';
import { readPdf, rowsOf } from './pdf/pdf-text.spec-kit';

const TIMEOUT_MS = 60_000;
let bed: BillingBed;
beforeAll(async () => { bed = await BillingBed.make(); }, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

/** An invoice of lines by hand, issued. */
const issued = async (tenant: Tenant, accountId: string, lines: readonly object[], more: object = {}): Promise<{ id: string; number: string }> => {
  const { id } = await tenant.made('invoices', { accountId, lines, ...more });
  return eventually('the invoice to be issued', async (saw) => {
    const { body } = await tenant.get(`invoices/${id}`);
    saw(body);
    return body.status === 'finalized' ? body : undefined;
  });
};

test('an issued invoice can be had as PDF and its lines as CSV; a draft has neither, nor has what is not there or is of another tenant', async () => {
  const tenant = await bed.tenant();
  const account = await tenant.account();
  const { id, number } = await issued(tenant, account.id, [{ description: '=Setup, "all in"', amount: '100.00' }]);
  const pdf = await tenant.file(`invoices/${id}/pdf`);
  expect([pdf.status, pdf.headers.get('content-type'), pdf.headers.get('content-disposition'), pdf.content.subarray(0, 5).toString()]).toEqual([200, 'application/pdf', `inline; filename="${number}.pdf"`, '%PDF-']);
  const csv = await tenant.file(`invoices/${id}/lines.csv`);
  expect([csv.status, csv.headers.get('content-type'), csv.headers.get('content-disposition')]).toEqual([200, 'text/csv; charset=utf-8', `inline; filename="${number}-lines.csv"`]);
  expect(csv.content.toString()).toContain(`,one_off,"'=Setup, ""all in""",`);
  const draft = await tenant.made('invoices', { accountId: account.id, lines: [{ description: 'later', amount: '1.00' }], finalize: 'by_hand' });
  const other = await bed.tenant();
  for (const what of ['pdf', 'lines.csv']) {
    expect(faultsOf(await tenant.get(`invoices/${draft.id}/${what}`))).toBe('409 | invoice_is_draft');
    expect(faultsOf(await tenant.get(`invoices/inv_none/${what}`))).toBe('404 | invoice_not_found');
    expect(faultsOf(await other.get(`invoices/${id}/${what}`))).toBe('404 | invoice_not_found');
  }
}, TIMEOUT_MS);

test('a document has the language of its account and the look of its seller as they were, and a void one says so', async () => {
  const tenant = await bed.tenant();
  const define = (name: string): Promise<unknown> => tenant.ask('PUT', 'entities/berlin', { name, address: { city: 'Berlin', country: 'DE' }, taxId: 'DE123', pageSize: 'Letter', accentColor: '#0055aa', footer: 'HRB 1', language: 'en', isDefault: true });
  await define('Wolke GmbH');
  const account = await tenant.account({ language: 'de', taxId: 'ATU1', reverseCharge: true });
  const { id } = await issued(tenant, account.id, [{ description: 'Einrichtung', amount: '1000.00' }], { memo: 'Danke' });
  await define('Nebel GmbH');
  const rows = async (): Promise<{ width: number; rows: string[] }> => {
    const [page] = readPdf((await tenant.file(`invoices/${id}/pdf`)).content).pages;
    return { width: page!.width, rows: rowsOf(page!) };
  };
  expect(await rows()).toMatchObject({ width: 612, rows: expect.arrayContaining(['Wolke GmbH', 'USt-IdNr. ATU1', 'Einrichtung | 1 | 1.000,00', 'Steuerschuldnerschaft des Leistungsempfängers (Reverse Charge).', 'Danke', 'HRB 1']) as string[] });
  expect((await tenant.post(`invoices/${id}/void`, { reason: 'wrong' })).status).toBe(200);
  expect((await rows()).rows.some((row) => row.startsWith('Storniert am '))).toBe(true);
}, TIMEOUT_MS);

test('a credit note can be had as PDF', async () => {
  const tenant = await bed.tenant();
  const account = await tenant.account();
  const { id, number } = await issued(tenant, account.id, [{ description: 'Setup', amount: '100.00' }]);
  const note = await tenant.made('credit-notes', { invoiceId: id, amount: '40.00', reason: 'half of it' });
  const { status, headers, content } = await tenant.file(`credit-notes/${note.id}/pdf`);
  expect([status, headers.get('content-type'), headers.get('content-disposition')]).toEqual([200, 'application/pdf', `inline; filename="${note.number}.pdf"`]);
  expect(readPdf(content).pages.flatMap(rowsOf)).toEqual(expect.arrayContaining(['Credit note', 'Reason | half of it', 'Setup | 40.00', `Taken off what is due on ${number} | 40.00`]));
  expect(faultsOf(await tenant.get('credit-notes/cn_none/pdf'))).toBe('404 | credit_note_not_found');
  expect(faultsOf(await (await bed.tenant()).get(`credit-notes/${note.id}/pdf`))).toBe('404 | credit_note_not_found');
}, TIMEOUT_MS);

test('a credit note has a number of the series of the seller who issued the invoice, also where the account says who sells', async () => {
  const tenant = await bed.tenant();
  await tenant.ask('PUT', 'entities/north', { name: 'North Ltd', numberPrefix: 'NO' });
  const account = await tenant.account({ entityKey: 'north' });
  const { id, number } = await issued(tenant, account.id, [{ description: 'Setup', amount: '100.00' }]);
  const note = await tenant.made('credit-notes', { invoiceId: id, amount: '40.00', reason: 'half of it' });
  expect([number, note.number]).toEqual(['NO-INV-000001', 'NO-CN-000001']);
}, TIMEOUT_MS);
