import { ident } from '@valueverse/event-log';

/** A session is found by what its NAS calls it, through whichever client it was heard of. */
export const sessionsByNasSql = (schema: string): string => `
DROP INDEX ${ident(schema)}.usage_radius_sessions_of_nas;
CREATE INDEX usage_radius_sessions_of_nas ON ${ident(schema)}.usage_radius_sessions (tenant, nas, acct_session_id);
`;
