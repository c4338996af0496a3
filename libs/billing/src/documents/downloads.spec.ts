import { eventually } from '@valueverse/testing';
import { BillingBed, faultsOf, type Tenant } from '../billing-bed.spec-kit';

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
