// `npm run bench -- invoices [part ...]`: what an invoice run costs, from the closing of all periods until the last invoice is numbered: five lines each, tax, lineage, facts out. Of usage, three lines have statements of metering;
// of fees alone nothing has to be asked for. Without parts all of them.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './edition.mjs';
import { runOf, withEdition } from './invoices-edition.mjs';
import { ormRate } from './invoices-orm.mjs';
import { readInvoices } from './invoices-read.mjs';

const FLOORS = { usage: 300, fees: 500, ofOrm: 20, megabytesPerThousand: 5, explanation: 0.1, besideGiant: 1.25, readP95: 20 };
const [ORM_SECONDS, EXPLAINED_ROUNDS] = [10, 2];
/** Requests a second: of the floor, and what is asked of one process beside other work. */
const READ_RATES = [200, 833];
const PEERS = { writer: 'which only writes it', whole: 'which reads what it bills, writes, and tells two services' };
const UNEXPLAINED = join(root, 'tools/bench/invoices-unexplained.cjs');
const round = (value, digits = 2) => Number(value.toFixed(digits));
const say = (line) => process.stdout.write(`${line}\n`);
const progress = (line) => process.stderr.write(`      ${line}\n`);
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

const floor = (name, value, bound, isMost = false) => {
  const holds = isMost ? value <= bound : value >= bound;
  say(`    ${holds ? 'holds' : 'BELOW'} the floor: ${name} ${round(value)} (at ${isMost ? 'most' : 'least'} ${bound})`);
  if (!holds) process.exitCode = 1;
};

const speed = (of) => ({ count }) => withEdition(async (bed) => {
  const { perSecond, seconds, cpuMs, samples } = await runOf(bed, { count, of });
  say(`invoices of five lines of ${of}, from the closing: ${round(perSecond, 0)}/s; ${count} in ${round(seconds, 1)} s, ${round(cpuMs)} ms of CPU each, memory ${round(samples.at(-1).megabytes, 0)} MB`);
  floor('invoices a second', perSecond, FLOORS[of]);
});

/** How much `y` grows with `x`, by least squares. */
const slopeOf = (points) => {
  const [x, y] = [0, 1].map((of) => points.reduce((sum, point) => sum + point[of], 0) / points.length);
  return points.reduce((sum, [a, b]) => sum + (a - x) * (b - y), 0) / points.reduce((sum, [a]) => sum + (a - x) ** 2, 0);
};

/** When the invoices of all accounts but one were recorded, in seconds after the closing: the median and the last. */
const timesOfOthers = async ({ database }, { closesAt, largest }) => {
  const { rows: [times] } = await database.query(
    `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS median, max(seconds) AS last FROM (
       SELECT extract(epoch FROM (body::json->>'recordedtime')::timestamptz - $1::timestamptz)::float AS seconds FROM billing.events
       WHERE type LIKE '%.invoice.finalized.v%' AND stream NOT IN (SELECT 'invoice-' || key FROM billing.invoices_v2 WHERE account_id = $2)) t WHERE seconds > 0`, [closesAt.toISOString(), largest]);
  return times;
};

