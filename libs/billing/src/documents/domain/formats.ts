import { instantFromMicros, localDateOf, microsOf } from '@valueverse/kernel';
import { wordsFor } from './words';

/** Numbers and dates as the language of a document writes them. The currency has no say in it. */
export interface Formats {
  /** A local date, `YYYY-MM-DD`. */
  readonly date: (localDate: string) => string;
  /** A decimal of any number of digits; they stay as they are. */
  readonly number: (decimal: string) => string;
  readonly percent: (rate: string) => string;
  readonly money: (amount: string, currency: string) => string;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const grouped = (decimal: string, group: string, point: string): string => {
  const [whole = '', fraction] = decimal.split('.');
  const digits = whole.replace(/\B(?=(\d{3})+(?!\d))/g, group);
  return fraction === undefined ? digits : `${digits}${point}${fraction}`;
};
/** "19.00" -> "19": of a rate, zeros say nothing. */
const short = (rate: string): string => (rate.includes('.') ? rate.replace(/\.?0+$/, '') : rate);
const partsOf = (localDate: string): [string, number, number] => [localDate.slice(0, -6), Number(localDate.slice(-5, -3)), Number(localDate.slice(-2))];

const english = (date: Formats['date']): Formats => ({
  date, number: (decimal) => grouped(decimal, ',', '.'), percent: (rate) => `${grouped(short(rate), ',', '.')}%`, money: (amount, currency) => `${currency} ${grouped(amount, ',', '.')}`,
});
const en = english((localDate) => { const [year, month, day] = partsOf(localDate); return `${day} ${MONTHS[month - 1]} ${year}`; });
const enUS = english((localDate) => { const [year, month, day] = partsOf(localDate); return `${MONTHS[month - 1]} ${day}, ${year}`; });
const de: Formats = {
  date: (localDate) => localDate.split('-').reverse().join('.'), number: (decimal) => grouped(decimal, '.', ','), percent: (rate) => `${grouped(short(rate), '.', ',')} %`,
  money: (amount, currency) => `${grouped(amount, '.', ',')} ${currency}`,
};

const FORMATS: Readonly<Record<string, Formats>> = { en, 'en-US': enUS, de };
/** The formats of a language tag, or of its words. */
export const formatsFor = (language: string): Formats => FORMATS[language] ?? FORMATS[wordsFor(language).language]!;

/** The local days of a period, the last one with them: a period that ends at midnight ends on the day before. */
export const daysOf = ({ from, to }: { readonly from: string; readonly to: string }, zone: string): { first: string; last: string } => {
  const first = localDateOf(from, zone);
  return { first, last: from === to ? first : localDateOf(instantFromMicros(microsOf(to) - 1n), zone) };
};
