import type { InvoiceStep } from '@valueverse/rating';
import { explanationText, type Explanation } from './explanation-text';
import { grouped } from './step-text';

/** An invoice as the API answers it. */
export interface Invoice {
  readonly id: string; readonly number: string | null; readonly status: string; readonly paymentStatus: string; readonly currency: string; readonly servicePeriod: { readonly from: string; readonly to: string }; readonly issuedAt?: string; readonly dueAt?: string;
  readonly subtotal: string; readonly discountTotal: string; readonly taxTotal: string; readonly total: string; readonly amountDue: string; readonly amountPaid: string; readonly amountCredited: string; readonly amountRemaining: string; readonly totalSteps?: readonly InvoiceStep[];
  readonly lines: readonly { readonly id: string; readonly description: string; readonly amount: string }[]; readonly hasMore: boolean; readonly voidedAt?: string; readonly voidReason?: string;
}

const totalStepText = (step: InvoiceStep, money: (amount: string) => string): string => {
  switch (step.kind) {
    case 'subtotal': return `all lines, without tax: ${money(step.amount)}`;
    case 'coupon': {
      const discount = step.discount.type === 'percent' ? `${step.discount.value}% of ${grouped(step.base)}` : `${grouped(step.discount.value)} off ${grouped(step.base)}`;
      return `discount ${step.coupon}, ${discount}${step.scope === 'lines' ? ' of its lines' : ''}${step.pricedAmount === step.amount.replace('-', '') ? '' : ` (${grouped(step.pricedAmount)} with the tax in it)`}: ${money(step.amount)}`;
    }
    case 'tax': return `tax ${step.key}, ${step.rate}% of ${grouped(step.base)}${step.behavior === 'inclusive' ? ', which was in the prices' : ''}: ${money(step.amount)}`;
    case 'total': return `total: ${money(step.amount)}`;
    case 'credit': return `credit of the account: ${money(step.amount)}`;
    case 'due': return `to be paid: ${money(step.amount)}`;
    // A later release knows more.
    default: return JSON.stringify(step);
  }
};

/** How the lines come to what is due. Of an invoice from before there were steps its sums. */
const totalText = ({ totalSteps = [], subtotal, discountTotal, taxTotal, total }: Invoice, money: (amount: string) => string): string[] =>
  (totalSteps.length === 0 ? [`${money(subtotal)} less ${money(discountTotal)} of discounts and with ${money(taxTotal)} of tax is ${money(total)}`] : totalSteps.map((step) => `${step.number}. ${totalStepText(step, money)}`));

/** A whole invoice as a page that a customer would understand. */
export const invoiceText = (invoice: Invoice, explanations: readonly Explanation[]): string[] => {
  const { number, id, status, paymentStatus, currency, servicePeriod, issuedAt, dueAt, total, amountPaid, amountCredited, amountRemaining, voidedAt, voidReason } = invoice;
  const money = (amount: string): string => `${grouped(amount)} ${currency}`;
  return [
    `${number ?? id}  ${total} ${currency}  ${status === 'finalized' ? paymentStatus : status}`,
    ...(issuedAt === undefined ? [] : [`issued ${issuedAt}, due ${dueAt ?? issuedAt}`]), `for ${servicePeriod.from} to ${servicePeriod.to}`,
    ...(voidedAt === undefined ? [] : [`void since ${voidedAt}: ${voidReason ?? ''}`]),
    ...explanations.flatMap((explanation, nth) => [`\n${nth + 1}. ${explanation.description}: ${money(explanation.amount)}`, `  for ${explanation.servicePeriod.from} to ${explanation.servicePeriod.to}`, ...explanationText(explanation, currency).map((text) => `  ${text}`)]),
    '\nHow the lines come to the total', ...totalText(invoice, money).map((text) => `  ${text}`), `  paid ${money(amountPaid)}, given back ${money(amountCredited)}, left to be paid ${money(amountRemaining)}`,
  ];
};
