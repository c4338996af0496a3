import type { AddOnCharge } from '@valueverse/contracts';
import { CHARGE_TERM_FIELDS, pointerTo, readChargeTerms, readPlanTerms, WEEK_DAYS, WINDOWS_MAX, type Fault, type PlanTerms } from '@valueverse/rating';
import { byCurrency, CHARGES_MAX, checkFeePrice, price, WIDEST_CURRENCY, WINDOW_PRICE_JSON } from './prices';
import { anything, decimal, flag, key, list, object, oneOf, optional, required, type Shape, text } from './shape';

export const TAX_RATE_KEYS_MAX = 20;

/** What rating reads of a charge and of a plan, for documents: how it reads them is its own. */
const proration = object({ granularity: optional(oneOf('day', 'second', 'none', '30_360_actual', '30_360_strict')), prorateBounds: optional(flag()), prorateAmounts: optional(flag()) });
const commitment = object({ amount: required(decimal()), overageFactor: optional(decimal()), trueUp: optional(flag()) });
const windowPrice = anything(WINDOW_PRICE_JSON);
const schedule = object({
  windows: required(list(object({ name: required(text(64)), from: required(text(5)), to: required(text(5)), days: optional(list(oneOf(...WEEK_DAYS), WEEK_DAYS.length, 1)), price: required(windowPrice) }), WINDOWS_MAX, 1)),
  otherwise: optional(windowPrice),
});
const TERMS = object({
  price: required(price()), chargeFlatAtZero: optional(flag()), freeUnits: optional(decimal()), minimumAmount: optional(decimal()), maximumAmount: optional(decimal()), commitment: optional(commitment),
  proration: optional(proration), schedule: optional(schedule), quantity: optional(decimal()),
});

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);
const without = (value: Readonly<Record<string, unknown>>, names: readonly string[]): Readonly<Record<string, unknown>> => Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));
const joined = (left: Shape, right: Shape): Readonly<Record<string, unknown>> => ({
  ...left.json, properties: { ...left.json['properties'] as object, ...right.json['properties'] as object }, required: [...left.json['required'] as string[], ...right.json['required'] as string[]],
});

type ChargeType = AddOnCharge['type'];
/** What a charge says beside its terms. */
const ofCharge = (types: readonly ChargeType[], currency: string | undefined): Shape<AddOnCharge> => object<AddOnCharge>({
  key: required(key()), name: required(text()), type: required(oneOf(...types)), timing: optional(oneOf('in_advance', 'in_arrears')), meterKey: optional(key()),
  currencyPrices: optional(byCurrency(currency, price)), taxBehavior: optional(oneOf('exclusive', 'inclusive')), taxCode: optional(text(64)), taxRateKeys: optional(list(key(), TAX_RATE_KEYS_MAX)), productKey: optional(key()),
});

/** What the fields of one charge have to do with each other. */
const checkKind = ({ type, timing, meterKey, currencyPrices = {} }: AddOnCharge, pointer: string, faults: Fault[]): void => {
  const note = (name: string, code: string, detail: string): void => { faults.push({ pointer: pointerTo(pointer, name), code, detail }); };
  if (type === 'usage') {
    if (meterKey === undefined) note('meterKey', 'missing_field', 'a usage charge names its meter');
    if (timing === 'in_advance') note('timing', 'invalid_value', 'usage is billed in arrears');
    return;
  }
  if (meterKey !== undefined) note('meterKey', 'unknown_field', 'only usage has a meter');
  if (type === 'one_off' && timing !== undefined) note('timing', 'unknown_field', 'what is billed once has no timing');
  for (const [code, own] of Object.entries(currencyPrices)) checkFeePrice(own, pointerTo(pointerTo(pointer, 'currencyPrices'), code), faults);
};

/** One charge. Beside the faults of its fields: `missing_field` and `unknown_field` where another field asks for it. */
const charge = (types: readonly ChargeType[], currency: string | undefined): Shape<AddOnCharge> => {
  const fields = ofCharge(types, currency);
  return {
    json: joined(fields, TERMS),
    read: (value, pointer, faults) => {
      if (!isObject(value)) return fields.read(value, pointer, faults);
      const read = fields.read(without(value, CHARGE_TERM_FIELDS), pointer, faults);
      checkKind(read, pointer, faults);
      // What is billed once is a fee like any other.
      const parsed = readChargeTerms(value['type'] === 'one_off' ? { ...value, type: 'recurring' } : value, pointer, currency ?? WIDEST_CURRENCY);
      if ('errors' in parsed) { faults.push(...parsed.errors); return read; }
      return { ...read, ...parsed.terms as Partial<AddOnCharge>, ...(read.type === 'recurring' && read.timing === undefined ? { timing: 'in_advance' } : {}) };
    },
  };
};

/** The charges of a plan or an add-on, everything that is wrong with them named at once. Codes: those of the shapes and of `readChargeTerms`, `duplicate_key`, `plan_currency`. */
export const charges = <C extends AddOnCharge>(types: readonly ChargeType[], currency: string | undefined): Shape<readonly C[]> => {
  const all = list(charge(types, currency), CHARGES_MAX, 1);
  return {
    json: all.json,
    read: (value, pointer, faults) => {
      const read = all.read(value, pointer, faults);
      const keys = new Set<string>();
      for (const [index, { key: own }] of read.entries()) {
        if (typeof own === 'string' && keys.has(own)) faults.push({ pointer: pointerTo(pointerTo(pointer, index), 'key'), code: 'duplicate_key', detail: `two charges have the key ${own}` });
        keys.add(own);
      }
      return read as readonly C[];
    },
  };
};

/** A shape of an object that has the terms of a plan too: how fees are split, and a commitment over all charges. */
export const withPlanTerms = <T extends object>(fields: Shape<T>, currency: string | undefined): Shape<T & PlanTerms> => ({
  json: joined(fields, object({ proration: optional(proration), commitment: optional(commitment) })),
  read: (value, pointer, faults) => {
    if (!isObject(value)) return fields.read(value, pointer, faults);
    const read = fields.read(without(value, ['proration', 'commitment']), pointer, faults);
    const parsed = readPlanTerms(value, pointer, currency ?? WIDEST_CURRENCY);
    if ('terms' in parsed) return { ...read, ...parsed.terms };
    faults.push(...parsed.errors);
    return read;
  },
});
