import { ident } from '@valueverse/event-log';

/** What came between the positions of a statement and the moment that its spans became known is looked for once. */
export const lateUsageLooksSql = (schema: string): string => {
  const table = `${ident(schema)}.usage_stated_spans`;
  return `
ALTER TABLE ${table} ADD COLUMN is_looked_behind boolean NOT NULL DEFAULT false;
CREATE INDEX usage_stated_spans_to_look_behind ON ${table} (partition) WHERE NOT is_looked_behind;
`;
};
