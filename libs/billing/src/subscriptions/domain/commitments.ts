import type { Charge } from '@valueverse/contracts';
import type { ChargeInForce } from './due-items';
import type { PlanCourse, Stretch } from './timeline';

/** The commitment of a plan as a charge of its own, which is billed where its usage is; none where the plan has no commitment. Add-ons do not fill it. */
export const commitmentOf = ({ name, commitment }: PlanCourse, { terms: { planKey } }: Stretch, charges: readonly ChargeInForce[]): ChargeInForce[] => {
  if (commitment === undefined) return [];
  const charge: Charge = { key: planKey, name: name ?? planKey, type: 'usage', price: { model: 'flat', amount: '0' }, commitment };
  return [{ charge, quantity: '1', filledBy: charges.filter(({ addOnKey, charge: { type } }) => addOnKey === undefined && type !== 'one_off') }];
};
