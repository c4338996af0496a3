import type { Fault } from './fault';
import { flat, type FlatPrice } from './models/flat';
import { graduated, type GraduatedPrice } from './models/graduated';
import { perUnit, type PerUnitPrice } from './models/per-unit';
import type { PricingModel } from './models/pricing-model';
import { PriceFields } from './price-fields';

/** What a charge costs. Plain data: it is stored in facts as it is, its numbers as the decimal texts that were sent. */
export type Price = FlatPrice | PerUnitPrice | GraduatedPrice;

export type PricingModelName = Price['model'];

/** Every pricing model by its name. A model without a row, or with the row of another, does not compile. */
export const pricingModels: { readonly [M in PricingModelName]: PricingModel<Extract<Price, { model: M }>> } = {
  flat,
  per_unit: perUnit,
  graduated,
};

export const isPricingModel = (name: unknown): name is PricingModelName => typeof name === 'string' && Object.hasOwn(pricingModels, name);

export type ParsedPrice = { readonly price: Price } | { readonly errors: readonly Fault[] };

/**
 * Reads a price from JSON and reports all that is wrong with it at once, by pointers that start with `pointer`.
 *
 * Codes: `object_expected`, `unknown_pricing_model` (nothing more can be said then), `missing_field`, `unknown_field`,
 * `decimal_string_expected`, `invalid_decimal`, `negative_amount`, `list_expected`, and those of `readTiers`.
 */
export const parsePrice = (value: unknown, pointer: string): ParsedPrice => {
  const errors: Fault[] = [];
  const fields = PriceFields.of(value, pointer, errors);
  const model = fields?.required('model');
  if (fields === undefined || model === undefined) return { errors };
  if (!isPricingModel(model)) {
    fields.note('model', 'unknown_pricing_model', `one of ${Object.keys(pricingModels).join(', ')}`);
    return { errors };
  }
  const price = pricingModels[model].read(fields);
  fields.finish();
  return errors.length > 0 ? { errors } : { price };
};
