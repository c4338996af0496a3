// A client in a process of its own, so that its CPU is told apart: sends batches of usage events over kept connections, as fast as they are answered or at a rate that does not wait for
// answers, for some seconds or so many requests. Its parent tells it to hold on and to go on; at the end it says what was sent.
import { Agent, request } from 'node:http';
import { Traffic } from './traffic.mjs';

const { url, key, seconds = Infinity, requests = Infinity, perRequest, connections, rate, ...traffic } = JSON.parse(process.argv[2]);
const agent = new Agent({ keepAlive: true, maxSockets: connections });
const made = new Traffic(traffic);
const headers = { authorization: `Bearer ${key}`, 'content-type': perRequest === 1 ? 'application/cloudevents+json' : 'application/cloudevents-batch+json' };
let isHeld = false;
let accepted = 0;
let rejected = 0;
let pushedBack = 0;
process.on('message', (text) => { isHeld = text === 'hold'; });
const pause = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

const post = (bytes) => new Promise((resolve, reject) => {
  const sent = request(url, { method: 'POST', agent, headers: { ...headers, 'content-length': bytes.length } }, (answer) => {
    let text = '';
    answer.setEncoding('utf8');
    answer.on('data', (part) => { text += part; });
    answer.on('end', () => resolve({ status: answer.statusCode, text }));
  });
  sent.on('error', reject);
  sent.end(bytes);
});
const latencies = [];
let bytesSent = 0;
/** `dueMs` is when it should have been sent: a client that is late itself must not make the service look quick. */
const deliver = async (bytes, dueMs) => {
  for (;;) {
    const { status, text } = await post(bytes);
    if (status === 202) {
      latencies.push(performance.now() - dueMs);
      bytesSent += bytes.length;
      const answer = JSON.parse(text);
      accepted += answer.accepted;
      rejected += answer.rejected.length;
      return;
    }
    // A single event that is wrong is refused as a whole.
    if (status === 400 && perRequest === 1) { rejected += 1; return; }
    if (status !== 429 && status !== 503) throw new Error(`answered with ${status}: ${text}`);
    pushedBack += 1;
    await pause(200);
  }
};

const make = () => Buffer.from(perRequest === 1 ? made.event() : made.batch(perRequest));
/** So many requests are made beforehand: only sending them is measured. */
const ready = requests === Infinity ? [] : Array.from({ length: requests }, make);
const began = performance.now();
const isDone = () => performance.now() - began >= seconds * 1_000 || left <= 0;
let left = requests;
const next = () => { left -= 1; return ready.pop() ?? make(); };
/** Each connection sends again when it was answered. */
const inTurn = async () => {
  while (!isDone()) {
    if (isHeld) await pause(5);
    else await deliver(next(), performance.now());
  }
};
/** Requests are due at their times, whether others were answered or not. */
const atRate = async () => {
  const underWay = new Set();
  for (let nth = 0; !isDone(); nth++) {
    const dueMs = began + nth * perRequest / rate * 1_000;
    const restMs = dueMs - performance.now();
    if (restMs > 1) await pause(restMs);
    while (isHeld && !isDone()) await pause(5);
    const sending = deliver(next(), dueMs).finally(() => underWay.delete(sending));
    underWay.add(sending);
  }
  await Promise.all(underWay);
};
if (rate > 0) await atRate();
else await Promise.all(Array.from({ length: connections }, inTurn));
const milliseconds = performance.now() - began;
agent.destroy();
latencies.sort((a, b) => a - b);
const at = (share) => Number((latencies[Math.floor(latencies.length * share)] ?? 0).toFixed(1));
process.send({ ...made.oracle, accepted, rejected, pushedBack, bytes: bytesSent, milliseconds, latencies: { p50: at(0.5), p95: at(0.95), p99: at(0.99), most: at(0.9999) } });
process.disconnect();
