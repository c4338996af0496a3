import { oracleFee } from './oracle-fees';
import { oracleInvoice, type OracleInvoice, type OracleInvoiceQuestion } from './oracle-invoice';
import type { OraclePrice } from './oracle-prices';
import { type OracleCommitment, oracleUsage, type OracleUsageQuestion, promisedOf } from './oracle-usage';
import { isLess, minus, most, ONE, plus, type Ratio, read, rounded, sum, times, writeAmount, ZERO } from './ratio';

/** A whole plan and all of its usage, for one part of a period. */
export interface OraclePlanQuestion extends Pick<OracleUsageQuestion, 'slice' | 'digits' | 'rounding'>, Pick<OracleInvoiceQuestion, 'coupons' | 'credits' | 'taxRounding' | 'inclusiveRounding'> {
  readonly fees: readonly { readonly price: OraclePrice; readonly quantity: string; readonly freeUnits?: string | undefined; readonly chargeFlatAtZero?: boolean | undefined }[];
  readonly usage: readonly Pick<OracleUsageQuestion, 'charge' | 'groups' | 'isAmountShared'>[];
  readonly commitment?: OracleCommitment | undefined;
  /** Taxes of each line: those of the first, the second, and so on, again from the first after the last. */
  readonly taxes: readonly Pick<OracleInvoiceQuestion['lines'][number], 'taxBehavior' | 'taxRates'>[];
}

/** What each line costs more because it is above the plan's commitment: the sums up to each line are rounded, not the parts. */
const withOverage = (amounts: readonly Ratio[], commitment: OracleCommitment, question: OraclePlanQuestion): readonly Ratio[] => {
  const promised = promisedOf(commitment.amount, question);
  const upTo = (count: number): Ratio =>
    rounded(times(most(ZERO, minus(sum(amounts.slice(0, count)), promised)), minus(read(commitment.overageFactor ?? '1'), ONE)), question.digits, question.rounding);
  return amounts.map((amount, nth) => plus(amount, minus(upTo(nth + 1), upTo(nth))));
};

/** The amounts of all lines of a plan: fees, usage, and what fills the plan's commitment. */
export const oraclePlanLines = (question: OraclePlanQuestion): readonly string[] => {
  const { fees, usage, commitment, slice = { start: ZERO, end: ONE }, digits, rounding } = question;
  const amounts = [
    ...fees.map((fee) => read(oracleFee({ ...fee, slice, digits, rounding }))),
    ...usage.flatMap((one) => oracleUsage({ ...one, slice: question.slice, digits, rounding })).map(({ amount }) => read(amount)),
  ];
  if (commitment === undefined) return amounts.map((amount) => writeAmount(amount, digits));
  const missing = minus(promisedOf(commitment.amount, question), sum(amounts));
  const all = [...withOverage(amounts, commitment, question), ...(commitment.trueUp !== false && isLess(ZERO, missing) ? [missing] : [])];
  return all.map((amount) => writeAmount(amount, digits));
};

/** From a plan and its usage to what is due. */
export const oraclePlan = (question: OraclePlanQuestion): OracleInvoice => {
  const { taxes } = question;
  return oracleInvoice({ ...question, lines: oraclePlanLines(question).map((amount, nth) => ({ lineId: `line_${nth}`, amount, ...taxes[nth % taxes.length]! })) });
};
