import { ident, roleName } from '@valueverse/event-log';

/** What operators did to a service, which nobody changes, and the rebuilds of its read models. */
export const operationsSchemaSql = (schema: string): string => {
  const [s, worker] = [ident(schema), ident(roleName(schema, 'worker'))];
  return `
CREATE TABLE ${s}.operator_acts (
  nth bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(), actor text NOT NULL, act text NOT NULL, subject text NOT NULL,
  details text NOT NULL, trace text NOT NULL, outcome text NOT NULL);
CREATE TRIGGER acts_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON ${s}.operator_acts FOR EACH STATEMENT EXECUTE FUNCTION ${s}.forbid_change();
CREATE TABLE ${s}.rebuilds (
  name text PRIMARY KEY, mode text NOT NULL, phase text NOT NULL, done bigint NOT NULL DEFAULT 0, total bigint NOT NULL DEFAULT 0, live text, rebuilt text, error text,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(), seen_at timestamptz NOT NULL DEFAULT clock_timestamp());
GRANT SELECT, INSERT ON ${s}.operator_acts TO ${worker};
GRANT SELECT, INSERT, UPDATE ON ${s}.rebuilds TO ${worker};`;
};
