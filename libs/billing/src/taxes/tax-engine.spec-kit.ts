import type { TaxRateSpec } from './domain/tax-rate-shape';
import type { LineTaxes, TaxableLine, TaxQuestion } from './tax-engine';

/** An engine with the rates of a spec in it, whatever it keeps them in. */
export interface TaxEngineBed { ask(question: TaxQuestion): Promise<readonly LineTaxes[]> }
/** A new bed with these rates; those with `isArchived` were archived afterwards. */
export type MakeTaxEngineBed = (rates: readonly (TaxRateSpec & { readonly isArchived?: boolean })[]) => Promise<TaxEngineBed>;

const AT = '2026-06-15T12:00:00Z';
const GERMANY = { country: 'DE' };
const rate = (key: string, percent: string, more: Partial<TaxRateSpec> = {}): TaxRateSpec => ({ key, name: key, rate: percent, ...more });
const line = (lineId: string, more: Omit<TaxableLine, 'lineId'> = {}): TaxableLine => ({ lineId, ...more });
const question = (lines: readonly TaxableLine[], customer: TaxQuestion['customer'] = { address: GERMANY }, more: Partial<TaxQuestion> = {}): TaxQuestion => ({ customer, lines, settingsRateKeys: [], at: AT, ...more });
const said = (answers: readonly LineTaxes[]): string[] => answers.map(({ lineId, rates, reason }) => `${lineId} ${reason} ${rates.map((one) => `${one.key}=${one.rate}`).join('+')}`.trim());

const RATES = [
  rate('de', '19', { jurisdiction: GERMANY }), rate('de-reduced', '7', { jurisdiction: GERMANY, taxCode: 'books' }), rate('ca', '5', { jurisdiction: { country: 'CA' } }),
  rate('ca-qc', '9.975', { jurisdiction: { country: 'CA', state: 'QC' } }), rate('ca-qc-books', '0', { jurisdiction: { country: 'CA', state: 'QC' }, taxCode: 'books' }), rate('own', '3.5'), rate('other', '1'),
];

const addressSpecs = (make: MakeTaxEngineBed): void => {
  test('each line has one answer, in the order of the lines', async () => {
    const bed = await make(RATES);
    const lines = ['c', 'a', 'b', 'a2'].map((lineId) => line(lineId));
    expect((await bed.ask(question(lines))).map(({ lineId }) => lineId)).toEqual(['c', 'a', 'b', 'a2']);
    expect(await bed.ask(question([]))).toEqual([]);
  });
  test('a line has the rates of the address, those of its tax code in the place of the general ones', async () => {
    const bed = await make(RATES);
    expect(said(await bed.ask(question([line('1'), line('2', { taxCode: 'books' }), line('3', { taxCode: 'music' })])))).toEqual(['1 address de=19', '2 address de-reduced=7', '3 address de=19']);
  });
  test('a state has its rates beside those of its country, each by its own codes', async () => {
    const bed = await make(RATES);
    const of = async (state?: string): Promise<string[]> => said(await bed.ask(question([line('1'), line('2', { taxCode: 'books' })], { address: { country: 'CA', ...(state === undefined ? {} : { state }) } })));
    expect(await of('QC')).toEqual(['1 address ca=5+ca-qc=9.975', '2 address ca=5+ca-qc-books=0']);
    expect(await of('ON')).toEqual(['1 address ca=5', '2 address ca=5']);
    expect(await of()).toEqual(['1 address ca=5', '2 address ca=5']);
  });
  test('where there is no address or no rate there is no tax, and it is said', async () => {
    const bed = await make(RATES);
    expect(said(await bed.ask(question([line('1')], {})))).toEqual(['1 none']);
    expect(said(await bed.ask(question([line('1')], { address: { country: 'FR' } })))).toEqual(['1 none']);
    expect(said(await (await make([])).ask(question([line('1')])))).toEqual(['1 none']);
  });
  test('a rate is valid from its first instant to the one before its end', async () => {
    const bed = await make([rate('old', '16', { jurisdiction: GERMANY, validTo: AT }), rate('new', '19', { jurisdiction: GERMANY, validFrom: AT })]);
    const at = async (instant: string): Promise<string[]> => said(await bed.ask(question([line('1'), line('2', { chargeRateKeys: ['new', 'old'] })], { address: GERMANY }, { at: instant })));
    expect(await at('2026-06-15T11:59:59.999999Z')).toEqual(['1 address old=16', '2 named old=16']);
    expect(await at(AT)).toEqual(['1 address new=19', '2 named new=19']);
  });
};

