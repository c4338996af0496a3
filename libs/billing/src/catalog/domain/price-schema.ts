import { MATRIX_CELLS_MAX, MATRIX_DIMENSIONS_MAX, PRICE_NUMBER_LENGTH_MAX, PRICE_TEXT_LENGTH_MAX, TIERS_MAX, type PricingModelName } from '@valueverse/rating';

/** Prices as JSON Schema, for documents and editors. How a price is read is rating's own (`parsePrice`); a spec holds the two together. */
type Json = Readonly<Record<string, unknown>>;

const amount = { type: 'string', pattern: '^\\d+(\\.\\d+)?$', maxLength: PRICE_NUMBER_LENGTH_MAX };
const name = { type: 'string', minLength: 1, maxLength: PRICE_TEXT_LENGTH_MAX };
const upTo = { anyOf: [amount, { type: 'null' }], description: 'The bound, inclusive; absent or null in the last tier' };
const commitment = { type: 'object', properties: { amount, overageFactor: amount, trueUp: { type: 'boolean' } }, required: ['amount'], additionalProperties: false };
const object = (properties: Json, required: readonly string[]): Json => ({ type: 'object', properties, required, additionalProperties: false });
const tiers = (fields: Json, required: readonly string[], anyOf?: readonly Json[]): Json =>
  ({ type: 'array', minItems: 1, maxItems: TIERS_MAX, items: { ...object({ upTo, ...fields }, required), ...(anyOf === undefined ? {} : { anyOf }) } });
const amountTiers = tiers({ unitAmount: amount, flatAmount: amount }, [], [{ required: ['unitAmount'] }, { required: ['flatAmount'] }]);

/** The fields of each model, and those that it must have. */
const MODELS: { readonly [M in Exclude<PricingModelName, 'matrix'>]: readonly [Json, readonly string[]] } = {
  flat: [{ amount }, ['amount']],
  per_unit: [{ unitAmount: amount }, ['unitAmount']],
  graduated: [{ tiers: amountTiers }, ['tiers']],
  volume: [{ tiers: amountTiers }, ['tiers']],
  stairstep: [{ tiers: tiers({ flatAmount: amount }, ['flatAmount']) }, ['tiers']],
  package: [{ packageSize: amount, packageAmount: amount }, ['packageSize', 'packageAmount']],
  percentage: [{ rate: amount, fixedAmount: amount, freeEvents: { type: 'integer', minimum: 0 }, freeAmount: amount, minAmountPerEvent: amount, maxAmountPerEvent: amount }, ['rate']],
  graduated_percentage: [{ tiers: tiers({ rate: amount, flatAmount: amount }, ['rate']) }, ['tiers']],
  dynamic: [{ amountProperty: name, multiplier: amount }, ['amountProperty']],
};
const modelsWith = (more: Json, without: readonly string[] = []): readonly Json[] => Object.entries(MODELS).filter(([model]) => !without.includes(model))
  .map(([model, [fields, required]]) => object({ model: { const: model }, ...fields, ...more }, ['model', ...required]));

const cellPrice = { oneOf: modelsWith({}, ['dynamic']) };
const matrix = (more: Json): Json => object({
  model: { const: 'matrix' }, dimensions: { type: 'array', items: name, minItems: 1, maxItems: MATRIX_DIMENSIONS_MAX, uniqueItems: true },
  cells: { type: 'array', minItems: 1, maxItems: MATRIX_CELLS_MAX, items: object({ match: { type: 'object', additionalProperties: { type: 'string', maxLength: PRICE_TEXT_LENGTH_MAX } }, price: cellPrice }, ['match', 'price']) },
  default: cellPrice, ...more,
}, ['model', 'dimensions', 'cells']);

const DESCRIPTION = 'A pricing model with its fields; amounts are decimal strings in major units';
export const PRICE_SCHEMA: Json = { description: DESCRIPTION, oneOf: [...modelsWith({}), matrix({})] };
/** A price of a window, which may have a commitment of its own. */
export const WINDOW_PRICE_SCHEMA: Json = { description: DESCRIPTION, oneOf: [...modelsWith({ commitment }), matrix({ commitment })] };
