import { registerRefusals } from '@valueverse/platform';

/** With which status metering's refusals are answered. Those that are not here are conflicts: 409. */
const REQUEST_AT_FAULT = [
  'unsupported_aggregation', 'value_property_missing', 'value_property_not_allowed', 'invalid_json_path', 'too_many_dimensions', 'invalid_dimension', 'reserved_dimension',
  'too_many_filters', 'invalid_filter', 'invalid_percentile', 'percentile_not_allowed', 'invalid_sample_window', 'sample_window_missing', 'sample_window_not_allowed', 'rate_not_allowed', 'invalid_rate', 'invalid_conversion',
  'carry_over_not_allowed', 'aggregation_changed', 'sample_window_changed', 'unaligned_instant', 'period_too_long', 'unknown_dimension', 'too_many_windows', 'list_expected', 'too_many_events', 'not_a_cloud_event',
  'malformed_json', 'no_events', 'invalid_mapping', 'invalid_address', 'retention_too_short', 'retention_too_long',
];

export const registerUsageRefusals = (): void => registerRefusals({ ...Object.fromEntries(REQUEST_AT_FAULT.map((code) => [code, 400])), unsupported_charset: 415, meter_not_found: 404, meter_exists: 409 });
