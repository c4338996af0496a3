import { ident, roleName, schemaOwner, tenantPolicySql } from '@valueverse/event-log';
import { KEY_SLOTS } from '../metering/key-days';

const TENANT_TABLES = ['usage_series', 'usage_buckets', 'usage_bucket_values'] as const;

/**
 * Buckets by the number of their series, with all that an aggregation needs beside a sum; and the keys of known events by the day of log time that they came on,
 * in slots that are emptied as a whole. What was counted and remembered before is taken over.
 */
export const seriesAndKeysSql = (schema: string): string => {
  const s = ident(schema);
  const [worker, api] = [ident(roleName(schemaOwner(schema), 'worker')), ident(roleName(schemaOwner(schema), 'api'))];
  return `
CREATE TABLE ${s}.usage_series (
  series bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key bytea NOT NULL UNIQUE, tenant text COLLATE "C" NOT NULL, meter text COLLATE "C" NOT NULL, version int NOT NULL,
  partition int NOT NULL, subject text COLLATE "C" NOT NULL, groups text NOT NULL);
CREATE INDEX usage_series_by_subject ON ${s}.usage_series (tenant, meter, version, subject);
COMMENT ON COLUMN ${s}.usage_series.subject IS 'empty: all subjects of the partition added up';
ALTER TABLE ${s}.usage_buckets RENAME TO usage_buckets_before;
CREATE TABLE ${s}.usage_buckets (
  series bigint NOT NULL, bucket bigint NOT NULL, events bigint NOT NULL, at bigint, fold smallint NOT NULL, tenant text COLLATE "C" NOT NULL, total numeric NOT NULL, moment numeric,
  tie text COLLATE "C", PRIMARY KEY (series, bucket)) WITH (fillfactor = 70);
CREATE TABLE ${s}.usage_bucket_values (
  series bigint NOT NULL, bucket bigint NOT NULL, value bytea NOT NULL, events bigint NOT NULL, tenant text COLLATE "C" NOT NULL, PRIMARY KEY (series, bucket, value));
CREATE TEMPORARY TABLE counted ON COMMIT DROP AS
  SELECT b.tenant, b.meter, b.version, x.partition, b.subject, b.groups, b.bucket, b.total, b.events FROM ${s}.usage_buckets_before b
  JOIN (SELECT DISTINCT tenant, subject, partition FROM ${s}.usage_bucket_envelopes) x ON x.tenant = b.tenant AND x.subject = b.subject;
INSERT INTO counted SELECT tenant, meter, version, partition, '', groups, bucket, sum(total), sum(events) FROM counted GROUP BY 1, 2, 3, 4, 6, 7;
INSERT INTO ${s}.usage_series (key, tenant, meter, version, partition, subject, groups)
  SELECT substring(sha256(convert_to(concat_ws(E'\\n', tenant, meter, version, partition, subject, groups), 'UTF8')) FROM 1 FOR 16), * FROM (SELECT DISTINCT tenant, meter, version, partition, subject, groups FROM counted) c;
INSERT INTO ${s}.usage_buckets (series, bucket, events, fold, tenant, total)
  SELECT s.series, c.bucket, c.events, 0, c.tenant, c.total FROM counted c JOIN ${s}.usage_series s USING (tenant, meter, version, partition, subject, groups);
DROP TABLE ${s}.usage_buckets_before;

CREATE TABLE ${s}.usage_keys (
  slot smallint NOT NULL, partition smallint NOT NULL, nth smallint NOT NULL, key uuid NOT NULL, content bigint NOT NULL, position bigint NOT NULL, PRIMARY KEY (slot, key)) PARTITION BY LIST (slot);
DO $$ BEGIN
  FOR slot IN 0..${KEY_SLOTS - 1} LOOP
    EXECUTE format('CREATE TABLE %I.%I PARTITION OF %I.usage_keys FOR VALUES IN (%s)', '${schema}', 'usage_keys_' || slot, '${schema}', slot);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON %I.%I TO %I', '${schema}', 'usage_keys_' || slot, '${roleName(schemaOwner(schema), 'worker')}');
  END LOOP;
END $$;
CREATE TABLE ${s}.usage_key_days (slot smallint PRIMARY KEY, day int NOT NULL);
COMMENT ON TABLE ${s}.usage_key_days IS 'the day of log time, counted from 1970, whose keys a slot holds';
CREATE TEMPORARY TABLE known ON COMMIT DROP AS
  SELECT tenant, source, id, subject, content, partition, position, nth, (log_time / 86400000000)::int AS day FROM ${s}.usage_ids
  UNION ALL SELECT tenant, source, id, subject, content, partition, position, nth, (log_time / 86400000000)::int FROM ${s}.usage_reused_ids;
DELETE FROM known WHERE day <= (SELECT max(day) FROM known) - ${KEY_SLOTS};
INSERT INTO ${s}.usage_key_days SELECT DISTINCT (day % ${KEY_SLOTS})::smallint, day FROM known;
INSERT INTO ${s}.usage_keys (slot, partition, nth, key, content, position)
  SELECT day % ${KEY_SLOTS}, partition, nth,
    encode(substring(sha256(convert_to(concat_ws(E'\\n', tenant, source, id), 'UTF8')) FROM 1 FOR 8) || substring(sha256(convert_to(concat_ws(E'\\n', tenant, subject, source, id), 'UTF8')) FROM 1 FOR 8), 'hex')::uuid,
    ('x' || encode(substring(content FROM 1 FOR 8), 'hex'))::bit(64)::bigint, position FROM known;
DROP TABLE ${s}.usage_ids, ${s}.usage_reused_ids;
${TENANT_TABLES.map((table) => `${tenantPolicySql(schema, table)}
GRANT SELECT, INSERT, UPDATE, DELETE ON ${s}.${ident(table)} TO ${worker};
GRANT SELECT ON ${s}.${ident(table)} TO ${api};`).join('\n')}
GRANT SELECT, INSERT, UPDATE, DELETE ON ${s}.usage_keys TO ${worker};
GRANT SELECT, INSERT, UPDATE ON ${s}.usage_key_days TO ${worker};
`;
};
