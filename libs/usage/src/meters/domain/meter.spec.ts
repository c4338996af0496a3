import { given } from '@valueverse/testing';
import { type CreateMeter, meterDecider } from './meter';
import { parseJsonPath, valueAt } from './json-path';

const create: CreateMeter = { type: 'CreateMeter', meterKey: 'tokens', name: 'Tokens', eventType: 'call', aggregation: 'sum', valueProperty: '$.tokens', groupBy: { model: '$.model' }, metadata: {}, createdAt: '2026-01-01T00:00:00Z' };
const { type: _type, ...data } = create;
const created = { type: 'MeterCreated', ...data, aggregation: 'sum', valueProperty: '$.tokens', version: 1 } as const;

test('a meter is created', () => { given(meterDecider).when(create).then(created); });
test('a key is taken once', () => { given(meterDecider, created).when(create).thenRefused('meter_exists'); });
test.each(['min', 'max', 'average', 'latest', 'unique_count', 'time_weighted_sum', 'percentile', 'SUM', '__proto__'])('the aggregation %s is not there', (aggregation) => {
  given(meterDecider).when({ ...create, aggregation }).thenRefused('unsupported_aggregation');
});
test.each(['', '$', 'a', '$.', '$.a.', '$..a', '$.a b', '$[0]', '$.a[0]', '$.*', `$.${'a'.repeat(300)}`])('%j is no path', (path) => {
  expect(() => parseJsonPath(path, '/valueProperty')).toThrow(expect.objectContaining({ code: 'invalid_json_path', pointer: '/valueProperty' }));
});
test('a path leads into the data and never into its prototype', () => {
  expect(valueAt({ a: { b: 5 } }, parseJsonPath('$.a.b', ''))).toBe(5);
  expect(valueAt({ a: 5 }, parseJsonPath('$.a.b', ''))).toBeUndefined();
  expect(valueAt({}, parseJsonPath('$.constructor', ''))).toBeUndefined();
});
