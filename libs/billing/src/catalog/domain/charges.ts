import { Money, Refused } from '@valueverse/kernel';
import type { Charge } from '@valueverse/contracts';
import { parsePrice, pointerTo, type Fault, type Price } from '@valueverse/rating';

export const CHARGES_MAX = 100;
const KEY = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,255}$/;
const NAME_LENGTH_MAX = 256;
/** With any quantity that metering can state, an amount still fits into the facts that carry it. */
const DECIMAL_LENGTH_MAX = 32;
/** Control characters, zero-width ones, and those that turn the direction of a text: a name is printed on invoices. */
const UNSEEN = /[\u0000-\u001f\u007f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/;
const FIELDS = ['key', 'name', 'type', 'timing', 'meterKey', 'price', 'chargeFlatAtZero'];
/** Prices whose fees are one amount: what a recurring charge can have. */
const RECURRING_MODELS: readonly string[] = ['flat', 'per_unit'];

/**
 * Reads the charges of a plan and names everything that is wrong with them at once.
 * Codes: those of `parsePrice`, and `duplicate_key`, `unknown_field`, `missing_field`, `invalid_value`, `money_precision`, `too_long`, `unsupported_price`.
 */
export const readCharges = (values: readonly unknown[], pointer: string, currency: string): { charges: Charge[] } | { errors: Fault[] } => {
  const errors: Fault[] = [];
  if (values.length === 0 || values.length > CHARGES_MAX) errors.push({ pointer, code: 'invalid_value', detail: `a plan has 1 to ${CHARGES_MAX} charges` });
  const charges = values.slice(0, CHARGES_MAX).map((value, index) => readCharge(value, pointerTo(pointer, index), currency, errors));
  const keys = new Set<string>();
  for (const [index, charge] of charges.entries()) {
    if (charge === undefined) continue;
    if (keys.has(charge.key)) errors.push({ pointer: pointerTo(pointerTo(pointer, index), 'key'), code: 'duplicate_key', detail: `two charges have the key ${charge.key}` });
    keys.add(charge.key);
  }
  return errors.length > 0 ? { errors } : { charges: charges as Charge[] };
};

const readCharge = (value: unknown, pointer: string, currency: string, errors: Fault[]): Charge | undefined => {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    errors.push({ pointer, code: 'object_expected', detail: 'is an object' });
    return undefined;
  }
  const fields = Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null && field !== undefined));
  const note = (name: string, code: string, detail: string): void => { errors.push({ pointer: pointerTo(pointer, name), code, detail }); };
  const before = errors.length;
  for (const name of Object.keys(fields)) if (!FIELDS.includes(name)) note(name, 'unknown_field', 'is not a field of a charge');
  for (const name of ['key', 'name', 'type', 'price']) if (fields[name] === undefined) note(name, 'missing_field', 'is required');
  const { key, name, type, timing, meterKey, chargeFlatAtZero } = fields as Record<string, unknown>;
  if (key !== undefined && (typeof key !== 'string' || !KEY.test(key))) note('key', 'invalid_value', 'letters, digits and ._:- only');
  if (name !== undefined && !isName(name)) note('name', 'invalid_value', `a text of 1 to ${NAME_LENGTH_MAX} characters that can be seen`);
  if (type !== undefined && type !== 'recurring' && type !== 'usage') note('type', 'invalid_value', 'recurring or usage');
  if (chargeFlatAtZero !== undefined && typeof chargeFlatAtZero !== 'boolean') note('chargeFlatAtZero', 'invalid_value', 'true or false');
  checkKind({ type, timing, meterKey }, note);
  checkPrice(fields['price'], type, pointerTo(pointer, 'price'), currency, errors);
  return errors.length > before ? undefined : { ...fields, ...(type === 'recurring' && timing === undefined ? { timing: 'in_advance' } : {}) } as unknown as Charge;
};

const isName = (name: unknown): boolean => typeof name === 'string' && name.trim() !== '' && name.length <= NAME_LENGTH_MAX && !UNSEEN.test(name);

const checkKind = ({ type, timing, meterKey }: Record<string, unknown>, note: (name: string, code: string, detail: string) => void): void => {
  if (timing !== undefined && timing !== 'in_advance' && timing !== 'in_arrears') note('timing', 'invalid_value', 'in_advance or in_arrears');
  if (type === 'usage' && meterKey === undefined) note('meterKey', 'missing_field', 'a usage charge names its meter');
  if (type === 'usage' && timing === 'in_advance') note('timing', 'invalid_value', 'usage is billed in arrears');
  if (type === 'recurring' && meterKey !== undefined) note('meterKey', 'unknown_field', 'a recurring charge has no meter');
  if (meterKey !== undefined && (typeof meterKey !== 'string' || !KEY.test(meterKey))) note('meterKey', 'invalid_value', 'the key of a meter');
};

const checkPrice = (value: unknown, type: unknown, pointer: string, currency: string, errors: Fault[]): void => {
  if (value === undefined) return;
  const parsed = parsePrice(value, pointer);
  if ('errors' in parsed) { errors.push(...parsed.errors); return; }
  const { price } = parsed;
  if (type === 'recurring' && !RECURRING_MODELS.includes(price.model)) {
    errors.push({ pointer: pointerTo(pointer, 'model'), code: 'unsupported_price', detail: `a recurring charge is ${RECURRING_MODELS.join(' or ')}` });
  }
  const tooLong = decimalsOf(price).filter(({ text }) => text.length > DECIMAL_LENGTH_MAX);
  errors.push(...tooLong.map(({ name }) => ({ pointer: `${pointer}/${name}`, code: 'too_long', detail: `at most ${DECIMAL_LENGTH_MAX} characters` })));
  for (const { name, amount } of flatAmounts(price)) {
    try {
      Money.parse(amount, currency);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      errors.push({ pointer: `${pointer}/${name}`, code: error.code, detail: error.message });
    }
  }
};

/** Every number of a price, with its place. */
const decimalsOf = (price: Price): { name: string; text: string }[] => {
  const of = (fields: object, place: string): { name: string; text: string }[] => Object.entries(fields)
    .flatMap(([name, value]) => (name !== 'model' && typeof value === 'string' ? [{ name: `${place}${name}`, text: value }] : []));
  return price.model === 'graduated' ? price.tiers.flatMap((tier, index) => of(tier, `tiers/${index}/`)) : of(price, '');
};

/** Amounts that are due as they are, so they cannot have more digits than the currency. */
const flatAmounts = (price: Price): { name: string; amount: string }[] => {
  if (price.model === 'flat') return [{ name: 'amount', amount: price.amount }];
  if (price.model !== 'graduated') return [];
  return price.tiers.flatMap(({ flatAmount }, index) => (flatAmount === undefined ? [] : [{ name: `tiers/${index}/flatAmount`, amount: flatAmount }]));
};

