import { BillingBed, faultsOf } from '../billing-bed.spec-kit';
import { builtInEngine } from './built-in-engine';
import { builtInTaxes } from './domain/built-in-taxes';
import { taxEngineSpecs } from './tax-engine.spec-kit';

const TIMEOUT_MS = 60_000;
let bed: BillingBed;
beforeAll(async () => { bed = await BillingBed.make(); }, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

taxEngineSpecs('the rule alone', async (rates) => ({ ask: async (question) => builtInTaxes(rates.map(({ isArchived = false, ...rate }) => ({ ...rate, isArchived })), question) }));

taxEngineSpecs('the built-in engine, with rates made by requests', async (rates) => {
  const tenant = await bed.tenant();
  for (const { isArchived, ...rate } of rates) {
    await tenant.made('tax-rates', rate);
    if (isArchived === true) await tenant.made(`tax-rates/${rate.key}/archive`, {});
  }
  return { ask: (question) => tenant.transact((tx) => builtInEngine.taxesOf(tx, tenant.name, question)) };
});

test('rates of another tenant are not found', async () => {
  const [tenant, stranger] = [await bed.tenant(), await bed.tenant()];
  await stranger.made('tax-rates', { key: 'de', name: 'MwSt', rate: '19', jurisdiction: { country: 'DE' } });
  const answers = await tenant.transact((tx) => builtInEngine.taxesOf(tx, tenant.name, { customer: { address: { country: 'DE' } }, lines: [{ lineId: '1', chargeRateKeys: ['de'] }, { lineId: '2' }], settingsRateKeys: [], at: '2026-01-01T00:00:00Z' }));
  expect(answers.map(({ reason }) => reason)).toEqual(['not_valid', 'none']);
});

test.each<[string, object, string]>([
  ['a rate below zero', { rate: '-1' }, '/rate below_minimum'], ['a rate as a number', { rate: 19 }, '/rate decimal_string_expected'], ['a country that is none', { jurisdiction: { country: 'de' } }, '/jurisdiction/country invalid_value'],
  ['a state of no country', { jurisdiction: { state: 'QC' } }, '/jurisdiction/country missing_field'], ['an end before the start', { validFrom: '2026-02-01T00:00:00Z', validTo: '2026-01-01T00:00:00Z' }, '/validTo end_before_start'],
  ['no name', { name: undefined }, '/name missing_field'], ['a field that is none', { percent: '19' }, '/percent unknown_field'],
])('%s is refused', async (_, change, fault) => expect(faultsOf(await (await bed.tenant()).post('tax-rates', { key: 'bad', name: 'Bad', rate: '19', ...change }))).toBe(`400 | invalid_request | ${fault}`));
