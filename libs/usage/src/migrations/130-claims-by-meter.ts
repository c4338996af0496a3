import { ident } from '@valueverse/event-log';

/** Subjects of accounts are claimed by subscriptions, meter by meter. */
export const claimsByMeterSql = (schema: string): string => {
  const table = `${ident(schema)}.usage_subject_claims`;
  return `
ALTER TABLE ${table} ADD COLUMN meter text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE ${table} DROP CONSTRAINT usage_subject_claims_pkey, ADD PRIMARY KEY (tenant, subject, meter, subscription);
COMMENT ON COLUMN ${table}.meter IS 'empty: all usage of the subject is the subscription''s; otherwise what this meter counts, while no other subscription claims it too';
`;
};
