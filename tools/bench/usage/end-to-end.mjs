// From the client's request until it is billable, by a whole edition: generator, services, broker and database on the same cores. The totals have to be those of the generator.
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { family } from '../cpu.mjs';
import { ended, ownMbOf, root } from '../edition.mjs';
import { freePort } from '../free-port.mjs';
import { METER } from './traffic.mjs';
import { scratchFolder } from '../scratch-folder.mjs';

const LAG_MAX_EVENTS_DEFAULT = 40_000;
const LOOK_EVERY_MS = 250;
const PER_REQUEST = 100;
const CONNECTIONS = 32;
const TICKS_PER_SECOND = 100;
const sleep = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

/** Starts a program that says on its output, as JSON, where it is and with which key. */
const started = (name, args) => new Promise((resolve, reject) => {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk) => { text += chunk; if (text.includes('secretKey') && text.includes('}')) resolve({ child, ...JSON.parse(text.slice(text.indexOf('{'))) }); });
  child.once('exit', (code) => reject(new Error(`${name} ended with ${code}`)));
});

/** The embedded edition, in a folder of its own. */
export async function startEmbedded() {
  const [folder, port] = [scratchFolder('bench'), await freePort()];
  const { child, url, secretKey } = await started('the edition', [join(root, 'apps/valueverse/dist/main.js'), '--data', folder, '--port', String(port), '--json']);
  const stop = async () => { child.kill('SIGTERM'); await ended(child); rmSync(folder, { recursive: true, force: true }); };
  return { name: 'embedded', url, ingestUrl: url, metricsUrls: [url], secretKey, pids: () => [child.pid], stop };
}

/** The distributed edition as `npm run up` starts it: one broker, one replica of each service. Usage goes to its service directly, as it does behind a balancer. */
export async function startDistributed() {
  const [folder, port] = [scratchFolder('bench'), await freePort()];
  const { url, secretKey } = await started('up', [join(root, 'apps/valueverse/dist/up/main.js'), '--data', folder, '--port', String(port), '--local', '--json']);
  const { supervisor, parts } = JSON.parse(readFileSync(join(folder, 'state.json'), 'utf8'));
  const service = parts.find(({ name }) => name === 'usage-1').url;
  const stop = async () => {
    await ended(spawn(process.execPath, [join(root, 'apps/valueverse/dist/up/down.js'), '--data', folder], { stdio: ['ignore', 'ignore', 'inherit'] }));
    rmSync(folder, { recursive: true, force: true });
  };
  return { name: 'distributed', url, ingestUrl: service, metricsUrls: [service], secretKey, pids: () => [supervisor.pid], stop };
}

/** CPU seconds by kind of process: what a process calls itself, without what tells one connection from another. */
const cpuByKind = (pids) => {
  const kinds = new Map();
  for (const pid of pids.flatMap(family)) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0/g, ' ');
      const postgres = /^postgres: ([a-z ]+?)(?: \S+@| \[|$| [a-z_]+ [a-z_]+ 127|\s*$)/.exec(line)?.[1];
      const kind = line.startsWith('postgres:') ? `postgres ${postgres ?? 'sessions'}` : /kafka/.test(line) && line.includes('java') ? 'kafka' : /(\w[\w-]*)\/dist\/(\w+)/.exec(line)?.[1] ?? line.split(' ')[0].split('/').at(-1);
      kinds.set(kind, (kinds.get(kind) ?? 0) + (Number(stat[11]) + Number(stat[12])) / TICKS_PER_SECOND);
    } catch { /* it has just ended */ }
  }
  return kinds;
};
const less = (after, before) => new Map([...after].map(([kind, seconds]) => [kind, seconds - (before.get(kind) ?? 0)]));

const residentMb = (pids) => pids.reduce((sum, pid) => sum + ownMbOf(pid), 0);

/** What the processes have counted so far. */
const progress = async ({ metricsUrls }) => {
  const sums = { accepted: 0, rejected: 0, counted: 0, duplicate: 0, conflict: 0, late: 0 };
  for (const url of metricsUrls) {
    const text = await (await fetch(`${url}/metrics`)).text();
    for (const [, result, value] of text.matchAll(/^valueverse_usage_events_total\{[^}]*result="(\w+)"[^}]*\} (\d+)/gm)) sums[result] += Number(value);
  }
  return { ...sums, metered: sums.counted + sums.duplicate + sums.conflict };
};

