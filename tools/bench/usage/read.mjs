// Reading with a month of 50 million events stored: queries of one subject and of a whole tenant, and statements. The rows are what metering would have left of them:
// 10,000 subjects, 5,000 events each, spread over the quarters of an hour of a month.
import { createRequire } from 'node:module';
import { TENANT, UsageBed } from './bed.mjs';
import { METER } from './traffic.mjs';

const require = createRequire(import.meta.url);
const { partitionOf } = require('@valueverse/kernel');
const { USAGE_PARTITIONS } = require('@valueverse/contracts');
const { queryMeter } = require('../../../libs/usage/dist/query/meter-query.js');
const { answerStatements } = require('../../../libs/usage/dist/statements/answer.job.js');

const SUBJECTS = 10_000;
const [FROM, TO] = ['2026-10-01T00:00:00Z', '2026-11-01T00:00:00Z'];
const QUARTER = 900_000_000;
const [QUARTERS, EVENTS_PER_SUBJECT] = [31 * 96, 5_000];
const SUBJECTS_PER_INSERT = 250;
/** As billing asks for them. */
const STATEMENTS_PER_JOB = 100;
/** 30 quarters of an hour. */
const SPAN = 30 * QUARTER;
const { key, ...rule } = METER;
const meter = { meterKey: key, archivedAt: null, versions: [{ meterKey: key, version: 1, filter: [], carryOver: false, ...rule, groupBy: {} }] };

async function fillMonth(bed, say) {
  const first = Date.parse(FROM) * 1_000;
  const names = Array.from({ length: SUBJECTS }, (_, nth) => `customer-${nth}`);
  const partitions = names.map((name) => partitionOf(TENANT, name, USAGE_PARTITIONS));
  await bed.client.query(`INSERT INTO usage_series (key, tenant, meter, version, partition, subject, groups)
    SELECT substring(sha256(convert_to(p || subject, 'UTF8')) FOR 16), $1, $2, 1, p, subject, '{}' FROM unnest($3::int[], $4::text[]) g(p, subject)`, [TENANT, key, partitions, names]);
  await bed.client.query(`INSERT INTO usage_series (key, tenant, meter, version, partition, subject, groups)
    SELECT substring(sha256(convert_to('all' || p, 'UTF8')) FOR 16), $1, $2, 1, p, '', '{}' FROM generate_series(0, $3::int - 1) p`, [TENANT, key, USAGE_PARTITIONS]);
  for (let from = 0; from < SUBJECTS; from += SUBJECTS_PER_INSERT) {
    // Events fall on quarters at random: some have none.
    await bed.client.query(`INSERT INTO usage_buckets (series, bucket, events, fold, tenant, total)
      SELECT s.series, $1::bigint + q * $2::bigint, count(*), 0, $3, sum(1 + (random() * 1999)::int) FROM
        (SELECT series FROM usage_series WHERE subject <> '' ORDER BY series OFFSET $4 LIMIT $5) s, LATERAL (SELECT (random() * ($6::int - 1))::int AS q FROM generate_series(1, $7::int) WHERE s.series > 0) e GROUP BY 1, 2`,
    [first, QUARTER, TENANT, from, SUBJECTS_PER_INSERT, QUARTERS, EVENTS_PER_SUBJECT]);
    if ((from / SUBJECTS_PER_INSERT) % 8 === 7) say?.(`${(from + SUBJECTS_PER_INSERT) * EVENTS_PER_SUBJECT / 1e6} million events are stored`);
  }
  await bed.client.query(`INSERT INTO usage_buckets (series, bucket, events, fold, tenant, total)
    SELECT a.series, b.bucket, sum(b.events), 0, $1, sum(b.total) FROM usage_buckets b JOIN usage_series s USING (series) JOIN usage_series a ON a.partition = s.partition AND a.subject = '' GROUP BY 1, 2`, [TENANT]);
  await bed.client.query('VACUUM ANALYZE usage_buckets, usage_series');
  // A month of events comes in a month: whoever reads it does not wait for it to be written.
  await bed.client.query('CHECKPOINT');
}

/** Other subjects are asked for first: a service has read before, but not the same. */
const latencies = async (count, work) => {
  for (let nth = count; nth < count * 2; nth++) await work(nth);
  const all = [];
  for (let nth = 0; nth < count; nth++) { const began = performance.now(); await work(nth); all.push(performance.now() - began); }
  all.sort((a, b) => a - b);
  return { p50: all[Math.floor(count * 0.5)], p95: all[Math.floor(count * 0.95)], most: all.at(-1) };
};

export async function measureReading({ seconds, say }) {
  const bed = await UsageBed.start();
  try {
    await fillMonth(bed, say);
    const read = (options, work) => bed.database.transaction({ role: 'api', tenant: TENANT, isolation: 'repeatable read', readOnly: true, ...options }, work);
    const query = (part) => read({}, (tx) => queryMeter(tx, TENANT, meter, { from: FROM, to: TO, timezone: 'Europe/Berlin', groupBy: [], filters: {}, fillZero: false, ...part }));
    const subject = await latencies(300, (nth) => query({ windowSize: 'hour', subjects: [`customer-${(nth * 37) % SUBJECTS}`] }));
    const tenant = await latencies(30, () => query({ windowSize: 'day' }));
    await bed.client.query('UPDATE meters SET row = $1', [JSON.stringify(meter)]);
    const answering = answerStatements(bed.log, { kind: 'postgres' });
    const at = (micros) => new Date(micros / 1_000).toISOString();
    const ask = async (first) => {
      const requests = Array.from({ length: STATEMENTS_PER_JOB }, (_, nth) => {
        const from = Date.parse(FROM) * 1_000 + ((first + nth) % 90) * SPAN;
        return { requestId: `usr_${String(first + nth).padStart(26, '0')}`, subscriptionId: 'sub_1', chargeKey: 'tokens', meterKey: key, meterVersion: 1, groupBy: [], usage: [{ subject: `customer-${((first + nth) * 37) % SUBJECTS}`, from: at(from), to: at(from + SPAN) }] };
      });
      await bed.client.query(`INSERT INTO usage_statement_requests (tenant, request, chunk, body, floor, at, fact, correlation) SELECT $1, request, 'chunk', body, '{}', $2, 'evt_1', 'req_1' FROM unnest($3::text[], $4::text[]) g(request, body)`,
        [TENANT, TO, requests.map(({ requestId }) => requestId), requests.map((request) => JSON.stringify(request))]);
      return { tenant: TENANT, dueAt: TO, payload: { requestIds: requests.map(({ requestId }) => requestId) } };
    };
    let [statements, spent] = [0, 0];
    while (spent < seconds * 1_000) {
      const job = await ask(statements);
      const began = performance.now();
      const result = await answering.run(job);
      await bed.database.transaction({ role: 'worker' }, (tx) => result.write(tx));
      spent += performance.now() - began;
      statements += STATEMENTS_PER_JOB;
    }
    const { rows: [{ issued }] } = await bed.client.query('SELECT count(*) AS issued FROM statements');
    if (Number(issued) !== statements) throw new Error(`${issued} of ${statements} statements are stored`);
    return { subject, tenant, statementsPerSecond: statements / spent * 1_000 };
  } finally {
    await bed.stop();
  }
}
