import { ident, roleName } from '../database/database';
import { tenantPolicySql } from '../database/roles';

/** The number of partitions of a service's store. It never changes: every position that was ever cited rests on it. */
export const STORE_PARTITIONS = 16;

/** Raised by the append function when a stream is not at the version that the decision was made on. */
export const APPEND_CONFLICT_STATE = 'VV001';

/** The arguments of the append function, one array element per fact, then one per command. */
const APPEND_ARGUMENTS = 'int[], int[], text[], text[], int[], text[], text[], text[], text[], text[], bytea[], text[], text[], bytea[], text[], int[], int[]';

/**
 * The event store of one service: facts, heads, the hash chain, the commands that made them.
 * Nobody but the append function writes here, and nobody may change or delete a fact.
 */
export const storeSchemaSql = (schema: string): string => {
  const s = ident(schema);
  const [worker, api, owner] = [ident(roleName(schema, 'worker')), ident(roleName(schema, 'api')), ident(roleName(schema, 'owner'))];
  return `
CREATE TABLE ${s}.store_settings (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE ${s}.heads (partition int PRIMARY KEY, position bigint NOT NULL, link bytea NOT NULL);
INSERT INTO ${s}.heads SELECT p, 0, '\\x'::bytea FROM generate_series(0, ${STORE_PARTITIONS - 1}) p;
CREATE TABLE ${s}.events (
  partition int NOT NULL, position bigint NOT NULL, tenant text NOT NULL, stream text NOT NULL, version int NOT NULL,
  topic text NOT NULL, type text NOT NULL, id text NOT NULL, clock text, body text NOT NULL, hash bytea NOT NULL,
  PRIMARY KEY (partition, position), UNIQUE (tenant, stream, version));
CREATE TABLE ${s}.links (
  partition int NOT NULL, first_position bigint NOT NULL, last_position bigint NOT NULL, link bytea NOT NULL,
  PRIMARY KEY (partition, last_position));
CREATE TABLE ${s}.commands (
  tenant text NOT NULL, command text NOT NULL, fingerprint bytea NOT NULL, stream text NOT NULL,
  first_version int NOT NULL, last_version int NOT NULL, PRIMARY KEY (tenant, command));
CREATE TABLE ${s}.clock_marks (
  tenant text NOT NULL, clock text NOT NULL, topic text NOT NULL, partition int NOT NULL, position bigint NOT NULL,
  PRIMARY KEY (tenant, clock, topic, partition));
CREATE TABLE ${s}.relay_lease (only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), owner text, epoch bigint NOT NULL, lease_until timestamptz NOT NULL);
INSERT INTO ${s}.relay_lease (owner, epoch, lease_until) VALUES (NULL, 0, '-infinity');
CREATE TABLE ${s}.relay_partitions (partition int PRIMARY KEY, position bigint NOT NULL);
INSERT INTO ${s}.relay_partitions SELECT p, 0 FROM generate_series(0, ${STORE_PARTITIONS - 1}) p;
CREATE TABLE ${s}.relay_tails (partition int NOT NULL, topic text NOT NULL, position bigint NOT NULL, PRIMARY KEY (partition, topic));

CREATE FUNCTION ${s}.forbid_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'facts are never changed or deleted' USING ERRCODE = 'VV002';
END $$;
CREATE TRIGGER events_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON ${s}.events FOR EACH STATEMENT EXECUTE FUNCTION ${s}.forbid_change();
CREATE TRIGGER links_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON ${s}.links FOR EACH STATEMENT EXECUTE FUNCTION ${s}.forbid_change();

${appendFunctionSql(schema)}
${tenantPolicySql(schema, 'events')}
${tenantPolicySql(schema, 'commands')}
${tenantPolicySql(schema, 'clock_marks')}
GRANT SELECT ON ${s}.events, ${s}.commands, ${s}.clock_marks, ${s}.store_settings TO ${worker}, ${api};
GRANT SELECT ON ${s}.heads, ${s}.links, ${s}.relay_partitions, ${s}.relay_tails TO ${worker}, ${api};
GRANT SELECT, UPDATE ON ${s}.relay_lease, ${s}.relay_partitions TO ${worker};
GRANT SELECT, INSERT, UPDATE ON ${s}.relay_tails TO ${worker};
GRANT UPDATE ON ${s}.heads TO ${worker};
REVOKE ALL ON FUNCTION ${s}.append_events(${APPEND_ARGUMENTS}) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ${s}.append_events(${APPEND_ARGUMENTS}) TO ${worker}, ${api}, ${owner};
`;
};