const parts = {
  usage: speed('usage'),
  fees: speed('fees'),
  orm: ({ count }) => withEdition(async (bed) => {
    const peers = { writer: [], whole: [] };
    const measure = async () => { for (const does of Object.keys(peers)) peers[does].push(await ormRate(bed.edition.databaseUrl, { seconds: ORM_SECONDS, does }, bed.cpu)); };
    await measure();
    const ours = await runOf(bed, { count, of: 'fees', isTold: true });
    await measure();
    say(`until the last invoice was told to all services: ${round(ours.perSecond, 0)}/s, ${round(ours.cpuMs)} ms of CPU each`);
    for (const [does, runs] of Object.entries(peers)) {
      const [perSecond, cpuMs] = ['perSecond', 'cpuMs'].map((name) => mean(runs.map((run) => run[name])));
      say(`TypeORM, one transaction an invoice, save(), ${PEERS[does]}: ${round(perSecond, 0)}/s (${runs.map((run) => round(run.perSecond, 0)).join(' before, ')} after), ${round(cpuMs)} ms of CPU each: ours ${round(ours.perSecond / perSecond)} times, ${round(cpuMs / ours.cpuMs)} by CPU`);
      if (does === 'whole') floor('of TypeORM', ours.perSecond / perSecond, FLOORS.ofOrm);
    }
  }),
  flat: ({ many }) => withEdition(async (bed) => {
    const { samples, perSecond } = await runOf(bed, { count: many, of: 'fees' });
    const later = samples.filter(({ invoices }) => invoices >= many / 3);
    const slope = slopeOf(later.map(({ invoices, megabytes }) => [invoices / 1_000, megabytes]));
    say(`memory in a run of ${many} invoices of fees, ${round(perSecond, 0)}/s: ${round(samples[0].megabytes, 0)} MB at its beginning, ${round(later[0].megabytes, 0)} after a third, ${round(later.at(-1).megabytes, 0)} at its end`);
    floor('MB more for each thousand invoices, after the first third', slope, FLOORS.megabytesPerThousand, true);
  }),
  explained: async ({ count }) => {
    const costs = { with: [], without: [] };
    for (let nth = 0; nth < EXPLAINED_ROUNDS; nth++) {
      for (const how of nth % 2 === 0 ? ['with', 'without'] : ['without', 'with']) costs[how].push((await withEdition((bed) => runOf(bed, { count, of: 'usage' }), how === 'with' ? undefined : UNEXPLAINED)).cpuMs);
      progress(`ms of CPU an invoice: with explanation ${costs.with.map((one) => round(one)).join(', ')}; without ${costs.without.map((one) => round(one)).join(', ')}`);
    }
    const [explained, plain] = [mean(costs.with), mean(costs.without)];
    say(`the steps of lines and totals, kept, told and read: ${round(explained)} ms of CPU an invoice with them, ${round(plain)} without`);
    floor('share of an invoice run', (explained - plain) / explained, FLOORS.explanation, true);
  },
  giant: async ({ count }) => {
    const giant = Math.floor(count / 2);
    const timesBeside = (what) => withEdition(async (bed) => timesOfOthers(bed, await runOf(bed, { count, of: 'fees', ...what })));
    const without = await timesBeside({});
    for (const [name, what] of [['an invoice each', { giant }], ['together on as few as may be', { giant, consolidates: true }]]) {
      const beside = await timesBeside(what);
      say(`invoices of the others beside an account with half of ${count} subscriptions, ${name}: median ${round(beside.median, 1)} s after the closing, the last ${round(beside.last, 1)} s; where nobody is a giant ${round(without.median, 1)} and ${round(without.last, 1)} s`);
      floor('times as long for the last of the others', beside.last / without.last, FLOORS.besideGiant, true);
    }
  },
  read: ({ stored }) => withEdition(async (bed) => {
    const found = await readInvoices(bed, { invoices: stored, rates: READ_RATES, say: progress });
    for (const { name, perSecond, p50, p95, p99, most, refused } of found) {
      say(`${name}, ${round(perSecond, 0)} requests/s, ${stored} invoices stored: p50 ${round(p50, 1)} ms, p95 ${round(p95, 1)} ms, p99 ${round(p99, 1)} ms, most ${round(most, 1)} ms; refused ${refused}`);
      floor('p95 in ms', p95, FLOORS.readP95, true);
    }
  }),
};

/** What invoice runs cost, against the floors. */
export async function benchInvoices(options) {
  const { values, positionals } = parseArgs({ args: options, allowPositionals: true, options: { subscriptions: { type: 'string', default: '2000' }, many: { type: 'string', default: '10000' }, stored: { type: 'string', default: '1000000' } } });
  const unknown = positionals.find((name) => !(name in parts));
  if (unknown !== undefined) throw new Error(`there is no part ${unknown}; there are ${Object.keys(parts).join(', ')}`);
  for (const name of positionals.length === 0 ? Object.keys(parts) : positionals) await parts[name]({ count: Number(values.subscriptions), many: Number(values.many), stored: Number(values.stored) });
}
