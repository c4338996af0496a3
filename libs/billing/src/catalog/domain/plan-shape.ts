import type { Charge, PlanCreated, PlanPhase } from '@valueverse/contracts';
import { pointerTo, type Fault } from '@valueverse/rating';
import { charges, TAX_RATE_KEYS_MAX, withPlanTerms } from './charges';
import { byCurrency, checkFeePrice, pricesOfCharges } from './prices';
import { currencyCode, type Field, flag, key, list, mapOf, metadata, object, oneOf, optional, readAll, type Read, required, type Shape, text, whole } from './shape';

const INTERVAL_COUNT_MAX = 1_000;
const PHASES_MAX = 20;
const FEATURES_MAX = 200;
const FEATURE_TEXT_MAX = 256;
/** Ten years. */
const TRIAL_DAYS_MAX = 3_650;
/** The most characters of a version as JSON: all versions of a plan are one row. */
export const PLAN_LENGTH_MAX = 1_000_000;

/** What a version of a plan says; its key, number and time are said elsewhere. */
export type PlanSpec = Omit<PlanCreated, 'type' | 'planKey' | 'version' | 'createdAt'>;

export const interval = (): Shape => object({ unit: required(oneOf('day', 'week', 'month', 'quarter', 'year')), count: required(whole(1, INTERVAL_COUNT_MAX)) });

const featureText = text(FEATURE_TEXT_MAX);
const featureValue: Shape = {
  json: { anyOf: [{ const: true }, featureText.json] },
  read: (value, pointer, faults) => {
    if (value === true) return true;
    if (typeof value === 'string') return featureText.read(value, pointer, faults);
    faults.push({ pointer, code: 'invalid_value', detail: 'true, or a text' });
    return value;
  },
};

const phase = (currency: string | undefined): Shape<PlanPhase> => object<PlanPhase>({
  key: required(key()), name: required(text()), duration: optional(interval()), trial: optional(flag()),
  prices: optional(pricesOfCharges(currency)), currencyPrices: optional(byCurrency(currency, (code) => pricesOfCharges(code))),
});

const planFields = (currency: string | undefined): Record<string, Field> => ({
  name: required(text()), currency: required(currencyCode()), interval: required(interval()), charges: required(charges<Charge>(['recurring', 'usage'], currency)), metadata: optional(metadata()),
  phases: optional(list(phase(currency), PHASES_MAX, 1)), taxRateKeys: optional(list(key(), TAX_RATE_KEYS_MAX)),
  features: optional(mapOf(featureValue, FEATURES_MAX)), trialDays: optional(whole(1, TRIAL_DAYS_MAX)), productKey: optional(key()),
});

/** Order, ends and prices of phases. */
const checkPhases = (phases: readonly PlanPhase[], all: readonly Charge[], pointer: string, faults: Fault[]): void => {
  const keys = new Set<string>();
  for (const [index, { key: own, duration, prices = {}, currencyPrices = {} }] of phases.entries()) {
    const at = pointerTo(pointer, index);
    const isLast = index === phases.length - 1;
    if (isLast && duration !== undefined) faults.push({ pointer: pointerTo(at, 'duration'), code: 'last_phase_lasts', detail: 'the last phase has no duration: it lasts' });
    if (!isLast && duration === undefined) faults.push({ pointer: pointerTo(at, 'duration'), code: 'missing_field', detail: 'only the last phase has no duration' });
    if (keys.has(own)) faults.push({ pointer: pointerTo(at, 'key'), code: 'duplicate_key', detail: `two phases have the key ${own}` });
    keys.add(own);
    checkPrices(prices, all, pointerTo(at, 'prices'), faults);
    for (const [code, inCurrency] of Object.entries(currencyPrices)) checkPrices(inCurrency, all, pointerTo(pointerTo(at, 'currencyPrices'), code), faults);
  }
};

const checkPrices = (prices: Readonly<Record<string, unknown>>, all: readonly Charge[], pointer: string, faults: Fault[]): void => {
  for (const [chargeKey, own] of Object.entries(prices)) {
    const found = all.find(({ key: known }) => known === chargeKey);
    const at = pointerTo(pointer, chargeKey);
    if (found === undefined) faults.push({ pointer: at, code: 'charge_not_found', detail: `the plan has no charge ${chargeKey}` });
    else if (found.type === 'recurring') checkFeePrice(own, at, faults);
  }
};

/** The plan of a request, without its key. Phases are looked at as a whole only where everything else is well formed. */
const plan = (fields: (currency: string | undefined) => Record<string, Field>): Shape<PlanSpec & { readonly key: string }> => ({
  json: withPlanTerms(object<object>(fields(undefined)), undefined).json,
  read: (value, pointer, faults) => {
    const said = typeof value === 'object' && value !== null ? (value as { currency?: unknown }).currency : undefined;
    const currency = 'value' in readAll(currencyCode(), said) ? said as string : undefined;
    const before = faults.length;
    const read = withPlanTerms(object<PlanSpec & { key: string }>(fields(currency)), currency).read(value, pointer, faults);
    if (faults.length > before) return read;
    const { phases = [] } = read;
    checkPhases(phases, read.charges, pointerTo(pointer, 'phases'), faults);
    if (read.trialDays !== undefined && phases.some(({ trial }) => trial)) faults.push({ pointer: pointerTo(pointer, 'trialDays'), code: 'trial_twice', detail: 'a plan has trialDays or a phase that is a trial' });
    const kept = { ...read, metadata: read.metadata ?? {} };
    if (JSON.stringify(kept).length > PLAN_LENGTH_MAX) faults.push({ pointer, code: 'too_long', detail: `a version of a plan has ${PLAN_LENGTH_MAX} characters at most` });
    return kept;
  },
});

/** A plan with its key. */
export const newPlan: Shape<PlanSpec & { readonly key: string }> = plan((currency) => ({ key: required(key()), ...planFields(currency) }));
const planVersion = plan(planFields);

/** The next version of a plan; its currency is the plan's. */
export const readVersion = (value: unknown, currency: string): Read<PlanSpec> => {
  const isPlain = typeof value === 'object' && value !== null && !Array.isArray(value);
  return readAll(planVersion, isPlain && !('currency' in value) ? { ...value, currency } : value);
};
export const VERSION_JSON = planVersion.json;