const api = async ({ url, secretKey }, method, path, body) => {
  const answer = await fetch(url + path, { method, headers: { authorization: `Bearer ${secretKey}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
};

/** Makes the meter, and waits until it follows the head everywhere. */
export const prepare = async (edition) => {
  await api(edition, 'POST', '/api/v1/usage/meters', METER);
  for (;;) {
    const { ok } = await fetch(`${edition.url}/api/v1/usage/meters/${METER.key}/query?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z`, { headers: { authorization: `Bearer ${edition.secretKey}` } });
    if (ok) break;
    await sleep(100);
  }
  await sleep(3_000);
};

/** Total by model as the query has it, over all time that was sent. */
const totals = async (edition) => {
  const [from, to] = [new Date(Date.now() - 2 * 86_400_000), new Date(Date.now() + 3_600_000)].map((at) => at.toISOString().slice(0, 13) + ':00:00Z');
  const { data } = await api(edition, 'GET', `/api/v1/usage/meters/${METER.key}/query?from=${from}&to=${to}&groupBy=model`);
  return Object.fromEntries(data.map(({ groupBy, value }) => [groupBy.model, Number(value)]));
};

/**
 * Sends for some seconds and answers when all of it is billable: events a second over the whole time, CPU by process, and what was wrong with the totals. While more than `lagMax`
 * events wait to be counted the client is held, so the rate is one that goes on for as long as one likes.
 */
export async function endToEnd(edition, { seconds, seed = 1, run = `r${Date.now()}`, rate = 0, customers, exponent, before = {}, lagMax = LAG_MAX_EVENTS_DEFAULT, report }) {
  const pids = edition.pids();
  const [started, cpuStarted, began] = [await progress(edition), cpuByKind(pids), performance.now()];
  const child = spawn(process.execPath, [join(root, 'tools/bench/usage/sender.mjs'), JSON.stringify({ url: `${edition.ingestUrl}/api/v1/usage/events`, key: edition.secretKey, seconds, perRequest: PER_REQUEST, connections: CONNECTIONS, rate, seed, run, customers, exponent })],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  let said;
  let senderCpu = 0;
  child.on('message', (message) => { said = message; });
  const isEnded = new Promise((resolve, reject) => { child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`the sender ended with ${code}`)))); });
  isEnded.catch(() => undefined);
  const lags = [];
  let [isHeld, nextReport, peakMb] = [false, 10_000, 0];
  for (;;) {
    await sleep(LOOK_EVERY_MS);
    if (child.exitCode === null) try { senderCpu = [...cpuByKind([child.pid]).values()][0] ?? senderCpu; } catch { /* it ends */ }
    const now = await progress(edition);
    const waiting = (now.accepted - started.accepted) - (now.metered - started.metered);
    lags.push(waiting);
    if (child.connected && isHeld !== waiting > lagMax) { isHeld = !isHeld; child.send(isHeld ? 'hold' : 'go'); }
    const elapsed = performance.now() - began;
    if (elapsed > nextReport) {
      nextReport += 10_000;
      peakMb = Math.max(peakMb, residentMb(pids));
      report?.({ seconds: elapsed / 1_000, perSecond: (now.metered - started.metered) / elapsed * 1_000, waiting, megabytes: residentMb(pids) });
    }
    if (child.exitCode !== null || said !== undefined) { if (waiting === 0) break; }
    if (elapsed > (seconds + 300) * 1_000) throw new Error(`${waiting} events are not counted 300 s after the last was sent`);
  }
  const elapsed = performance.now() - began;
  await isEnded;
  const after = await progress(edition);
  const cpu = less(cpuByKind(pids), cpuStarted);
  const found = await totals(edition);
  const faults = [];
  const compare = (name, is, expected) => { if (is !== expected) faults.push(`${name}: ${is}, expected ${expected}`); };
  compare('accepted', said.accepted, said.good + said.duplicates);
  compare('rejected', said.rejected, said.malformed);
  compare('counted', after.counted - started.counted, said.good);
  compare('duplicates', after.duplicate - started.duplicate, said.duplicates);
  for (const [model, expected] of Object.entries(said.byModel)) compare(`tokens of ${model}`, (found[model] ?? 0) - (before[model] ?? 0), expected);
  const sorted = [...lags].sort((a, b) => a - b);
  const perSecond = said.sent / elapsed * 1_000;
  return {
    faults, totals: found, sent: said.sent, seconds: elapsed / 1_000, perSecond, pushedBack: said.pushedBack, lagSecondsP95: sorted[Math.floor(sorted.length * 0.95)] / perSecond, peakMb: Math.max(peakMb, residentMb(pids)),
    cpuMicrosPerEvent: Object.fromEntries([['sender', senderCpu], ...cpu].map(([kind, spent]) => [kind, Number((spent * 1e6 / said.sent).toFixed(1))]).filter(([, spent]) => spent >= 0.1)),
  };
}
