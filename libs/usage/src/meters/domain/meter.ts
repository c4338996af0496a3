import { Decimal, type Decider, dispatch, durationMicros, microsNumberOfText, Refused, refusedAt } from '@valueverse/kernel';
import { FILTER_OPERATORS, type MeterArchived, type MeterConversion, type MeterCreated, type MeterFilter, type MeterRestored, type MeterVersionAdded } from '@valueverse/contracts';
import { type Aggregation, aggregationNamed } from '../../metering/domain/aggregations';
import { BUCKET_MICROS } from '../../metering/domain/bucket';
import { conditionOf, FILTERS_MAX } from './filter';
import { parseJsonPath } from './json-path';

/** What a meter is told to count, as a request says it. */
export interface MeterSpec {
  readonly name: string;
  readonly eventType: string;
  readonly aggregation: string;
  readonly valueProperty?: string | undefined;
  /** Dimension -> path into the data. */
  readonly groupBy: Readonly<Record<string, string>>;
  readonly filter?: readonly { readonly property: string; readonly operator: string; readonly value?: unknown }[] | undefined;
  readonly percentile?: string | undefined;
  readonly sampleWindow?: string | undefined;
  readonly rate?: string | undefined;
  readonly unit?: string | undefined;
  readonly conversion?: { readonly divideBy?: string | undefined; readonly round?: string | undefined; readonly scale?: number | undefined; readonly per?: string | undefined } | undefined;
  readonly carryOver?: boolean | undefined;
  readonly metadata: Readonly<Record<string, string>>;
}
/** `from`: where it begins to count; with the first event there is, where it is not given. */
export interface CreateMeter extends MeterSpec { readonly type: 'CreateMeter'; readonly meterKey: string; readonly from?: string | undefined; readonly createdAt: string }
export interface AddMeterVersion extends MeterSpec { readonly type: 'AddMeterVersion'; readonly meterKey: string; readonly from: string; readonly createdAt: string }
export interface ArchiveMeter { readonly type: 'ArchiveMeter'; readonly meterKey: string; readonly at: string }
export interface RestoreMeter { readonly type: 'RestoreMeter'; readonly meterKey: string; readonly at: string }
export type MeterCommand = CreateMeter | AddMeterVersion | ArchiveMeter | RestoreMeter;
export type MeterFact = MeterCreated | MeterVersionAdded | MeterArchived | MeterRestored;

export interface MeterState {
  readonly exists: boolean;
  readonly version: number;
  readonly aggregation: string;
  readonly sampleWindow: string | undefined;
  /** When the last version begins; undefined for a first one that counts everything. */
  readonly from: string | undefined;
  readonly isArchived: boolean;
}

/** More dimensions would make a bucket of nearly every event. */
export const DIMENSIONS_MAX = 10;
export const METER_VERSIONS_MAX = 100;
const DIMENSION = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
/** `groupBy=subject` splits a query by subject. */
const RESERVED_DIMENSION = 'subject';
const MINUTE_MICROS = 60_000_000n;
const DAY_MICROS = 86_400_000_000n;
const CONVERSION_SCALE_MAX = 12;
const HUNDRED = Decimal.of(100);

const assertDimensions = (groupBy: Readonly<Record<string, string>>): void => {
  const entries = Object.entries(groupBy);
  if (entries.length > DIMENSIONS_MAX) throw new Refused('too_many_dimensions', `a meter has at most ${DIMENSIONS_MAX} dimensions`, '/groupBy');
  for (const [dimension, path] of entries) {
    if (dimension === RESERVED_DIMENSION) throw new Refused('reserved_dimension', `${RESERVED_DIMENSION} is the subject of the events`, `/groupBy/${dimension}`);
    if (!DIMENSION.test(dimension)) throw new Refused('invalid_dimension', 'a dimension is a name of letters, digits and _', '/groupBy');
    parseJsonPath(path, `/groupBy/${dimension}`);
  }
};

const assertValue = ({ name, value }: Aggregation, valueProperty: string | undefined): void => {
  if (value !== 'none' && valueProperty === undefined) throw new Refused('value_property_missing', `${name} needs a valueProperty`, '/valueProperty');
  if (value === 'none' && valueProperty !== undefined) throw new Refused('value_property_not_allowed', `${name} looks at no value`, '/valueProperty');
  if (valueProperty !== undefined) parseJsonPath(valueProperty, '/valueProperty');
};