/**
 * Appends facts of any number of streams, all or nothing, as the last statement of its transaction.
 * The heads are locked in ascending order, so two appends never wait for each other in a circle, and the order of
 * positions is the order of commits. `nths` is the place of a fact among those of its partition, from 1.
 * Returns the position before the first new one, per partition.
 */
export const appendFunctionSql = (schema: string): string => {
  const s = ident(schema);
  return `
CREATE OR REPLACE FUNCTION ${s}.append_events(
  p_partitions int[], p_nths int[], p_tenants text[], p_streams text[], p_versions int[], p_topics text[], p_types text[], p_ids text[],
  p_clocks text[], p_bodies text[], p_hashes bytea[],
  p_command_tenants text[], p_commands text[], p_fingerprints bytea[], p_command_streams text[], p_firsts int[], p_lasts int[])
RETURNS TABLE (at_partition int, base bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO ${s}, pg_temp AS $$
DECLARE
  v_tenant text := nullif(current_setting('valueverse.tenant', true), '');
  v_partition int;
  v_count int;
  v_last bigint;
  v_link bytea;
  v_hashes bytea;
  v_bases bigint[] := array_fill(0::bigint, ARRAY[${STORE_PARTITIONS}]);
  v_conflict text;
BEGIN
  -- A request may write for its own tenant only, whatever it was made to ask for.
  IF current_setting('role') LIKE '%\\_api' AND EXISTS (
    SELECT FROM unnest(p_tenants || p_command_tenants) t WHERE t IS DISTINCT FROM v_tenant)
  THEN RAISE EXCEPTION 'a fact of another tenant' USING ERRCODE = '42501'; END IF;

  INSERT INTO commands (tenant, command, fingerprint, stream, first_version, last_version)
    SELECT * FROM unnest(p_command_tenants, p_commands, p_fingerprints, p_command_streams, p_firsts, p_lasts);

  FOR v_partition, v_count, v_hashes IN SELECT f.partition, count(*)::int, string_agg(f.hash, ''::bytea ORDER BY f.nth)
    FROM unnest(p_partitions, p_nths, p_hashes) AS f(partition, nth, hash) GROUP BY 1 ORDER BY 1 LOOP
    UPDATE heads h SET position = h.position + v_count WHERE h.partition = v_partition RETURNING h.position, h.link INTO v_last, v_link;
    IF NOT FOUND THEN RAISE EXCEPTION 'no partition %', v_partition; END IF;
    v_bases[v_partition + 1] := v_last - v_count;
    v_link := sha256(v_link || int8send(v_last - v_count + 1) || v_hashes);
    UPDATE heads h SET link = v_link WHERE h.partition = v_partition;
    INSERT INTO links VALUES (v_partition, v_last - v_count + 1, v_last, v_link);
    at_partition := v_partition;
    base := v_last - v_count;
    RETURN NEXT;
  END LOOP;

  -- The heads are held now, so nobody can append to these streams between this look and the insert.
  SELECT i.stream INTO v_conflict
    FROM (SELECT f.tenant, f.stream, CASE WHEN max(f.version) - min(f.version) + 1 = count(*) THEN min(f.version) END AS wanted FROM unnest(p_tenants, p_streams, p_versions) AS f(tenant, stream, version) GROUP BY 1, 2) i
    WHERE i.wanted IS DISTINCT FROM 1 + coalesce((SELECT max(e.version) FROM events e WHERE e.tenant = i.tenant AND e.stream = i.stream), 0) LIMIT 1;
  IF v_conflict IS NOT NULL THEN
    RAISE EXCEPTION 'stream % has moved on', v_conflict USING ERRCODE = '${APPEND_CONFLICT_STATE}', DETAIL = v_conflict;
  END IF;

  INSERT INTO events (partition, position, tenant, stream, version, topic, type, id, clock, body, hash)
    SELECT f.partition, v_bases[f.partition + 1] + f.nth, f.tenant, f.stream, f.version, f.topic, f.type, f.id, f.clock, f.body, f.hash
    FROM unnest(p_partitions, p_nths, p_tenants, p_streams, p_versions, p_topics, p_types, p_ids, p_clocks, p_bodies, p_hashes)
      AS f(partition, nth, tenant, stream, version, topic, type, id, clock, body, hash);
  INSERT INTO clock_marks AS m (tenant, clock, topic, partition, position)
    SELECT f.tenant, f.clock, f.topic, f.partition, max(v_bases[f.partition + 1] + f.nth)
    FROM unnest(p_partitions, p_nths, p_tenants, p_topics, p_clocks) AS f(partition, nth, tenant, topic, clock)
    WHERE f.clock IS NOT NULL GROUP BY 1, 2, 3, 4
    ON CONFLICT (tenant, clock, topic, partition) DO UPDATE SET position = excluded.position;
END $$;`;
};
