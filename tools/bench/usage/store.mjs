// Dedupe, store and aggregate against COPY of the same events into a table with the same key, and against what one would write with an ORM.
import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { copyIn, copyText } from '../copy-in.mjs';
import { pairs } from '../pairs.mjs';
import { TENANT, UsageBed } from './bed.mjs';
import { Traffic } from './traffic.mjs';

const require = createRequire(import.meta.url);
const { DataSource, EntitySchema } = require('typeorm');
/** Rows of a COPY, and events that the ORM is given at once. */
const ROWS = 16_000;
/** Of ours, about as many in each of the transactions that are at work at once, as after a pause; a reader does not rest between two batches. */
const [EVENTS, BATCHES] = [3 * ROWS, 3];
const ORM_CHUNK = 1_000;

const keyOf = ({ subject, source, id }) => createHash('sha256').update(`${TENANT}\n${subject}\n${source}\n${id}`).digest('hex').slice(0, 32);
const eventsOf = (records) => records.flatMap(({ value }) => JSON.parse(value).events);
const COLUMNS = 'key uuid PRIMARY KEY, tenant text NOT NULL, subject text NOT NULL, source text NOT NULL, id text NOT NULL, type text NOT NULL, time timestamptz NOT NULL, data text NOT NULL';
const rowOf = (event) => [keyOf(event), TENANT, event.subject, event.source, event.id, event.type, event.time, JSON.stringify(event.data)];
/** COPY takes no key twice: what was sent before is left out for it. */
const onlyNew = () => { const seen = new Set(); return (events) => events.filter(({ id }) => !seen.has(id) && seen.add(id)); };

/**
 * What one would write with an ORM: an entity for each event, what makes it unique in an index of its own, an index to add usage up by when it is asked for, and batches of a thousand
 * in which the database passes over repetitions. It adds nothing up in advance.
 */
const UsageRow = new EntitySchema({
  name: 'UsageRow', tableName: 'orm_events',
  columns: {
    number: { type: 'bigint', primary: true, generated: 'increment' }, tenant: { type: 'text' }, subject: { type: 'text' }, source: { type: 'text' }, id: { type: 'text' }, type: { type: 'text' },
    time: { type: 'timestamptz' }, data: { type: 'jsonb' },
  },
  uniques: [{ columns: ['tenant', 'subject', 'source', 'id'] }],
  indices: [{ columns: ['tenant', 'subject', 'type', 'time'] }],
});

export async function compareStore({ seconds, rounds, seed }) {
  const bed = await UsageBed.start();
  await bed.client.query(`CREATE TABLE copied (${COLUMNS})`);
  const orm = await new DataSource({ type: 'postgres', url: bed.server.url, schema: 'usage', entities: [UsageRow], synchronize: true, extra: { max: 2 } }).initialize();
  const unique = onlyNew();
  const traffic = Object.fromEntries(['ours', 'copy', 'orm'].map((run) => [run, new Traffic({ seed, run })]));
  // The customers have sent something before, as they have everywhere after the first day: what is new is their events.
  await bed.meetAll(traffic.ours);
  const result = await pairs({
    seconds, rounds, seed, pids: [process.pid],
    ours: { prepare: async () => Array.from({ length: BATCHES }, () => bed.records(traffic.ours, EVENTS)), round: async (batches) => { await bed.meter(...batches); return BATCHES * EVENTS; } },
    others: {
      'COPY, same key': {
        prepare: async () => { const rows = unique(eventsOf(bed.records(traffic.copy, ROWS))).map(rowOf); return { bytes: copyText(rows), rows: rows.length }; },
        round: async ({ bytes, rows }) => { await copyIn(bed.client, 'COPY copied FROM STDIN', bytes); return rows; },
      },
      'TypeORM, insert().orIgnore()': {
        prepare: async () => bed.records(traffic.orm, ROWS).map(({ value }) => value),
        round: async (values) => {
          const rows = values.flatMap((value) => JSON.parse(value).events.map(({ subject, source, id, type, time, data }) => ({ tenant: TENANT, subject, source, id, type, time, data })));
          for (let at = 0; at < rows.length; at += ORM_CHUNK) await orm.createQueryBuilder().insert().into(UsageRow).values(rows.slice(at, at + ORM_CHUNK)).orIgnore().updateEntity(false).execute();
          return ROWS;
        },
      },
    },
  });
  const { rows: [{ events }] } = await bed.client.query(`SELECT sum(b.events) AS events FROM usage_buckets b JOIN usage_series s USING (series) WHERE s.subject = ''`);
  await orm.destroy();
  await bed.stop();
  return { ...result, faults: Number(events) === traffic.ours.oracle.good ? [] : [`${events} events are in the buckets, expected ${traffic.ours.oracle.good}`] };
}
