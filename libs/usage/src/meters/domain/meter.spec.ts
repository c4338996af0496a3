import { given } from '@valueverse/testing';
import type { MeterArchived, MeterCreated, MeterVersionAdded } from '@valueverse/contracts';
import { conditionOf } from './filter';
import { type AddMeterVersion, type CreateMeter, meterDecider } from './meter';
import { parseJsonPath, valueAt } from './json-path';

const create: CreateMeter = { type: 'CreateMeter', meterKey: 'tokens', name: 'Tokens', eventType: 'call', aggregation: 'sum', valueProperty: '$.tokens', groupBy: { model: '$.model' }, metadata: {}, createdAt: '2026-01-01T00:00:00Z' };
const created: MeterCreated = {
  type: 'MeterCreated', meterKey: 'tokens', version: 1, name: 'Tokens', eventType: 'call', aggregation: 'sum', valueProperty: '$.tokens', groupBy: { model: '$.model' }, filter: [], carryOver: false, metadata: {}, createdAt: '2026-01-01T00:00:00Z',
};
const { type: _create, ...spec } = create;
const next: AddMeterVersion = { ...spec, type: 'AddMeterVersion', from: '2026-02-01T00:15:00Z' };
const { type: _created, ...rule } = created;
const added: MeterVersionAdded = { ...rule, type: 'MeterVersionAdded', version: 2, from: '2026-02-01T00:15:00Z' };
const burstable = { ...create, aggregation: 'percentile', percentile: '95', sampleWindow: 'PT5M', rate: 'per_second' };
const archived: MeterArchived = { type: 'MeterArchived', meterKey: 'tokens', archivedAt: '2026-03-01T00:00:00Z' };

test('a meter is created', () => { given(meterDecider).when(create).then(created); });
test('a key is taken once', () => { given(meterDecider, created).when(create).thenRefused('meter_exists'); });
test('everything that a meter can say is kept in one form', () => {
  given(meterDecider).when({ ...burstable, unit: 'Mbit/s', filter: [{ property: '$.region', operator: 'in', value: ['eu', 'us'] }], conversion: { divideBy: '1000000.0', round: 'up', scale: 2 } })
    .then({ ...created, aggregation: 'percentile', percentile: '95', sampleWindow: 'PT5M', rate: 'per_second', unit: 'Mbit/s', filter: [{ property: '$.region', operator: 'in', value: ['eu', 'us'] }], conversion: { divideBy: '1000000', round: 'up', scale: 2 } });
});
test.each([
  ['unsupported_aggregation', { aggregation: 'SUM' }], ['unsupported_aggregation', { aggregation: '__proto__' }],
  ['value_property_missing', { valueProperty: undefined }], ['value_property_missing', { aggregation: 'unique_count', valueProperty: undefined }], ['value_property_not_allowed', { aggregation: 'count' }],
  ['invalid_filter', { filter: [{ property: '$.a', operator: 'like', value: 'x' }] }], ['invalid_filter', { filter: [{ property: '$.a', operator: 'in', value: 'x' }] }],
  ['invalid_filter', { filter: [{ property: '$.a', operator: 'in', value: [] }] }], ['invalid_filter', { filter: [{ property: '$.a', operator: 'gt', value: 'much' }] }], ['invalid_filter', { filter: [{ property: '$.a', operator: 'eq', value: { b: 1 } }] }],
  ['invalid_json_path', { filter: [{ property: 'a', operator: 'eq', value: 1 }] }], ['too_many_filters', { filter: Array.from({ length: 21 }, () => ({ property: '$.a', operator: 'eq', value: 1 })) }],
  ['percentile_not_allowed', { percentile: '95' }], ['sample_window_not_allowed', { sampleWindow: 'PT5M' }], ['rate_not_allowed', { rate: 'per_second' }],
  ['invalid_percentile', { ...burstable, percentile: '0' }], ['invalid_percentile', { ...burstable, percentile: '100.1' }], ['invalid_percentile', { ...burstable, percentile: undefined }],
  ['sample_window_missing', { ...burstable, sampleWindow: undefined }], ['invalid_sample_window', { ...burstable, sampleWindow: 'PT7M' }], ['invalid_sample_window', { ...burstable, sampleWindow: 'PT30S' }], ['invalid_duration', { ...burstable, sampleWindow: '5 minutes' }],
  ['invalid_conversion', { conversion: { divideBy: '0' } }], ['invalid_conversion', { conversion: { divideBy: 'x' } }], ['invalid_conversion', { conversion: { divideBy: '2', scale: 2 } }], ['invalid_conversion', { conversion: { round: 'even' } }],
  ['invalid_conversion', { aggregation: 'count', valueProperty: undefined, conversion: { per: 'event' } }], ['carry_over_not_allowed', { aggregation: 'max', carryOver: true }],
  ['too_many_dimensions', { groupBy: Object.fromEntries(Array.from({ length: 11 }, (_, nth) => [`d${nth}`, '$.a'])) }], ['reserved_dimension', { groupBy: { subject: '$.a' } }],
])('%s: %j', (code, change) => { given(meterDecider).when({ ...create, ...change } as CreateMeter).thenRefused(code); });

