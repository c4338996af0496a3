import { pointerTo, type Fault } from '@valueverse/rating';
import { checkMoney, CURRENCIES_MAX } from '../../catalog/domain/prices';
import { currencyCode, decimal, flag, instant, key, list, mapOf, metadata, object, oneOf, optional, required, type Shape, text, whole } from '../../catalog/domain/shape';
import { checkValidity } from '../../taxes/domain/tax-rate-shape';

export const REDEMPTIONS_MAX = 1_000_000_000;
const PERIODS_MAX = 1_200;
const KEYS_MAX = 100;

export interface CouponSpec {
  readonly key: string; readonly name?: string;
  readonly discount: { readonly type: 'percent' | 'amount'; readonly value: string; readonly currency?: string; readonly currencyValues?: Readonly<Record<string, string>> };
  readonly appliesTo?: { readonly planKeys?: readonly string[]; readonly chargeKeys?: readonly string[] };
  readonly periods?: number; readonly maxRedemptions?: number; readonly maxRedemptionsPerAccount?: number; readonly stackable?: boolean; readonly validFrom?: string; readonly validTo?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

const fields = object<CouponSpec>({
  key: required(key()), name: optional(text()),
  discount: required(object({ type: required(oneOf('percent', 'amount')), value: required(decimal('0')), currency: optional(currencyCode()), currencyValues: optional(mapOf(decimal('0'), CURRENCIES_MAX, currencyCode())) })),
  appliesTo: optional(object({ planKeys: optional(list(key(), KEYS_MAX, 1)), chargeKeys: optional(list(key(), KEYS_MAX, 1)) })),
  periods: optional(whole(1, PERIODS_MAX)), maxRedemptions: optional(whole(1, REDEMPTIONS_MAX)), maxRedemptionsPerAccount: optional(whole(1, REDEMPTIONS_MAX)), stackable: optional(flag()),
  validFrom: optional(instant()), validTo: optional(instant()), metadata: optional(metadata()),
});
const percent = decimal('0', '100');

/** A part has no currency and is not above the whole; an amount has one, and no digits that it has not. */
const checkDiscount = ({ type, value, currency, currencyValues = {} }: CouponSpec['discount'], pointer: string, faults: Fault[]): void => {
  const note = (name: string, code: string, detail: string): void => { faults.push({ pointer: pointerTo(pointer, name), code, detail }); };
  if (type === 'percent') {
    percent.read(value, pointerTo(pointer, 'value'), faults);
    if (currency !== undefined) note('currency', 'unknown_field', 'a part is a part in every currency');
    if (Object.keys(currencyValues).length > 0) note('currencyValues', 'unknown_field', 'a part is a part in every currency');
    return;
  }
  if (currency === undefined) note('currency', 'missing_field', 'an amount has a currency');
  if (currency !== undefined && Object.hasOwn(currencyValues, currency)) faults.push({ pointer: pointerTo(pointerTo(pointer, 'currencyValues'), currency), code: 'duplicate_currency', detail: `the amount in ${currency} is said by value` });
  if (currency !== undefined) checkMoney(value, currency, pointerTo(pointer, 'value'), faults);
  for (const [code, own] of Object.entries(currencyValues)) checkMoney(own, code, pointerTo(pointerTo(pointer, 'currencyValues'), code), faults);
};

/** A coupon. Codes beside those of the shapes: `money_precision`, `duplicate_currency`, `end_before_start`. */
export const coupon: Shape<CouponSpec> = {
  json: fields.json,
  read: (value, pointer, faults) => {
    const before = faults.length;
    const read = fields.read(value, pointer, faults);
    if (faults.length > before) return read;
    checkDiscount(read.discount, pointerTo(pointer, 'discount'), faults);
    checkValidity(read, pointer, faults);
    return read;
  },
};
