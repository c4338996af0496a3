import { Decimal, Money, Refused } from '@valueverse/kernel';
import { isPricingModel, parsePrice, pointerTo, pricingModels, type Fault, type Price } from '@valueverse/rating';
import { anything, currencyCode, DECIMAL_LENGTH_MAX, key, mapOf, type Shape } from './shape';

/** The most currencies that a charge may have prices in, beside the plan's. */
export const CURRENCIES_MAX = 50;
export const CHARGES_MAX = 100;
/** Prices that need a quantity alone: what a fee can have. The others price usage. */
export const FEE_MODELS: readonly string[] = ['flat', 'per_unit', 'graduated', 'volume', 'stairstep', 'package'];
/** Amounts that are due as they are, so they cannot have more digits than the currency. */
const WHOLE_AMOUNTS = new Set(['amount', 'flatAmount', 'minimumAmount', 'maximumAmount']);

const PRICE_JSON = { type: 'object', properties: { model: { enum: Object.keys(pricingModels) } }, required: ['model'], description: 'A pricing model with its fields; amounts are decimal strings in major units' };
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Notes `money_precision` where an amount of whole money has more digits than the currency. */
export const checkMoney = (amount: unknown, currency: string | undefined, pointer: string, faults: Fault[]): void => {
  if (currency === undefined || typeof amount !== 'string' || Decimal.tryParse(amount) === undefined) return;
  try {
    Money.parse(amount, currency);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    faults.push({ pointer, code: error.code, detail: error.message });
  }
};

/** Every text of a price that is a number: none too long, none with digits that the currency has not. */
const checkNumbers = (value: unknown, pointer: string, currency: string | undefined, faults: Fault[]): void => {
  if (Array.isArray(value)) { for (const [index, one] of value.entries()) checkNumbers(one, pointerTo(pointer, index), currency, faults); return; }
  if (!isObject(value)) return;
  for (const [name, own] of Object.entries(value)) {
    const at = pointerTo(pointer, name);
    if (typeof own !== 'string') { if (name !== 'match') checkNumbers(own, at, currency, faults); continue; }
    if (Decimal.tryParse(own) === undefined) continue;
    if (own.length > DECIMAL_LENGTH_MAX) faults.push({ pointer: at, code: 'too_long', detail: `at most ${DECIMAL_LENGTH_MAX} characters` });
    else if (WHOLE_AMOUNTS.has(name)) checkMoney(own, currency, at, faults);
  }
};

/** A price in a currency, or in one that is not known, whose digits then are not looked at. Codes: those of `parsePrice`, `too_long`, `money_precision`, and `unsupported_price` of a fee. */
export const price = (currency: string | undefined, isFee = false): Shape => ({
  json: PRICE_JSON,
  read: (value, pointer, faults) => {
    const parsed = parsePrice(value, pointer);
    if ('errors' in parsed) { faults.push(...parsed.errors); return value; }
    checkNumbers(parsed.price, pointer, currency, faults);
    checkModel(parsed.price, isFee, pointer, faults);
    return parsed.price;
  },
});

const checkModel = ({ model }: Price, isFee: boolean, pointer: string, faults: Fault[]): void => {
  if (isFee && isPricingModel(model) && !FEE_MODELS.includes(model)) faults.push({ pointer: pointerTo(pointer, 'model'), code: 'unsupported_price', detail: `only usage has such a price; a fee is ${FEE_MODELS.join(', ')}` });
};

/** Currency -> what is read with it. Code `plan_currency` for the plan's own, which has its place elsewhere. */
export const byCurrency = (own: string | undefined, inCurrency: (currency: string) => Shape): Shape => ({
  json: { type: 'object', propertyNames: currencyCode().json, additionalProperties: inCurrency('XXX').json, maxProperties: CURRENCIES_MAX },
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
