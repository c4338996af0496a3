import { BillingBed } from '../billing-bed.spec-kit';

const TIMEOUT_MS = 30_000;
let bed: BillingBed;
beforeAll(async () => { bed = await BillingBed.make(); }, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

test('of patches that come at once each changes what it names and nothing else', async () => {
  const tenant = await bed.tenant();
  const { id } = await tenant.account();
  const patches = { email: 'billing@acme.example', taxId: 'DE123456789', language: 'de', paymentTerms: 'P14D', consolidate: true, reverseCharge: true, name: 'Acme Inc', timezone: 'Europe/Berlin' };
  const answers = await Promise.all(Object.entries(patches).map(([name, value]) => tenant.ask('PATCH', `accounts/${id}`, { [name]: value })));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  expect((await tenant.get(`accounts/${id}`)).body).toMatchObject(patches);
}, TIMEOUT_MS);