const filtersOf = (filter: NonNullable<MeterSpec['filter']>): readonly MeterFilter[] => {
  if (filter.length > FILTERS_MAX) throw new Refused('too_many_filters', `a meter has at most ${FILTERS_MAX} filters`, '/filter');
  return filter.map(({ property, operator, value }, index) => {
    const known = FILTER_OPERATORS.find((name) => name === operator);
    if (known === undefined) throw new Refused('invalid_filter', `one of ${FILTER_OPERATORS.join(', ')} is expected`, `/filter/${index}/operator`);
    const read = { property, operator: known, ...(value === undefined ? {} : { value }) };
    conditionOf(read, `/filter/${index}`);
    return read;
  });
};

const only = (allowed: boolean, field: string, given: unknown, what: string): void => {
  if (!allowed && given !== undefined) throw new Refused(`${what}_not_allowed`, `${field} is for a percentile alone`, `/${field}`);
};

const samplingOf = ({ name }: Aggregation, { percentile, sampleWindow, rate }: MeterSpec): Pick<MeterCreated, 'percentile' | 'sampleWindow' | 'rate'> => {
  const isPercentile = name === 'percentile';
  only(isPercentile, 'percentile', percentile, 'percentile');
  only(isPercentile, 'sampleWindow', sampleWindow, 'sample_window');
  only(isPercentile, 'rate', rate, 'rate');
  if (!isPercentile) return {};
  const rank = percentile === undefined ? undefined : Decimal.tryParse(percentile);
  if (rank === undefined || !rank.isPositive() || rank.gt(HUNDRED)) throw new Refused('invalid_percentile', 'a decimal above 0 and up to 100 is expected, such as "95"', '/percentile');
  if (sampleWindow === undefined) throw new Refused('sample_window_missing', 'a percentile is taken of samples, such as those of "PT5M"', '/sampleWindow');
  const length = refusedAt('/sampleWindow', () => durationMicros(sampleWindow));
  if (length < MINUTE_MICROS || length > DAY_MICROS || DAY_MICROS % length !== 0n) throw new Refused('invalid_sample_window', 'a part of a day without a rest is expected, of a minute or more, such as "PT5M"', '/sampleWindow');
  if (rate !== undefined && rate !== 'per_second') throw new Refused('invalid_rate', '"per_second" is expected', '/rate');
  return { percentile: rank.toString(), sampleWindow, ...(rate === undefined ? {} : { rate }) };
};

const conversionOf = ({ name, fold }: Aggregation, conversion: NonNullable<MeterSpec['conversion']>): MeterConversion => {
  const { divideBy, round, scale, per } = conversion;
  const refuse = (detail: string, field: string): never => { throw new Refused('invalid_conversion', detail, `/conversion/${field}`); };
  const divisor = divideBy === undefined ? undefined : Decimal.tryParse(divideBy) ?? refuse('a decimal is expected', 'divideBy');
  if (divisor !== undefined && !divisor.isPositive()) refuse('more than 0 is expected', 'divideBy');
  if (round !== undefined && round !== 'up' && round !== 'down' && round !== 'half_up') return refuse('up, down or half_up is expected', 'round');
  if (scale !== undefined && (round === undefined || !Number.isInteger(scale) || scale < 0 || scale > CONVERSION_SCALE_MAX)) refuse(`digits after the point, 0 to ${CONVERSION_SCALE_MAX}, are expected beside "round"`, 'scale');
  if (per !== undefined && per !== 'period' && per !== 'event') return refuse('period or event is expected', 'per');
  if (per === 'event' && (name === 'count' || fold === 'distinct')) refuse(`${name} looks at no number of an event`, 'per');
  return {
    ...(divisor === undefined ? {} : { divideBy: divisor.toString() }), ...(round === undefined ? {} : { round }), ...(scale === undefined ? {} : { scale }), ...(per === undefined ? {} : { per }),
  };
};

/** Checks what a meter is told to count and brings it into the form of a fact. */
const ruleDataOf = (spec: MeterSpec): Omit<MeterCreated, 'type' | 'meterKey' | 'version' | 'createdAt'> => {
  const aggregation = aggregationNamed(spec.aggregation);
  const { name, eventType, valueProperty, groupBy, unit, carryOver = false, metadata } = spec;
  assertValue(aggregation, valueProperty);
  assertDimensions(groupBy);
  if (carryOver && !aggregation.carries) throw new Refused('carry_over_not_allowed', `${aggregation.name} begins anew in each period`, '/carryOver');
  return {
    name, eventType, aggregation: aggregation.name, ...(valueProperty === undefined ? {} : { valueProperty }), groupBy, filter: filtersOf(spec.filter ?? []),
    ...samplingOf(aggregation, spec), ...(unit === undefined ? {} : { unit }), ...(spec.conversion === undefined ? {} : { conversion: conversionOf(aggregation, spec.conversion) }), carryOver, metadata,
  };
};

