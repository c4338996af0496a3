import { ident } from '@valueverse/event-log';

/** The spans that are to be looked behind are read statement by statement. */
export const spansByStatementSql = (schema: string): string => `
DROP INDEX ${ident(schema)}.usage_stated_spans_to_look_behind;
CREATE INDEX usage_stated_spans_to_look_behind ON ${ident(schema)}.usage_stated_spans (partition, tenant, statement) WHERE NOT is_looked_behind;
`;
