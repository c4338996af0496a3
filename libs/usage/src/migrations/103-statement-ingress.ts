import { ident } from '@valueverse/event-log';

/** Statement requests also wait for what clients had written to `usage.ingress` by then. */
export const statementIngressSql = (schema: string): string => `
ALTER TABLE ${ident(schema)}.usage_statement_requests ADD COLUMN ingress text;
COMMENT ON COLUMN ${ident(schema)}.usage_statement_requests.ingress IS 'where usage.ingress ended when the request was taken; null once all of it is in usage.events and the floor is above it';
`;
