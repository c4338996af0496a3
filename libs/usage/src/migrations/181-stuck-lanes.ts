import { ident, roleName } from '@valueverse/event-log';

/**
 * What waits in the outbox is read by the partition that it goes to, and partitions to which nothing can be appended are written down. A process that does not know that sorts what waits, and counts it
 * whatever it waits for.
 */
export const stuckLanesSql = (schema: string): string => {
  const [s, worker] = [ident(schema), ident(roleName(schema, 'worker'))];
  return `
DROP INDEX ${s}.usage_outbox_in_order;
CREATE INDEX usage_outbox_by_partition ON ${s}.usage_outbox (topic, partition, nth);
CREATE TABLE ${s}.usage_outbox_stuck (topic text NOT NULL, partition int NOT NULL, since timestamptz NOT NULL, cause text NOT NULL, PRIMARY KEY (topic, partition));
GRANT SELECT, INSERT, UPDATE, DELETE ON ${s}.usage_outbox_stuck TO ${worker};
`;
};
