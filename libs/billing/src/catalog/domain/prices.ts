import { Money, Refused } from '@valueverse/kernel';
import { isFeePrice, parsePrice, pointerTo, pricingModels, type Fault, type Price } from '@valueverse/rating';
import { anything, currencyCode, key, mapOf, type Shape } from './shape';

/** The most currencies that a charge may have prices in, beside the plan's. */
export const CURRENCIES_MAX = 50;
export const CHARGES_MAX = 100;
/** Stands in for a currency that is not known, so that the rest can be looked at: none has more digits. */
export const WIDEST_CURRENCY = 'CLF';

/** Of every request; the schema of the file says more. */
export const PRICE_JSON = { type: 'object', properties: { model: { enum: Object.keys(pricingModels) } }, required: ['model'], description: 'A pricing model with its fields; amounts are decimal strings in major units' };

/** Notes `money_precision` where an amount has more digits than the currency. */
export const checkMoney = (amount: string, currency: string, pointer: string, faults: Fault[]): void => {
  try {
    Money.parse(amount, currency);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    faults.push({ pointer, code: error.code, detail: error.message });
  }
};

/** The same of a window's price, which may have a commitment of its own. */
export const WINDOW_PRICE_JSON = { ...PRICE_JSON };

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;
/** Notes `unsupported_price` for a fee whose price looks at usage. */
export const checkFeePrice = (price: unknown, pointer: string, faults: Fault[]): void => {
  if (isObject(price) && !isFeePrice(price as Price)) faults.push({ pointer: pointerTo(pointer, 'model'), code: 'unsupported_price', detail: 'only usage has such a price; a fee is flat, per_unit, graduated, volume, stairstep or package' });
};

/** A price in a currency. Codes: those of `parsePrice`. */
export const price = (currency: string = WIDEST_CURRENCY): Shape => ({
  json: PRICE_JSON,
  read: (value, pointer, faults) => {
    const parsed = parsePrice(value, pointer, currency);
    if ('price' in parsed) return parsed.price;
    faults.push(...parsed.errors);
    return undefined;
  },
});

/** Currency -> what is read with it. Code `plan_currency` for the plan's own, which has its place elsewhere. */
export const byCurrency = (own: string | undefined, inCurrency: (currency: string) => Shape): Shape => ({
  json: { type: 'object', propertyNames: currencyCode().json, additionalProperties: inCurrency(WIDEST_CURRENCY).json, maxProperties: CURRENCIES_MAX },
  read: (value, pointer, faults) => {
    const before = faults.length;
    const entries = Object.entries(mapOf(anything(), CURRENCIES_MAX, currencyCode()).read(value, pointer, faults));
    if (faults.length > before) return value;
    return Object.fromEntries(entries.map(([code, one]) => {
      const at = pointerTo(pointer, code);
      if (code === own) faults.push({ pointer: at, code: 'plan_currency', detail: `${code} is the currency of the plan: its price is said there` });
      return [code, inCurrency(code).read(one, at, faults)];
    }));
  },
});

/** Charge key -> price. */
export const pricesOfCharges = (currency: string | undefined): Shape => mapOf(price(currency), CHARGES_MAX, key());