const assertExists = ({ exists }: MeterState, meterKey: string): void => {
  if (!exists) throw new Refused('meter_not_found', `there is no meter ${meterKey}`);
};

/** Answers the instant in microseconds. */
const assertAligned = (from: string, sampleWindow: string | undefined): number => {
  const begins = microsNumberOfText(from);
  const length = sampleWindow === undefined ? BUCKET_MICROS : Number(durationMicros(sampleWindow));
  if (begins % length !== 0) throw new Refused('unaligned_instant', 'a version begins where a bucket begins: at a quarter of an hour in UTC, or at the start of a sample window', '/from');
  return begins;
};

/** A later rule may count other events and other values, but its buckets have to add up with the earlier ones. */
const assertContinues = ({ from, aggregation, sampleWindow, version }: MeterState, command: AddMeterVersion, rule: { aggregation: string; sampleWindow?: string | undefined }): void => {
  if (version >= METER_VERSIONS_MAX) throw new Refused('too_many_versions', `a meter has at most ${METER_VERSIONS_MAX} versions`);
  if (rule.aggregation !== aggregation) throw new Refused('aggregation_changed', `the meter is of ${aggregation}; make another one`, '/aggregation');
  if (rule.sampleWindow !== sampleWindow) throw new Refused('sample_window_changed', 'samples of different lengths do not compare; make another meter', '/sampleWindow');
  const begins = assertAligned(command.from, rule.sampleWindow);
  if (from !== undefined && begins <= microsNumberOfText(from)) throw new Refused('version_too_early', `the last version begins at ${from}; a new one begins after it`, '/from');
};

/**
 * A meter is created once and changed by versions, each from an instant on; the past keeps the rule that it had. Refuses with `meter_exists`, `meter_not_found`,
 * `unsupported_aggregation`, `value_property_missing`, `value_property_not_allowed`, `invalid_json_path`, `too_many_dimensions`, `invalid_dimension`, `reserved_dimension`,
 * `too_many_filters`, `invalid_filter`, `invalid_percentile`, `invalid_sample_window`, `sample_window_missing`, `sample_window_not_allowed`, `percentile_not_allowed`, `rate_not_allowed`,
 * `invalid_rate`, `invalid_duration`, `invalid_conversion`, `carry_over_not_allowed`, `aggregation_changed`, `sample_window_changed`, `unaligned_instant`, `version_too_early`, `too_many_versions`.
 */
export const meterDecider: Decider<MeterCommand, MeterFact, MeterState> = {
  initial: { exists: false, version: 0, aggregation: '', sampleWindow: undefined, from: undefined, isArchived: false },
  decide: dispatch<MeterCommand, MeterState, readonly MeterFact[]>({
    CreateMeter: (command, { exists }) => {
      const rule = ruleDataOf(command);
      if (command.from !== undefined) assertAligned(command.from, rule.sampleWindow);
      if (exists) throw new Refused('meter_exists', `there is a meter ${command.meterKey} already`, '/key');
      return [{ type: 'MeterCreated', meterKey: command.meterKey, version: 1, ...rule, ...(command.from === undefined ? {} : { from: command.from }), createdAt: command.createdAt }];
    },
    AddMeterVersion: (command, state) => {
      assertExists(state, command.meterKey);
      const rule = ruleDataOf(command);
      assertContinues(state, command, rule);
      return [{ type: 'MeterVersionAdded', meterKey: command.meterKey, version: state.version + 1, ...rule, from: command.from, createdAt: command.createdAt }];
    },
    ArchiveMeter: ({ meterKey, at }, state) => {
      assertExists(state, meterKey);
      return state.isArchived ? [] : [{ type: 'MeterArchived', meterKey, archivedAt: at }];
    },
    RestoreMeter: ({ meterKey, at }, state) => {
      assertExists(state, meterKey);
      return state.isArchived ? [{ type: 'MeterRestored', meterKey, restoredAt: at }] : [];
    },
  }),
  evolve: dispatch<MeterFact, MeterState, MeterState>({
    MeterCreated: ({ version, aggregation, sampleWindow, from }) => ({ exists: true, version, aggregation, sampleWindow, from, isArchived: false }),
    MeterVersionAdded: ({ version, from }, state) => ({ ...state, version, from }),
    MeterArchived: (_, state) => ({ ...state, isArchived: true }),
    MeterRestored: (_, state) => ({ ...state, isArchived: false }),
  }),
};
