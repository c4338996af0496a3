import type { Fault } from './fault';
import { dynamic, type DynamicPrice } from './models/dynamic';
import { flat, type FlatPrice } from './models/flat';
import { graduated, type GraduatedPrice } from './models/graduated';
import { graduatedPercentage, type GraduatedPercentagePrice } from './models/graduated-percentage';
import { matrix, type MatrixPrice } from './models/matrix';
import { packages, type PackagePrice } from './models/package';
import { perUnit, type PerUnitPrice } from './models/per-unit';
import { percentage, type PercentagePrice } from './models/percentage';
import type { PricingModel, RatedQuantity } from './models/pricing-model';
import { stairstep, type StairstepPrice } from './models/stairstep';
import { volume, type VolumePrice } from './models/volume';
import { PriceFields } from './price-fields';
import type { Step } from './step';

/** What a charge costs. Plain data: it is stored in facts as it is, its numbers as the decimal texts that were sent. */
export type Price =
  | FlatPrice | PerUnitPrice | GraduatedPrice | VolumePrice | StairstepPrice | PackagePrice | PercentagePrice | GraduatedPercentagePrice | DynamicPrice | MatrixPrice;

export type PricingModelName = Price['model'];

/** Every pricing model by its name. A model without a row, or with the row of another, does not compile. */
export const pricingModels: { readonly [M in PricingModelName]: PricingModel<Extract<Price, { model: M }>> } = {
  flat,
  per_unit: perUnit,
  graduated,
  volume,
  stairstep,
  package: packages,
  percentage,
  graduated_percentage: graduatedPercentage,
  dynamic,
  matrix,
};

export const isPricingModel = (name: unknown): name is PricingModelName => typeof name === 'string' && Object.hasOwn(pricingModels, name);

export type ParsedPrice = { readonly price: Price } | { readonly errors: readonly Fault[] };

/** Reads a price whose fields somebody else may have asked for too, and notes every fault. Codes as `parsePrice`. */
export const readPrice = (fields: PriceFields): Price | undefined => {
  const model = fields.required('model');
  if (model === undefined) return undefined;
  if (!isPricingModel(model)) {
    fields.note('model', 'unknown_pricing_model', `one of ${Object.keys(pricingModels).join(', ')}`);
    return undefined;
  }
  const price = pricingModels[model].read(fields, readPrice);
  fields.finish();
  return price;
};

/**
 * Reads a price from JSON and reports all that is wrong with it at once, by pointers that start with `pointer`. With a currency, amounts
 * that are due as they are may not have more digits than it has.
 *
 * Codes: `object_expected`, `unknown_pricing_model` (nothing more can be said then), `missing_field`, `unknown_field`,
 * `decimal_string_expected`, `invalid_decimal`, `too_long`, `negative_amount`, `not_positive`, `money_precision`, `whole_number_expected`,
 * `text_expected`, `list_expected`, `maximum_below_minimum`, `invalid_json_path`, those of `readTiersWith`, and of a matrix
 * `dimensions_expected`, `dimension_repeats`, `cells_empty`, `too_many_cells`, `unknown_dimension`, `cell_repeats`, `nested_matrix`, `event_price_in_cell`.
 * Refuses a code that is no currency with `unknown_currency`.
 */
export const parsePrice = (value: unknown, pointer: string, currency?: string): ParsedPrice => {
  const errors: Fault[] = [];
  const fields = PriceFields.of(value, pointer, errors, currency);
  const price = fields === undefined ? undefined : readPrice(fields);
  return price === undefined || errors.length > 0 ? { errors } : { price };
};

/** The steps by which a price makes an amount of a quantity, nothing rounded. */
export const priceSteps = (price: Price, rated: RatedQuantity): readonly Step[] =>
  (pricingModels[price.model] as PricingModel<Price>).steps(price, rated, priceSteps);

/** Models of fees: they need a quantity alone, and that quantity is no value of money. */
const FEE_MODELS: readonly PricingModelName[] = ['flat', 'per_unit', 'graduated', 'volume', 'stairstep', 'package'];

/** Whether a recurring fee may have this price. */
export const isFeePrice = ({ model }: Price): boolean => FEE_MODELS.includes(model);
