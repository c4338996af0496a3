import type { BillingSettings } from '@valueverse/contracts';
import { given } from '@valueverse/testing';
import { BillingBed, faultsOf } from '../billing-bed.spec-kit';
import { DEFAULT_SETTINGS, settings, SETTINGS_VERSIONS_MAX, settingsInForce, type ChangeSettings } from './domain/settings.decider';
import { settingsAt } from './settings.model';

const TIMEOUT_MS = 60_000;
const AT = '2026-06-15T12:00:00Z';
const EVEN: BillingSettings = { ...DEFAULT_SETTINGS, rounding: 'half_even' };
const change = (said = EVEN, validFrom?: string, at = AT): ChangeSettings => ({ type: 'ChangeSettings', settings: said, at, ...(validFrom === undefined ? {} : { validFrom }) });
const changed = (said = EVEN, validFrom?: string, changedAt = AT) => ({ type: 'BillingSettingsChanged' as const, settings: said, changedAt, ...(validFrom === undefined ? {} : { validFrom }) });

describe('what is said', () => {
  test('first is in force from the beginning, later from its moment on, or from when it says', () => {
    given(settings).when(change()).then(changed());
    given(settings, changed()).when(change(DEFAULT_SETTINGS)).then(changed(DEFAULT_SETTINGS, AT));
    given(settings, changed()).when(change(DEFAULT_SETTINGS, '2026-01-01T00:00:00Z')).then(changed(DEFAULT_SETTINGS, '2026-01-01T00:00:00Z'));
  });
  test('again changes nothing', () => {
    given(settings, changed()).when(change()).then();
    given(settings, changed(EVEN, '2026-01-01T00:00:00Z')).when(change()).then();
    given(settings, changed(EVEN, '2027-01-01T00:00:00Z')).when(change(EVEN, '2027-01-01T00:00:00Z')).then();
  });
  test('now is said although the same comes later, or came before something else', () => {
    given(settings, changed(EVEN, '2027-01-01T00:00:00Z')).when(change()).then(changed(EVEN, AT));
    given(settings, changed(), changed(DEFAULT_SETTINGS, '2026-01-01T00:00:00Z')).when(change()).then(changed(EVEN, AT));
  });
  test('is not said without end', () => {
    const said = Array.from({ length: SETTINGS_VERSIONS_MAX }, (_, nth) => changed(nth % 2 === 0 ? EVEN : DEFAULT_SETTINGS, AT));
    given(settings, ...said).when(change(EVEN)).thenRefused('too_many_versions');
    given(settings, ...said.slice(1)).when(change(EVEN)).then(changed(EVEN, AT));
  });
  test('is in force by its time, and of two that begin together the later word counts', () => {
    const words = [{ settings: DEFAULT_SETTINGS, changedAt: AT }, { settings: EVEN, validFrom: '2026-03-01T00:00:00Z', changedAt: AT }, { settings: { ...EVEN, paymentTerms: 'P7D' }, validFrom: '2026-02-01T00:00:00Z', changedAt: AT },
      { settings: { ...EVEN, paymentTerms: 'P9D' }, validFrom: '2026-03-01T00:00:00Z', changedAt: AT }];
    expect(['2000-01-01T00:00:00Z', '2026-02-28T23:59:59Z', '2026-03-01T00:00:00Z'].map((at) => settingsInForce(words, at)?.settings.paymentTerms)).toEqual(['P0D', 'P7D', 'P9D']);
    expect(settingsInForce(words.slice(1), '2026-01-31T00:00:00Z')).toBeUndefined();
  });
});

describe('over HTTP', () => {
  let bed: BillingBed;
  beforeAll(async () => { bed = await BillingBed.make(); }, TIMEOUT_MS);
  afterAll(() => bed.close(), TIMEOUT_MS);

  test('a tenant that says nothing has the defaults', async () => {
    const tenant = await bed.tenant();
    expect((await tenant.get('settings')).body).toEqual({ ...DEFAULT_SETTINGS, validFrom: null, changedAt: null });
    expect(await tenant.transact((tx) => settingsAt(tx, tenant.name, AT))).toEqual(DEFAULT_SETTINGS);
  });

  test('settings are put as a whole, by time, and invoices of any time find theirs', async () => {
    const tenant = await bed.tenant();
    await tenant.made('tax-rates', { key: 'de', name: 'MwSt', rate: '19' });
    const put = (body: object) => tenant.ask('PUT', 'settings', body);
    expect((await put({ paymentTerms: 'P14D', taxRateKeys: ['de'] })).body).toMatchObject({ ...DEFAULT_SETTINGS, paymentTerms: 'P14D', taxRateKeys: ['de'], validFrom: null });
    expect((await put({ rounding: 'half_even', validFrom: '2030-01-01T01:00:00+01:00' })).body).toMatchObject({ ...DEFAULT_SETTINGS, rounding: 'half_even', validFrom: '2030-01-01T00:00:00Z' });
    const at = async (instant: string): Promise<unknown> => { const { rounding, paymentTerms } = (await tenant.get(`settings?at=${instant}`)).body; return [rounding, paymentTerms]; };
    expect([await at('2000-01-01T00:00:00Z'), await at('2029-12-31T23:59:59Z'), await at('2030-01-01T00:00:00Z')]).toEqual([['half_up', 'P14D'], ['half_up', 'P14D'], ['half_even', 'P0D']]);
    expect((await tenant.get('settings/versions')).body.data.map((one: { validFrom: string }) => one.validFrom)).toEqual([null, '2030-01-01T00:00:00Z']);
    expect((await tenant.transact((tx) => settingsAt(tx, tenant.name, '2031-01-01T00:00:00Z'))).rounding).toBe('half_even');
    const stranger = await bed.tenant();
    expect((await stranger.get('settings')).body.paymentTerms).toBe('P0D');
  });

  test.each<[string, object, string]>([
    ['another rounding', { rounding: 'up' }, '400 | invalid_request | /rounding invalid_value'], ['a grace period in days', { gracePeriod: 'P1D' }, '400 | invalid_request | /gracePeriod invalid_duration'],
    ['a grace period that ends before it begins', { gracePeriod: '-PT1H' }, '400 | invalid_request | /gracePeriod invalid_duration'], ['a grace period beyond a month', { gracePeriod: 'PT745H' }, '400 | invalid_request | /gracePeriod invalid_duration'],
    ['terms in months', { paymentTerms: 'P1M' }, '400 | invalid_request | /paymentTerms invalid_duration'], ['terms without end', { paymentTerms: 'P366D' }, '400 | invalid_request | /paymentTerms invalid_duration'],
    ['terms as a number', { paymentTerms: 14 }, '400 | invalid_request | /paymentTerms invalid_duration'], ['a tax rate that is none', { taxRateKeys: ['none'] }, '404 | tax_rate_not_found | /taxRateKeys/0 tax_rate_not_found'],
    ['all that is wrong', { rounding: 1, zeroAmountInvoices: 'never', more: 1 }, '400 | invalid_request | /rounding invalid_value | /zeroAmountInvoices invalid_value | /more unknown_field'], ['a list', [], '400 | invalid_request |  object_expected'],
  ])('%s is refused, and nothing changes', async (_, body, fault) => {
    const tenant = await bed.tenant();
    expect(faultsOf(await tenant.ask('PUT', 'settings', body))).toBe(fault);
    expect((await tenant.get('settings/versions')).body.data).toEqual([]);
  });
});
