import { Refused } from '@valueverse/kernel';
import type { AddOnCharge, Charge, PlanPhase } from '@valueverse/contracts';
import { pointerTo, readChargeTerms, type Fault } from '@valueverse/rating';
import { TAX_RATE_KEYS_MAX } from './charges';
import { CHARGES_MAX, price } from './prices';
import { anything, key, list, mapOf, object, optional, type Shape, text } from './shape';

/** What one subscription has otherwise than its plan, charge by charge. A price is in the subscription's currency. */
export interface ChargeOverride {
  readonly name?: string; readonly price?: unknown; readonly quantity?: string; readonly freeUnits?: string; readonly minimumAmount?: string; readonly maximumAmount?: string;
  readonly taxRateKeys?: readonly string[];
}
export type Overrides = Readonly<Record<string, ChargeOverride>>;

/** What `planTerms` looks at of a version of a plan, or of an add-on, which has no phases. */
export interface PricedPlan<C extends AddOnCharge = Charge> { readonly currency: string; readonly charges: readonly C[]; readonly phases?: readonly PlanPhase[] }
export interface WantedTerms {
  readonly currency: string;
  /** The phase that is in force; the last one where it is not said. */
  readonly phaseKey?: string;
  readonly overrides?: Overrides;
}
export interface PlanTerms<C extends AddOnCharge = Charge> {
  /** With the price in force as `price`, and no other. */
  readonly charges: readonly C[];
  readonly phase?: PlanPhase;
  /** Nothing is billed. */
  readonly isTrial: boolean;
}

const phaseOf = ({ phases = [] }: Pick<PricedPlan, 'phases'>, phaseKey: string | undefined): PlanPhase | undefined => {
  const found = phaseKey === undefined ? phases.at(-1) : phases.find(({ key: own }) => own === phaseKey);
  if (phaseKey !== undefined && found === undefined) throw new Refused('phase_not_found', `the plan has no phase ${phaseKey}`);
  return found;
};

/** Amounts of the charge that are money of the plan's currency, so in another one they mean nothing. */
const OWN_MONEY = ['minimumAmount', 'maximumAmount', 'commitment', 'schedule'] as const;

const priceIn = (charge: AddOnCharge, { currency }: Pick<PricedPlan, 'currency'>, wanted: string, phase: PlanPhase | undefined): unknown => {
  if (wanted === currency) return phase?.prices?.[charge.key] ?? charge.price;
  const ofPhase = phase?.currencyPrices?.[wanted]?.[charge.key];
  // A phase that says another price in the plan's currency alone leaves open what it is in this one.
  return ofPhase ?? (phase?.prices?.[charge.key] === undefined ? charge.currencyPrices?.[wanted] : undefined);
};

const inForce = <C extends AddOnCharge>(charge: C, plan: Pick<PricedPlan, 'currency'>, wanted: WantedTerms, phase: PlanPhase | undefined): C => {
  const { currency } = wanted;
  const override = wanted.overrides?.[charge.key];
  const found = override?.price ?? priceIn(charge, plan, currency, phase);
  if (found === undefined) throw new Refused('currency_mismatch', `the charge ${charge.key} has no price in ${currency}${phase === undefined ? '' : ` in the phase ${phase.key}`}`);
  const { currencyPrices: _, ...rest } = charge;
  const foreign = currency === plan.currency ? undefined : OWN_MONEY.find((name) => rest[name] !== undefined && (override as Record<string, unknown> | undefined)?.[name] === undefined);
  if (foreign !== undefined) throw new Refused('currency_mismatch', `the charge ${charge.key} says its ${foreign} in ${plan.currency} alone`);
  return { ...rest, ...override, price: found } as unknown as C;
};

/**
 * The charges of a plan with the price in force: the subscription's own, else the phase's, else that of the currency. Nothing else of the plan changes. Refuses with `currency_mismatch` where a
 * charge has no price in the currency, or an amount of it is said in the plan's alone; `phase_not_found`; `charge_not_found` for an override of a charge that the plan does not have.
 */
export const planTerms = <C extends AddOnCharge = Charge>(plan: PricedPlan<C>, wanted: WantedTerms): PlanTerms<C> => {
  const phase = phaseOf(plan, wanted.phaseKey);
  const unknown = Object.keys(wanted.overrides ?? {}).find((own) => !plan.charges.some((charge) => charge.key === own));
  if (unknown !== undefined) throw new Refused('charge_not_found', `the plan has no charge ${unknown}`);
  return { charges: plan.charges.map((charge) => inForce(charge, plan, wanted, phase)), ...(phase === undefined ? {} : { phase }), isTrial: phase?.trial === true };
};

/** The currencies in which every charge of the plan has a price, its own first. */
export const currenciesOf = (plan: PricedPlan): readonly string[] => {
  const named = new Set(plan.charges.flatMap(({ currencyPrices = {} }) => Object.keys(currencyPrices)));
  const isWhole = (currency: string): boolean => (plan.phases ?? [undefined]).every((phase) => plan.charges.every((charge) => priceIn(charge, plan, currency, phase) !== undefined));
  return [plan.currency, ...[...named].sort().filter(isWhole)];
};

const TERMS = ['price', 'quantity', 'freeUnits', 'minimumAmount', 'maximumAmount'] as const;
const override = (currency: string): Shape<ChargeOverride> => object<ChargeOverride>({
  name: optional(text()), price: optional(price(currency)), taxRateKeys: optional(list(key(), TAX_RATE_KEYS_MAX)),
  quantity: optional(anything()), freeUnits: optional(anything()), minimumAmount: optional(anything()), maximumAmount: optional(anything()),
});

/** The terms of an override together with what stays of the charge: what does not go together is refused. */
const checkTerms = (own: ChargeOverride, charge: Charge, currency: string, pointer: string, faults: Fault[]): void => {
  const { currencyPrices: _, ...kept } = charge;
  const parsed = readChargeTerms({ ...kept, ...own }, pointer, currency);
  if ('terms' in parsed) return;
  // A price that stays is of the plan and may be in another currency: it has been looked at there.
  faults.push(...parsed.errors.filter((fault) => TERMS.some((name) => own[name] !== undefined && (fault.pointer === `${pointer}/${name}` || fault.pointer.startsWith(`${pointer}/${name}/`)))));
};

/** The overrides of a request, for a subscription in `currency`: every fault at its place. Codes: those of shapes and of `readChargeTerms`, `charge_not_found`. */
export const overrides = (plan: PricedPlan, currency: string): Shape<Overrides> => ({
  json: mapOf(override(currency), CHARGES_MAX).json,
  read: (value, pointer, faults) => {
    const before = faults.length;
    const read = mapOf(override(currency), CHARGES_MAX).read(value, pointer, faults);
    if (faults.length > before) return read;
    for (const [chargeKey, own] of Object.entries(read)) {
      const at = pointerTo(pointer, chargeKey);
      const charge = plan.charges.find(({ key: known }) => known === chargeKey);
      if (charge === undefined) faults.push({ pointer: at, code: 'charge_not_found', detail: `the plan has no charge ${chargeKey}` });
      else checkTerms(own, charge, currency, at, faults);
    }
    return read;
  },
});