test('a sample that is no duration is told where it stands', () => {
  expect(() => meterDecider.decide({ ...create, ...burstable, sampleWindow: '5 minutes' } as CreateMeter, meterDecider.initial)).toThrow(expect.objectContaining({ code: 'invalid_duration', pointer: '/sampleWindow' }));
});

test('a version begins where a bucket begins, after the one before it, and adds up with it', () => {
  given(meterDecider, created).when(next).then(added);
  given(meterDecider).when(next).thenRefused('meter_not_found');
  given(meterDecider, created).when({ ...next, from: '2026-02-01T00:10:00Z' }).thenRefused('unaligned_instant');
  given(meterDecider, created, added).when({ ...next, from: '2026-02-01T00:15:00Z' }).thenRefused('version_too_early');
  given(meterDecider, created).when({ ...next, aggregation: 'max' }).thenRefused('aggregation_changed');
});
test('a meter is archived and restored, each once', () => {
  given(meterDecider, created).when({ type: 'ArchiveMeter', meterKey: 'tokens', at: '2026-03-01T00:00:00Z' }).then(archived);
  given(meterDecider, created, archived).when({ type: 'ArchiveMeter', meterKey: 'tokens', at: '2026-03-02T00:00:00Z' }).then();
  given(meterDecider, created, archived).when({ type: 'RestoreMeter', meterKey: 'tokens', at: '2026-03-03T00:00:00Z' }).then({ type: 'MeterRestored', meterKey: 'tokens', restoredAt: '2026-03-03T00:00:00Z' });
  given(meterDecider).when({ type: 'ArchiveMeter', meterKey: 'tokens', at: '2026-03-01T00:00:00Z' }).thenRefused('meter_not_found');
});

test.each(['', '$', 'a', '$.', '$.a.', '$..a', '$.a b', '$[0]', '$.a[0]', '$.*', `$.${'a'.repeat(300)}`])('%j is no path', (path) => {
  expect(() => parseJsonPath(path, '/valueProperty')).toThrow(expect.objectContaining({ code: 'invalid_json_path', pointer: '/valueProperty' }));
});
test('a path leads into the data and never into its prototype', () => {
  expect(valueAt({ a: { b: 5 } }, parseJsonPath('$.a.b', ''))).toBe(5);
  expect(valueAt({ a: 5 }, parseJsonPath('$.a.b', ''))).toBeUndefined();
  expect(valueAt({}, parseJsonPath('$.constructor', ''))).toBeUndefined();
});

test.each([
  ['eq', 'eu', 'eu', true], ['eq', 'eu', 'EU', false], ['eq', 1, '1.0', true], ['eq', '0.1', 0.1, true], ['eq', true, true, true], ['eq', true, 1, false], ['eq', 'eu', undefined, false], ['eq', 'eu', null, false], ['eq', 'x', ['x'], false],
  ['neq', 'eu', 'us', true], ['neq', 'eu', undefined, true], ['neq', 'eu', 'eu', false], ['in', ['a', 2], 2, true], ['in', ['a', 2], 'b', false], ['nin', ['a'], 'b', true], ['nin', ['a'], undefined, true], ['nin', ['a'], 'a', false],
  ['gt', 5, 5, false], ['gt', 5, '5.0000000000000000000001', true], ['gte', 5, 5, true], ['lt', '-1', -2, true], ['lte', 1, 1, true], ['lte', 1, 'one', false], ['gt', 1, undefined, false],
  ['exists', true, 0, true], ['exists', true, null, false], ['exists', undefined, 'x', true], ['exists', false, undefined, true], ['exists', false, '', false],
] as const)('%s %j holds for %j: %s', (operator, value, found, holds) => {
  expect(conditionOf({ property: '$.a', operator, ...(value === undefined ? {} : { value }) }, '')({ a: found })).toBe(holds);
});
