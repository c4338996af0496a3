import { anything, billingInterval, charge, commitment, flag, instant, list, mapOf, nullable, object, optional, planPhase, proration, text, whole, type Schema } from '@valueverse/contracts';

/** A version of a plan. */
export const PLAN = object({
  key: text(), version: whole(1), name: text(), currency: text(3), currencies: list(text(3)), interval: billingInterval, charges: list(charge), phases: optional(list(planPhase)), proration: optional(proration),
  commitment: optional(commitment), taxRateKeys: optional(list(text())), features: optional(mapOf(anything())), trialDays: optional(whole(1)), productKey: optional(text()), metadata: mapOf(text()),
  createdAt: instant(), archivedAt: nullable(instant()), isLatest: flag(),
});
export const FIELD_CHANGES = list(object({ field: text(), old: optional(anything()), new: optional(anything()) }));
const listDiff = (item: Schema<unknown>) => object({ added: list(item), removed: list(item), changed: list(object({ key: text(), fields: FIELD_CHANGES })) });
export const PLAN_DIFF_FIELDS = { fields: FIELD_CHANGES, charges: listDiff(charge), phases: listDiff(planPhase) };
export const PLAN_DIFF = object(PLAN_DIFF_FIELDS);
