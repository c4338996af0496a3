import { ACTIVE_CURRENCIES, CURRENCY_DAYS, ENDED_CURRENCIES } from './currency-table';
import { Refused } from './decider';

/** A currency of ISO 4217. `exponent` is the number of digits of its minor unit: 2 for USD, 0 for JPY, 3 for KWD. */
export interface Currency {
  readonly code: string;
  readonly exponent: number;
  readonly name: string;
  /** The first day on which it is a currency, `YYYY-MM-DD`; absent where it is older than anything we bill. */
  readonly from?: string;
  /** The first day on which it is one no longer. */
  readonly until?: string;
}

const TABLE: ReadonlyMap<string, Currency> = new Map(
  [...ACTIVE_CURRENCIES, ...ENDED_CURRENCIES].map(([code, exponent, name]) => [code, { code, exponent, name, ...CURRENCY_DAYS[code] }]),
);

/** Every currency that we know, ended ones too. */
export const currencies: readonly Currency[] = [...TABLE.values()];

/** The currency of a code in capital letters, also one that has ended: its documents remain. Refuses others with `unknown_currency`. */
export const currency = (code: string): Currency => {
  const found = TABLE.get(code);
  if (found === undefined) throw new Refused('unknown_currency', 'not an active currency code of ISO 4217 such as "USD"');
  return found;
};

/** Whether new documents of a day (`YYYY-MM-DD`) may be made in the currency. Refuses unknown codes with `unknown_currency`. */
export const isCurrencyInUse = (code: string, day: string): boolean => {
  const { from, until } = currency(code);
  return (from === undefined || from <= day) && (until === undefined || day < until);
};
