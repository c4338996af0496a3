import { ident } from '@valueverse/event-log';

/**
 * Keys of a partition stand beside each other: those that are written together share the pages of the index, in place of one page for each. Who looks for an event knows its partition, and
 * need not know the day.
 */
export const keysByPartitionSql = (schema: string): string => `
ALTER TABLE ${ident(schema)}.usage_keys DROP CONSTRAINT usage_keys_pkey;
ALTER TABLE ${ident(schema)}.usage_keys ADD PRIMARY KEY (partition, key, slot);
`;