const namedSpecs = (make: MakeTaxEngineBed): void => {
  test('the nearest keys win: charge, plan, account, settings, and then the address', async () => {
    const bed = await make(RATES);
    const [charge, plan, account, settings] = [{ chargeRateKeys: ['own'] }, { planRateKeys: ['other'] }, { taxRateKeys: ['ca'] }, { settingsRateKeys: ['ca-qc'] }];
    const asked = async (own: object, customer: object, more: object): Promise<string> => said(await bed.ask(question([line('1', own)], { address: GERMANY, ...customer }, more)))[0]!;
    expect(await asked({ ...charge, ...plan }, account, settings)).toBe('1 named own=3.5');
    expect(await asked(plan, account, settings)).toBe('1 named other=1');
    expect(await asked({}, account, settings)).toBe('1 named ca=5');
    expect(await asked({}, {}, settings)).toBe('1 named ca-qc=9.975');
    expect(await asked({ chargeRateKeys: [] }, { taxRateKeys: [] }, {})).toBe('1 address de=19');
  });
  test('several rates are named in their order, each once, and lines do not mix', async () => {
    const bed = await make(RATES);
    expect(said(await bed.ask(question([line('1', { chargeRateKeys: ['own', 'de', 'own'] }), line('2'), line('3', { planRateKeys: ['other'] })])))).toEqual(['1 named own=3.5+de=19', '2 address de=19', '3 named other=1']);
  });
  test('what is named and not valid is no tax, and not another one', async () => {
    const bed = await make([...RATES, rate('ended', '16', { validTo: AT })]);
    expect(await bed.ask(question([line('1', { chargeRateKeys: ['ended'] }), line('2', { chargeRateKeys: ['ended', 'own'] })]))).toEqual([
      { lineId: '1', rates: [], reason: 'not_valid', detail: 'ended' }, { lineId: '2', rates: [{ key: 'own', name: 'own', rate: '3.5' }], reason: 'named' },
    ]);
  });
  test('an archived rate is found by address no more, and goes on where it is named', async () => {
    const bed = await make([{ ...rate('de', '19', { jurisdiction: GERMANY }), isArchived: true }]);
    expect(said(await bed.ask(question([line('1'), line('2', { planRateKeys: ['de'] })])))).toEqual(['1 none', '2 named de=19']);
  });
  test('who is exempt or accounts for the tax has none, whatever is named, with the reason', async () => {
    const bed = await make(RATES);
    const lines = [line('1'), line('2', { chargeRateKeys: ['own'] })];
    expect(await bed.ask(question(lines, { address: GERMANY, exemption: { reason: 'certificate 17' }, isReverseCharge: true }))).toEqual(
      ['1', '2'].map((lineId) => ({ lineId, rates: [], reason: 'exempt', detail: 'certificate 17' })));
    expect(said(await bed.ask(question(lines, { address: GERMANY, isReverseCharge: true })))).toEqual(['1 reverse_charge', '2 reverse_charge']);
  });
  test('the same question has the same answer, in whatever order the rates were made', async () => {
    const asked = question([line('1'), line('2', { taxCode: 'books', planRateKeys: ['other', 'own'] })], { address: { country: 'CA', state: 'QC' } });
    const [bed, turned] = [await make(RATES), await make([...RATES].reverse())];
    const answer = await bed.ask(asked);
    expect(await bed.ask(asked)).toEqual(answer);
    expect(await turned.ask(asked)).toEqual(answer);
  });
};

/** What every tax engine does. An engine with another source of rates gets them from the bed's rates. */
export const taxEngineSpecs = (name: string, make: MakeTaxEngineBed): void => {
  describe(`${name}: by address`, () => addressSpecs(make));
  describe(`${name}: by name`, () => namedSpecs(make));
};
