import { eventTermsOf } from '../event-terms';
import type { Price } from '../price';
import type { PriceFields } from '../price-fields';
import type { PricingModel } from './pricing-model';

/** A price for each combination of what the usage is told apart by. Each cell is rated for itself: its tiers and flat parts are its own. */
export interface MatrixPrice {
  readonly model: 'matrix';
  /** Dimensions of the meter. */
  readonly dimensions: readonly string[];
  readonly cells: readonly MatrixCell[];
  /** Of every combination that has no cell. Without it those cost nothing, and their lines say so. */
  readonly default?: CellPrice;
}

export interface MatrixCell {
  /** A value for each dimension; usage that has none has the value "". */
  readonly match: Readonly<Record<string, string>>;
  readonly price: CellPrice;
}

/** What a cell costs: a price that needs a quantity alone. */
export type CellPrice = Exclude<Price, { readonly model: 'matrix' | 'dynamic' }>;

export const MATRIX_CELLS_MAX = 500;
export const MATRIX_DIMENSIONS_MAX = 5;

/** The combination that a cell is for, as one text. */
const combination = (dimensions: readonly string[], values: Readonly<Record<string, string>>): string =>
  JSON.stringify(dimensions.map((name) => (Object.hasOwn(values, name) ? values[name]! : '')));

const readDimensions = (fields: PriceFields): readonly string[] => {
  const written = fields.required('dimensions');
  if (written === undefined) return [];
  const isList = Array.isArray(written) && written.length >= 1 && written.length <= MATRIX_DIMENSIONS_MAX && written.every((name) => typeof name === 'string' && name !== '');
  if (!isList) {
    fields.note('dimensions', 'dimensions_expected', `1 to ${MATRIX_DIMENSIONS_MAX} names of dimensions belong here`);
    return [];
  }
  if (new Set(written).size < written.length) fields.note('dimensions', 'dimension_repeats', 'each dimension is named once');
  return written as string[];
};

/** The values of a cell; `undefined` where one of them is wrong. */
const readMatch = (cell: PriceFields, dimensions: readonly string[]): Readonly<Record<string, string>> | undefined => {
  const match = cell.object('match');
  if (match === undefined || dimensions.length === 0) return undefined;
  for (const name of match.names) if (!dimensions.includes(name)) match.note(name, 'unknown_dimension', `one of ${dimensions.join(', ')}`);
  // The empty text is what usage without the dimension has.
  const values = dimensions.map((name) => [name, match.optional(name) === '' ? '' : match.text(name) || undefined] as const);
  return values.every(([, value]) => value !== undefined) ? Object.fromEntries(values as [string, string][]) : undefined;
};

const readCells = (fields: PriceFields, dimensions: readonly string[], readCellPrice: (holder: PriceFields, name: string) => CellPrice | undefined): readonly MatrixCell[] => {
  const written = fields.optional('cells');
  if (Array.isArray(written) && written.length > MATRIX_CELLS_MAX) {
    fields.note('cells', 'too_many_cells', `a matrix has ${MATRIX_CELLS_MAX} cells at most`);
    return [];
  }
  const cells = fields.objects('cells') ?? [];
  if (Array.isArray(written) && written.length === 0) fields.note('cells', 'cells_empty', 'a matrix has one cell at least');
  const known = new Set<string>();
  return cells.flatMap((cell) => {
    if (cell === undefined) return [];
    const match = readMatch(cell, dimensions);
    const key = match === undefined ? undefined : combination(dimensions, match);
    if (key !== undefined && known.has(key)) cell.note('match', 'cell_repeats', 'another cell is for the same values');
    if (key !== undefined) known.add(key);
    const price = readCellPrice(cell, 'price');
    cell.finish();
    return price === undefined || match === undefined ? [] : [{ match, price }];
  });
};

/** The cells of a price by their combination, so that a line does not look through all of them. */
const CELLS = new WeakMap<MatrixPrice, ReadonlyMap<string, CellPrice>>();

/** The price of a combination: of its cell, or the default; `undefined` where there is neither. */
export const cellPriceOf = (price: MatrixPrice, values: Readonly<Record<string, string>>): CellPrice | undefined => {
  let cells = CELLS.get(price);
  if (cells === undefined) {
    cells = new Map(price.cells.map(({ match, price: cell }) => [combination(price.dimensions, match), cell]));
    CELLS.set(price, cells);
  }
  return cells.get(combination(price.dimensions, values)) ?? price.default;
};

const read = (fields: PriceFields, readNested: (nested: PriceFields) => Price | undefined): MatrixPrice => {
  const readCellPrice = (holder: PriceFields, name: string): CellPrice | undefined => {
    const nested = holder.object(name);
    if (nested === undefined) return undefined;
    if (nested.optional('model') === 'matrix') {
      nested.note('model', 'nested_matrix', 'the price of a cell is no matrix itself');
      return undefined;
    }
    const price = readNested(nested);
    if (price !== undefined && eventTermsOf(price) !== undefined) nested.note('model', 'event_price_in_cell', 'the price of a cell needs a quantity alone and does not look at single events');
    return price as CellPrice | undefined;
  };
  const dimensions = readDimensions(fields);
  const cells = readCells(fields, dimensions, readCellPrice);
  const otherwise = fields.optional('default') === undefined ? undefined : readCellPrice(fields, 'default');
  return { model: 'matrix', dimensions, cells, ...(otherwise === undefined ? {} : { default: otherwise }) };
};

export const matrix: PricingModel<MatrixPrice> = {
  read,
  steps: (price, rated, stepsOfCell) => {
    const cell = cellPriceOf(price, rated.dimensions ?? {});
    if (cell !== undefined) return stepsOfCell(cell, rated);
    return rated.quantity.isZero() ? [] : [{ kind: 'unpriced', quantity: rated.quantity.toString(), amount: '0' }];
  },
};
