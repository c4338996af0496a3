// Dedupe, store and aggregate against COPY of the same events into a table with the same key, and against what one would write with an ORM.
import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { copyIn, copyText } from '../copy-in.mjs';
import { pairs } from '../pairs.mjs';
import { TENANT, Traffic, UsageBed } from './bed.mjs';

const require = createRequire(import.meta.url);
const { DataSource, EntitySchema } = require('typeorm');
const EVENTS = 16_000;
const ORM_CHUNK = 1_000;

const keyOf = ({ subject, source, id }) => createHash('sha256').update(`${TENANT}\n${subject}\n${source}\n${id}`).digest('hex').slice(0, 32);
const eventsOf = (records) => records.flatMap(({ value }) => JSON.parse(value).events);
const COLUMNS = 'key uuid PRIMARY KEY, tenant text NOT NULL, subject text NOT NULL, source text NOT NULL, id text NOT NULL, type text NOT NULL, time timestamptz NOT NULL, data text NOT NULL';
const rowOf = (event) => ({ key: keyOf(event), tenant: TENANT, subject: event.subject, source: event.source, id: event.id, type: event.type, time: event.time, data: JSON.stringify(event.data) });
/** COPY takes no key twice: what was sent before is left out for it. */
const onlyNew = () => { const seen = new Set(); return (events) => events.filter(({ id }) => !seen.has(id) && seen.add(id)); };

const BUCKET_MS = 900_000;
/** What one would write with an ORM: an entity for each event with its key unique, repetitions passed over by the database, and the new ones added up by customer, model and quarter of an hour. */
const UsageRow = new EntitySchema({ name: 'UsageRow', tableName: 'orm_events', columns: {
  key: { type: 'uuid', primary: true }, tenant: { type: 'text' }, subject: { type: 'text' }, source: { type: 'text' }, id: { type: 'text' }, type: { type: 'text' }, time: { type: 'timestamptz' }, data: { type: 'text' },
} });

const ormBatch = (orm, rows) => orm.transaction(async (manager) => {
  const { raw } = await manager.createQueryBuilder().insert().into(UsageRow).values(rows).orIgnore().returning('key').updateEntity(false).execute();
  const fresh = new Set(raw.map(({ key }) => key.replaceAll('-', '')));
  const sums = new Map();
  for (const { key, subject, time, data } of rows) {
    if (!fresh.has(key)) continue;
    const { model, promptTokens } = JSON.parse(data);
    const name = JSON.stringify([subject, model, Math.floor(Date.parse(time) / BUCKET_MS)]);
    sums.set(name, (sums.get(name) ?? 0) + promptTokens);
  }
  const cells = [...sums].map(([name, total]) => [...JSON.parse(name), total]);
  await manager.query(`INSERT INTO orm_buckets AS b (subject, model, bucket, total) SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::numeric[])
    ON CONFLICT (subject, model, bucket) DO UPDATE SET total = b.total + excluded.total`, [0, 1, 2, 3].map((column) => cells.map((cell) => cell[column])));
});

export async function compareStore({ seconds, rounds, seed }) {
  const bed = await UsageBed.start();
  await bed.client.query(`CREATE TABLE copied (${COLUMNS}); CREATE TABLE orm_events (${COLUMNS});
    CREATE TABLE orm_buckets (subject text NOT NULL, model text NOT NULL, bucket bigint NOT NULL, total numeric NOT NULL, PRIMARY KEY (subject, model, bucket))`);
  const orm = await new DataSource({ type: 'postgres', url: bed.server.url, schema: 'usage', entities: [UsageRow], extra: { max: 2, options: '-c search_path=usage' } }).initialize();
  const unique = onlyNew();
  const traffic = Object.fromEntries(['ours', 'copy', 'orm'].map((run) => [run, new Traffic({ seed, run })]));
  // The same customers have sent something before: what is new is their events.
  for (let nth = 0; nth < 20; nth++) await bed.meter(bed.records(traffic.ours, EVENTS));
  const result = await pairs({
    seconds, rounds, seed, pids: [process.pid],
    ours: { prepare: async () => bed.records(traffic.ours, EVENTS), round: async (records) => { await bed.meter(records); return EVENTS; } },
    others: {
      'COPY, same key': {
        prepare: async () => { const rows = unique(eventsOf(bed.records(traffic.copy, EVENTS))).map((event) => Object.values(rowOf(event))); return { bytes: copyText(rows), rows: rows.length }; },
        round: async ({ bytes, rows }) => { await copyIn(bed.client, 'COPY copied FROM STDIN', bytes); return rows; },
      },
      'TypeORM, batches': {
        prepare: async () => bed.records(traffic.orm, EVENTS).map(({ value }) => value),
        round: async (values) => {
          const rows = values.flatMap((value) => JSON.parse(value).events.map(rowOf));
          for (let at = 0; at < rows.length; at += ORM_CHUNK) await ormBatch(orm, rows.slice(at, at + ORM_CHUNK));
          return EVENTS;
        },
      },
    },
  });
  const { rows: [{ events }] } = await bed.client.query(`SELECT sum(b.events) AS events FROM usage_buckets b JOIN usage_series s USING (series) WHERE s.subject = ''`);
  await orm.destroy();
  await bed.stop();
  return { ...result, faults: Number(events) === traffic.ours.oracle.good ? [] : [`${events} events are in the buckets, expected ${traffic.ours.oracle.good}`] };
}
