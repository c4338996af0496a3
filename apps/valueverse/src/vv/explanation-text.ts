import type { Explanation } from '../demo/tour';

const grouped = (decimal: string): string => {
  const [whole = '', fraction] = decimal.split('.');
  const digits = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
  return fraction === undefined ? digits : `${digits}.${fraction}`;
};

const stepText = (step: Record<string, string>, currency: string): string => {
  switch (step['kind']) {
    case 'tier': {
      const range = step['upTo'] == null ? `above ${grouped(step['from'] ?? '0')}` : `${grouped(step['from'] ?? '0')} to ${grouped(step['upTo'])}`;
      return `${range}: ${grouped(step['quantity']!)} x ${step['unitAmount'] ?? '0'}${step['flatAmount'] === undefined ? '' : ` + ${step['flatAmount']}`} = ${step['amount']} ${currency}`;
    }
    case 'unit': return `${grouped(step['quantity']!)} x ${step['unitAmount']} = ${step['amount']} ${currency}`;
    case 'flat': return `a fee of ${step['amount']} ${currency}`;
    case 'proration': return `${step['full']} x ${step['numerator']}/${step['denominator']} of the period = ${step['amount']} ${currency}`;
    case 'rounding': return `rounded ${step['rounding']} at the line: ${step['amount']} ${currency}`;
    default: return JSON.stringify(step);
  }
};

/** An explanation as lines that a customer would understand. */
export const explanationText = ({ steps, rules, statement }: Explanation, currency: string): string[] => [
  ...steps.map((step) => stepText(step, currency)),
  `by ${String(rules['plan'])} version ${String(rules['planVersion'])}`,
  ...(statement === undefined ? [] : [`usage ${grouped(statement.quantity)} by statement ${statement.id}`, `evidence ${statement.evidence}`]),
];
