import { ident } from '@valueverse/event-log';

/** What the envelopes of a partition hold stands beside each other: rows that are written together share the pages of the index. Who looks for a subject knows its partition. */
export const envelopesByPartitionSql = (schema: string): string => `
ALTER TABLE ${ident(schema)}.usage_bucket_envelopes DROP CONSTRAINT usage_bucket_envelopes_pkey;
ALTER TABLE ${ident(schema)}.usage_bucket_envelopes ADD PRIMARY KEY (partition, tenant, subject, bucket, position);
`;
