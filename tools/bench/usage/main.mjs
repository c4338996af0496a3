// `npm run bench -- usage [part ...]`: what taking usage in and reading it costs, against its floors. Without parts all of them but the soak.
import { cpus, release } from 'node:os';
import { compareDedupe } from './dedupe.mjs';
import { endToEnd, prepare, startDistributed, startEmbedded } from './end-to-end.mjs';
import { compareIngest, latencyOfSingles } from './ingest.mjs';
import { measureReading } from './read.mjs';
import { compareStore } from './store.mjs';

const FLOORS = { embedded: 20_000, distributed: 16_667, ofCopy: 0.5, ofOrm: 4, dedupeSlowdown: 1.5, ofFeed: 0.5, singlesP95: 20, subjectP95: 20, tenantP95: 200, statements: 2_000 };
const ROUNDS = 5;
const [SECONDS, SOAK_SECONDS, KEYS] = [60, 600, 50_000_000];
/** Memory may grow by so much between the first and the last fifth of a soak. */
const GROWTH_MAX = 1.25;
const round = (value, digits = 2) => Number(value.toFixed(digits));
const say = (line) => process.stdout.write(`${line}\n`);
const progress = (line) => process.stderr.write(`      ${line}\n`);

const floor = (name, value, bound, isMost = false) => {
  const holds = isMost ? value <= bound : value >= bound;
  say(`    ${holds ? 'holds' : 'BELOW'} the floor: ${name} ${round(value)} (at ${isMost ? 'most' : 'least'} ${bound})`);
  if (!holds) process.exitCode = 1;
};
const compared = (name, unit, { sides, ratio }) => {
  say(`${name}: ${round(sides.ours.perSecond, 0)} ${unit}/s, ${round(sides.ours.cpuMicrosPerUnit, 1)} µs of CPU each`);
  for (const [other, { speed, cpu, spread }] of Object.entries(ratio)) say(`    ${round(speed)} of ${other} (${round(sides[other].perSecond, 0)}/s; from ${round(spread[0])} to ${round(spread[1])}); ${round(cpu)} by CPU`);
};
const told = ({ seconds, perSecond, waiting, megabytes }) => progress(`${round(seconds, 0)} s: ${round(perSecond, 0)} events/s billable, ${waiting} on their way, ${round(megabytes, 0)} MB`);

/** One edition, from the first request until everything is billable. A first short run warms it up. */
const wholeEdition = async (start, least, seconds, seed) => {
  const edition = await start();
  try {
    await prepare(edition);
    const warm = await endToEnd(edition, { seconds: Math.min(20, seconds), seed: seed + 1, run: 'warm' });
    const memory = [];
    const result = await endToEnd(edition, { seconds, seed, run: 'sent', before: warm.totals, report: (line) => { memory.push(line.megabytes); told(line); } });
    say(`${edition.name}, HTTP in batches of 100 until billable, ${round(result.seconds, 0)} s: ${round(result.perSecond, 0)} events/s, p95 of the lag ${round(result.lagSecondsP95, 1)} s, ${round(result.peakMb, 0)} MB, ${result.pushedBack} times pushed back`);
    say(`    µs of CPU an event: ${Object.entries(result.cpuMicrosPerEvent).map(([name, micros]) => `${name} ${micros}`).join(', ')}`);
    for (const fault of [...warm.faults, ...result.faults]) { say(`    VOID: ${fault}`); process.exitCode = 1; }
    floor('events a second', result.perSecond, least);
    return memory;
  } finally {
    await edition.stop();
  }
};

const parts = {
  embedded: ({ seconds, seed }) => wholeEdition(startEmbedded, FLOORS.embedded, seconds, seed),
  distributed: ({ seconds, seed }) => wholeEdition(startDistributed, FLOORS.distributed, seconds, seed),
  store: async ({ seconds, seed }) => {
    const result = await compareStore({ seconds, rounds: ROUNDS, seed });
    compared('dedupe, store and aggregate', 'events', result);
    for (const fault of result.faults) { say(`    VOID: ${fault}`); process.exitCode = 1; }
    floor('of COPY', result.ratio['COPY, same key'].speed, FLOORS.ofCopy);
    floor('of TypeORM', result.ratio['TypeORM, insert().orIgnore()'].speed, FLOORS.ofOrm);
  },
  dedupe: async ({ seconds, seed, keys }) => {
    const result = await compareDedupe({ seconds, rounds: ROUNDS, seed, keys, say: progress });
    compared(`the same with ${keys} keys of 35 days stored`, 'events', result);
    floor('slower than with one day', 1 / result.ratio['one day'].speed, FLOORS.dedupeSlowdown, true);
  },
  ingest: async ({ seconds, seed }) => {
    const result = await compareIngest({ seconds, rounds: ROUNDS, seed });
    compared('HTTP until durable, batches of 100', 'MB', result);
    floor('of the feed alone', result.ratio['the feed alone'].speed, FLOORS.ofFeed);
    const { capacity, p50, p95, p99, most } = await latencyOfSingles();
    say(`single events at 60 % of ${round(capacity, 0)}/s: p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms, most ${most} ms`);
    floor('p95 in ms', p95, FLOORS.singlesP95, true);
  },
  read: async ({ seconds }) => {
    const { subject, tenant, statementsPerSecond } = await measureReading({ seconds: Math.min(seconds, 20), say: progress });
    const shown = ({ p50, p95, most }) => `p50 ${round(p50, 1)} ms, p95 ${round(p95, 1)} ms, most ${round(most, 1)} ms`;
    say(`a month of 50M events: one subject by hour ${shown(subject)}`);
    floor('p95 in ms', subject.p95, FLOORS.subjectP95, true);
    say(`    10,000 subjects of a tenant by day ${shown(tenant)}`);
    floor('p95 in ms', tenant.p95, FLOORS.tenantP95, true);
    say(`    statements of 30 buckets, computed and stored: ${round(statementsPerSecond, 0)}/s`);
    floor('statements a second', statementsPerSecond, FLOORS.statements);
  },
  soak: async ({ soak, seed }) => {
    for (const [start, least] of [[startEmbedded, FLOORS.embedded], [startDistributed, FLOORS.distributed]]) {
      const memory = await wholeEdition(start, least, soak, seed);
      const fifth = Math.max(1, Math.floor(memory.length / 5));
      const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
      floor('memory at the end to that after the first fifth', mean(memory.slice(-fifth)) / mean(memory.slice(fifth, 2 * fifth)), GROWTH_MAX, true);
    }
  },
};

/** `--seconds` of each part, `--soak` seconds of a soak, `--keys` of the deduplication, `--seed`. Floors end the program with 1. */
export async function benchUsage(options) {
  const number = (name, otherwise) => { const at = options.indexOf(`--${name}`); return at < 0 ? otherwise : Number(options[at + 1]); };
  const settings = { seconds: number('seconds', SECONDS), soak: number('soak', SOAK_SECONDS), keys: number('keys', KEYS), seed: number('seed', 1) };
  const names = options.filter((option, nth) => !option.startsWith('--') && !options[nth - 1]?.startsWith('--'));
  const unknown = names.find((name) => !(name in parts));
  if (unknown !== undefined) throw new Error(`there is no part ${unknown}; there are ${Object.keys(parts).join(', ')}`);
  say(`${cpus()[0].model}, ${cpus().length} cores, Linux ${release()}, Node ${process.versions.node}, --seconds ${settings.seconds} --seed ${settings.seed}`);
  for (const name of names.length > 0 ? names : Object.keys(parts).filter((part) => part !== 'soak')) await parts[name](settings);
  process.exit();
}
