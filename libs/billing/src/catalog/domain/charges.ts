import type { AddOnCharge } from '@valueverse/contracts';
import { pointerTo, type Fault } from '@valueverse/rating';
import { byCurrency, checkMoney, CHARGES_MAX, price } from './prices';
import { decimal, flag, key, list, object, oneOf, optional, required, type Shape, text } from './shape';

export const TAX_RATE_KEYS_MAX = 20;
const WINDOWS_MAX = 24;
const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const TIME_OF_DAY = /^([01]\d|2[0-3]):[0-5]\d$/;
const END_OF_WINDOW = /^(([01]\d|2[0-3]):[0-5]\d|24:00)$/;
/** What only usage has: a fee says all of it by its price and quantity. */
const OF_USAGE = ['freeUnits', 'minimumAmount', 'maximumAmount', 'commitment', 'schedule'] as const;

export const proration = (): Shape => object({
  granularity: optional(oneOf('day', 'second', 'none', '30_360_actual', '30_360_strict')), prorateBounds: optional(flag()), prorateAmounts: optional(flag()),
});
const money = (currency: string | undefined): Shape<string> => {
  const amount = decimal('0');
  return { json: amount.json, read: (value, pointer, faults) => { checkMoney(value, currency, pointer, faults); return amount.read(value, pointer, faults); } };
};
export const commitment = (currency: string | undefined): Shape => object({ amount: required(money(currency)), overageFactor: optional(decimal('0')), trueUp: optional(flag()) });
const schedule = (currency: string | undefined): Shape => object({
  windows: required(list(object({ name: required(text(64)), from: required(text(5, TIME_OF_DAY)), to: required(text(5, END_OF_WINDOW)), days: optional(list(oneOf(...DAYS), DAYS.length, 1)), price: required(price(currency)) }), WINDOWS_MAX, 1)),
  otherwise: required(price(currency)),
});

type ChargeType = AddOnCharge['type'];
const chargeFields = (types: readonly ChargeType[], currency: string | undefined, isFee: boolean): Shape<AddOnCharge> => object<AddOnCharge>({
  key: required(key()), name: required(text()), type: required(oneOf(...types)), timing: optional(oneOf('in_advance', 'in_arrears')), meterKey: optional(key()), price: required(price(currency, isFee)),
  chargeFlatAtZero: optional(flag()), currencyPrices: optional(byCurrency(currency, (code) => price(code, isFee))), quantity: optional(decimal('0')),
  freeUnits: optional(decimal('0')), minimumAmount: optional(money(currency)), maximumAmount: optional(money(currency)), commitment: optional(commitment(currency)), schedule: optional(schedule(currency)),
  proration: optional(proration()), taxBehavior: optional(oneOf('exclusive', 'inclusive')), taxCode: optional(text(64)), taxRateKeys: optional(list(key(), TAX_RATE_KEYS_MAX)), productKey: optional(key()),
});

/** What the fields of one charge have to do with each other. */
const checkKind = ({ type, timing, meterKey, ...charge }: AddOnCharge, pointer: string, faults: Fault[]): void => {
  const note = (name: string, code: string, detail: string): void => { faults.push({ pointer: pointerTo(pointer, name), code, detail }); };
  if (type === 'usage') {
    if (meterKey === undefined) note('meterKey', 'missing_field', 'a usage charge names its meter');
    if (timing === 'in_advance') note('timing', 'invalid_value', 'usage is billed in arrears');
    if (charge.quantity !== undefined) note('quantity', 'unknown_field', 'the quantity of usage is what its meter counts');
    return;
  }
  if (meterKey !== undefined) note('meterKey', 'unknown_field', 'only usage has a meter');
  if (type === 'one_off' && timing !== undefined) note('timing', 'unknown_field', 'what is billed once has no timing');
  for (const name of OF_USAGE) if (charge[name] !== undefined) note(name, 'unknown_field', 'only usage has it');
};

const isRead = (value: unknown): value is AddOnCharge => typeof value === 'object' && value !== null && !Array.isArray(value);
const typeOf = (value: unknown): unknown => (isRead(value) ? value.type : undefined);

/** One charge. Beside the faults of its fields: `missing_field` and `unknown_field` where another field asks for it. */
const charge = (types: readonly ChargeType[], currency: string | undefined): Shape<AddOnCharge> => ({
  json: chargeFields(types, currency, false).json,
  read: (value, pointer, faults) => {
    const isFee = typeOf(value) !== 'usage';
    const read = chargeFields(types, currency, isFee).read(value, pointer, faults);
    if (isRead(value)) checkKind(read, pointer, faults);
    return read.type === 'recurring' && read.timing === undefined ? { ...read, timing: 'in_advance' } : read;
  },
});

/**
 * The charges of a plan or an add-on, everything that is wrong with them named at once. Codes: those of the shapes and of `parsePrice`, `duplicate_key`, `money_precision`, `plan_currency`, and
 * `unsupported_price` for a fee whose price looks at usage.
 */
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

