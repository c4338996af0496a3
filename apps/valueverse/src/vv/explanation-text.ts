import type { Explanation } from '../demo/tour';
import { type ExplainedStep, grouped, stepText } from './step-text';

/** An explanation as lines that a customer would understand. */
export const explanationText = ({ steps, rules, statement }: Explanation, currency: string): string[] => [
  ...steps.map((step) => stepText(step as unknown as ExplainedStep, currency)),
  `by ${String(rules['plan'])} version ${String(rules['planVersion'])}`,
  ...(statement === undefined ? [] : [`usage ${grouped(statement.quantity)} by statement ${statement.id}`, `evidence ${statement.evidence}`]),
];
