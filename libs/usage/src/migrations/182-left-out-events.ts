import { ident } from '@valueverse/event-log';

/** Events that a meter leaves out because their subjects have too many combinations of dimensions are few among the exceptions, and somebody has to look at them. */
export const leftOutEventsSql = (schema: string): string => `
CREATE INDEX usage_exceptions_left_out ON ${ident(schema)}.usage_exceptions (log_time) WHERE code = 'too_many_groups';
`;
