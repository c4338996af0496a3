// What traces cost: the CPU time of the edition's own process for each request, off, with spans that nobody takes, and sent by OTLP. All three
// run side by side and take turns, so that a busy machine is as busy for each.
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { root } from './edition.mjs';
import { freePort } from './free-port.mjs';
import { scratchFolder } from './scratch-folder.mjs';

const ROUNDS = 7;
const REQUESTS_PER_ROUND = 400;
const AT_ONCE = 8;
const EVENTS_PER_REQUEST = 10;
const TICKS_PER_MS = 0.1;
const SWITCH_ON = join(import.meta.dirname, 'traces-api-only.cjs');

const sleep = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });
const cpuMsOf = (pid) => { const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' '); return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_MS; };
const rssMbOf = (pid) => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1_024;
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Takes what is sent and keeps nothing. */
const startSink = () => new Promise((resolve) => {
  let bytes = 0;
  const server = createServer((request, response) => { request.on('data', (chunk) => { bytes += chunk.length; }); request.on('end', () => response.end()); });
  server.listen(0, '127.0.0.1', () => resolve({ url: `http://127.0.0.1:${server.address().port}`, bytes: () => bytes, stop: () => { server.closeAllConnections(); server.close(); } }));
});

async function start(root, name, port, env, flags) {
  const folder = scratchFolder('bench');
  const child = spawn(process.execPath, [...flags, join(root, 'apps/valueverse/dist/main.js'), '--data', folder, '--port', String(port), '--json'], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...env } });
  const { url, secretKey } = await new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk) => { text += chunk; if (text.includes('secretKey')) resolve(JSON.parse(text.slice(text.indexOf('{')))); });
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code}`)));
  });
  let sent = 0;
  const send = async () => {
    const events = Array.from({ length: EVENTS_PER_REQUEST }, () => ({ specversion: '1.0', id: String(sent++), source: 'bench', type: 'x', subject: 'acme', data: { n: 1 } }));
    const answer = await fetch(`${url}/api/v1/usage/events`, { method: 'POST', headers: { authorization: `Bearer ${secretKey}`, 'content-type': 'application/cloudevents-batch+json' }, body: JSON.stringify(events) });
    if (answer.status !== 202) throw new Error(`${name}: ${answer.status} ${await answer.text()}`);
    await answer.arrayBuffer();
  };
  const stop = async () => { child.kill('SIGTERM'); await new Promise((resolve) => { if (child.exitCode !== null) resolve(); else child.once('exit', resolve); }); rmSync(folder, { recursive: true, force: true }); };
  return { name, pid: child.pid, send, stop };
}

/** The CPU time of one round, in milliseconds a request. Metering's part is in it: the round ends when a moment has passed in which it reads. */
async function round({ pid, send }) {
  const before = cpuMsOf(pid);
  let left = REQUESTS_PER_ROUND;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => { while (left-- > 0) await send(); }));
  await sleep(300);
  return (cpuMsOf(pid) - before) / REQUESTS_PER_ROUND;
}

export async function benchTraces() {
  const sink = await startSink();
  const editions = [];
  try {
    // One after the other, so that all that were started are stopped when one of them does not start.
    editions.push(await start(root, 'off', await freePort(), {}, []));
    editions.push(await start(root, 'api only', await freePort(), {}, ['--require', SWITCH_ON]));
    editions.push(await start(root, 'on', await freePort(), { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url }, []));
    for (const edition of editions) await round(edition);
    const rounds = [];
    for (let nth = 0; nth < ROUNDS; nth++) {
      const times = [];
      for (const edition of editions) times.push(await round(edition));
      rounds.push(times);
    }
    for (const [place, { name, pid }] of editions.entries()) {
      const ratios = rounds.map((times) => times[place] / times[0]);
      process.stdout.write(`traces ${name}: ${median(rounds.map((times) => times[place])).toFixed(2)} ms CPU a request of ${EVENTS_PER_REQUEST} events, x ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}), ${Math.round(rssMbOf(pid))} MB\n`);
    }
    process.stdout.write(`traces on: ${Math.round(sink.bytes() / ((ROUNDS + 1) * REQUESTS_PER_ROUND))} bytes sent a request\n`);
  } finally {
    await Promise.all(editions.map(({ stop }) => stop()));
    sink.stop();
  }
}
