import { type Decider, dispatch, Refused } from '@valueverse/kernel';
import type { MeterCreated } from '@valueverse/contracts';
import { aggregationNamed } from '../../metering/domain/aggregations';
import { parseJsonPath } from './json-path';

export interface CreateMeter {
  readonly type: 'CreateMeter';
  readonly meterKey: string;
  readonly name: string;
  readonly eventType: string;
  readonly aggregation: string;
  readonly valueProperty?: string | undefined;
  /** Dimension -> path into the data. */
  readonly groupBy: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly createdAt: string;
}
export interface MeterState { readonly exists: boolean }

/** More dimensions would make a bucket of nearly every event. */
export const DIMENSIONS_MAX = 10;
const DIMENSION = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
/** `groupBy=subject` splits a query by subject. */
const RESERVED_DIMENSION = 'subject';

const assertDimensions = (groupBy: Readonly<Record<string, string>>): void => {
  const entries = Object.entries(groupBy);
  if (entries.length > DIMENSIONS_MAX) throw new Refused('too_many_dimensions', `a meter has at most ${DIMENSIONS_MAX} dimensions`, '/groupBy');
  for (const [dimension, path] of entries) {
    if (dimension === RESERVED_DIMENSION) throw new Refused('reserved_dimension', `${RESERVED_DIMENSION} is the subject of the events`, `/groupBy/${dimension}`);
    if (!DIMENSION.test(dimension)) throw new Refused('invalid_dimension', 'a dimension is a name of letters, digits and _', '/groupBy');
    parseJsonPath(path, `/groupBy/${dimension}`);
  }
};

/**
 * A meter is created once; its rule never changes. Refuses with `meter_exists`, `unsupported_aggregation`, `value_property_missing`,
 * `value_property_not_allowed`, `invalid_json_path`, `too_many_dimensions`, `invalid_dimension`, `reserved_dimension`.
 */
export const meterDecider: Decider<CreateMeter, MeterCreated, MeterState> = {
  initial: { exists: false },
  decide: dispatch<CreateMeter, MeterState, readonly MeterCreated[]>({
    CreateMeter: ({ type: _type, aggregation: name, valueProperty, ...command }, { exists }) => {
      const aggregation = aggregationNamed(name);
      if (exists) throw new Refused('meter_exists', `there is a meter ${command.meterKey} already`, '/key');
      if (aggregation.needsValue && valueProperty === undefined) throw new Refused('value_property_missing', `${name} needs a valueProperty`, '/valueProperty');
      if (!aggregation.needsValue && valueProperty !== undefined) throw new Refused('value_property_not_allowed', `${name} looks at no value`, '/valueProperty');
      if (valueProperty !== undefined) parseJsonPath(valueProperty, '/valueProperty');
      assertDimensions(command.groupBy);
      return [{ type: 'MeterCreated', ...command, version: 1, aggregation: aggregation.name, ...(valueProperty === undefined ? {} : { valueProperty }) }];
    },
  }),
  evolve: dispatch<MeterCreated, MeterState, MeterState>({ MeterCreated: () => ({ exists: true }) }),
};
