import { Decimal } from '@valueverse/kernel';
import type { Price, Step } from '@valueverse/rating';

/** What a price includes before a unit costs anything, and how much of it is left. Units as they are billed; null: without end. */
export interface Allowance { readonly units: string | null; readonly used: string; readonly remaining: string | null }
/** The tier that a quantity has come to, from 1; the next one is entered after `remaining` more. Null: there is none after it. */
export interface TierReached { readonly number: number; readonly from: string; readonly upTo: string | null; readonly unitAmount: string; readonly remaining: string | null }

const atLeastZero = (value: Decimal): Decimal => (value.isNegative() ? Decimal.zero : value);
const isZero = (text: string): boolean => Decimal.parse(text).isZero();
const lesser = (left: Decimal, right: Decimal): Decimal => (left.lt(right) ? left : right);

/** Of a price with tiers the first ones that cost nothing more; `undefined` where there is none. The flat amount of the very first tier is what the included units are paid with. */
export const allowanceOf = (price: Price, quantity: Decimal): Allowance | undefined => {
  if (price.model !== 'graduated') return undefined;
  const paid = price.tiers.findIndex(({ unitAmount = '0', flatAmount = '0' }, nth) => !isZero(unitAmount) || (nth > 0 && !isZero(flatAmount)));
  if (paid === 0) return undefined;
  const upTo = paid === -1 ? null : price.tiers[paid - 1]!.upTo;
  const used = atLeastZero(quantity);
  if (upTo === null) return { units: null, used: used.toString(), remaining: null };
  const units = Decimal.parse(upTo);
  return { units: units.toString(), used: lesser(used, units).toString(), remaining: atLeastZero(units.minus(used)).toString() };
};

/** By the steps that the quantity was priced with; before anything is used the first tier. */
export const tierReached = (price: Price, steps: readonly Step[], quantity: Decimal): TierReached | undefined => {
  if (price.model !== 'graduated') return undefined;
  const entered = steps.filter(({ kind }) => kind === 'tier').length;
  const number = Math.max(entered, 1);
  const { upTo, unitAmount = '0' } = price.tiers[number - 1]!;
  return {
    number, from: Decimal.parse(price.tiers[number - 2]?.upTo ?? '0').toString(), upTo: upTo === null ? null : Decimal.parse(upTo).toString(), unitAmount: Decimal.parse(unitAmount).toString(),
    remaining: upTo === null ? null : Decimal.parse(upTo).minus(quantity).toString(),
  };
};
