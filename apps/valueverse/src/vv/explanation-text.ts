import { type ExplainedStep, grouped, stepText } from './step-text';

interface Period { readonly from: string; readonly to: string }
/** Why a line costs what it costs, as the API answers it. */
export interface Explanation {
  readonly description: string; readonly type: string; readonly quantity: string; readonly billedQuantity: string; readonly amount: string; readonly netAmount: string; readonly taxAmount: string; readonly servicePeriod: Period;
  readonly discounts: readonly { readonly couponKey: string; readonly amount: string }[];
  readonly taxes: readonly { readonly name: string; readonly rate: string; readonly base: string; readonly amount: string }[];
  readonly steps: readonly ExplainedStep[];
  readonly rules: { readonly plan: string | null; readonly planVersion: number | null; readonly phase?: string; readonly addOn?: string; readonly chargeKey: string; readonly zone: string; readonly taxBehavior: string };
  readonly proration?: { readonly granularity: string; readonly from: string; readonly to: string; readonly wholeFrom: string; readonly wholeTo: string; readonly isWhole: boolean; readonly elapsedAtStart?: string; readonly elapsedAtEnd?: string };
  readonly credits?: { readonly invoiceId: string; readonly lineId: string };
  readonly statement?: { readonly id: string; readonly quantity: string; readonly events: string; readonly evidence: string };
}

/** What a part of a period is told by. */
const TOLD_BY: Readonly<Record<string, string>> = { day: 'by local days', second: 'by time', '30_360_strict': 'by months of 30 days', '30_360_actual': 'by months, days over 30', none: 'not split' };

const quantityText = ({ type, quantity, billedQuantity }: Explanation): string[] => {
  if (type === 'true_up') return [];
  const all = grouped(quantity);
  return [`${type === 'usage' ? 'used' : 'quantity'} ${all}${billedQuantity === quantity ? '' : `, of which ${grouped(billedQuantity)} are billed`}`];
};

const prorationText = ({ proration }: Explanation): string[] => {
  if (proration === undefined || proration.isWhole) return [];
  const { granularity, from, to, wholeFrom, wholeTo, elapsedAtStart, elapsedAtEnd } = proration;
  return [
    `a part of the period ${wholeFrom} to ${wholeTo}: from ${from} to ${to}, ${TOLD_BY[granularity] ?? granularity}`,
    ...(elapsedAtStart === undefined || elapsedAtEnd === undefined ? [] : [`  ${elapsedAtStart} of the period were over at its start, ${elapsedAtEnd} at its end`]),
  ];
};

const rulesText = ({ rules: { plan, planVersion, phase, addOn, chargeKey } }: Explanation): string => [
  ...(plan === null ? ['added by hand'] : [`by ${plan} version ${String(planVersion)}`]), ...(phase === undefined ? [] : [`phase ${phase}`]), ...(addOn === undefined ? [] : [`add-on ${addOn}`]), ...(plan === null ? [] : [`charge ${chargeKey}`]),
].join(', ');

const taxText = ({ discounts, taxes, taxAmount, netAmount, rules: { taxBehavior } }: Explanation, currency: string): string[] => {
  const money = (amount: string): string => `${grouped(amount)} ${currency}`;
  return [
    ...discounts.map(({ couponKey, amount }) => `discount ${couponKey}, without tax: -${money(amount)}`),
    ...taxes.map(({ name, rate, base, amount }) => `${taxBehavior === 'inclusive' ? 'in it ' : ''}${name}, ${rate}% of ${grouped(base)}: ${money(amount)}`),
    ...(discounts.length + taxes.length === 0 ? [] : [`without tax ${money(netAmount)}, tax ${money(taxAmount)}`]),
  ];
};

/** An explanation as lines that a customer would understand: what it is of, its arithmetic, discounts and taxes, and where its numbers come from. */
export const explanationText = (explanation: Explanation, currency: string): string[] => {
  const { steps, amount, statement, credits } = explanation;
  return [
    ...quantityText(explanation), ...prorationText(explanation), ...steps.map((step) => stepText(step, currency)),
    ...(steps.length > 1 ? [`together ${grouped(amount)} ${currency}`] : []), ...taxText(explanation, currency), rulesText(explanation),
    ...(credits === undefined ? [] : [`gives back a part of line ${credits.lineId} of invoice ${credits.invoiceId}`]),
    ...(statement === undefined ? [] : [`usage ${grouped(statement.quantity)} by statement ${statement.id}`, `its events: GET ${statement.events}`, `evidence ${statement.evidence}`]),
  ];
};
