// A client in a process of its own, so that its CPU is told apart: sends batches of usage events over kept connections, as fast as they are answered or at a rate. Its parent
// tells it to hold on and to go on, and to end; then it says what was sent.
import { Agent, request } from 'node:http';
import { Traffic } from './traffic.mjs';

const { url, key, seconds, perRequest, connections, rate, ...traffic } = JSON.parse(process.argv[2]);
const agent = new Agent({ keepAlive: true, maxSockets: connections });
const made = new Traffic(traffic);
const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/cloudevents-batch+json' };
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
const deliver = async (bytes) => {
  for (;;) {
    const { status, text } = await post(bytes);
    if (status === 202) {
      const answer = JSON.parse(text);
      accepted += answer.accepted;
      rejected += answer.rejected.length;
      return;
    }
    if (status !== 429 && status !== 503) throw new Error(`answered with ${status}: ${text}`);
    pushedBack += 1;
    await pause(200);
  }
};

const began = performance.now();
const sender = async () => {
  while (performance.now() - began < seconds * 1_000) {
    if (isHeld || (rate > 0 && made.oracle.sent > rate * (performance.now() - began) / 1_000)) { await pause(5); continue; }
    await deliver(Buffer.from(made.batch(perRequest)));
  }
};
await Promise.all(Array.from({ length: connections }, sender));
agent.destroy();
process.send({ ...made.oracle, accepted, rejected, pushedBack, milliseconds: performance.now() - began });
process.disconnect();
