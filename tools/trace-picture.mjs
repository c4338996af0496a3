// Draws docs/traces.svg: runs the demo, receives its traces by OTLP, and draws the trace of the invoice over the hour of usage, with one of the requests that it
// was made of. `node tools/build.mjs --if-stale && node tools/trace-picture.mjs`
import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { scratchFolder } from './bench/scratch-folder.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const WIDTH = 1_080;
const NAMES = 400;
const ROW = 18;
const INDENT = 12;
const KINDS = ['#8a94a6', '#8a94a6', '#2f6fd6', '#c2571a', '#7a4fc0', '#1d8a5f'];
const LEGEND = [['HTTP request', 2], ['send, create', 4], ['process', 5], ['call to the outside', 3], ['append, job', 1]];

/** The spans that the demo sends. */
async function spansOfDemo() {
  const spans = [];
  const server = createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      for (const { scopeSpans } of JSON.parse(Buffer.concat(chunks)).resourceSpans) for (const scope of scopeSpans) spans.push(...scope.spans);
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const folder = scratchFolder('traces');
  const env = { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${server.address().port}`, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', OTEL_BSP_SCHEDULE_DELAY: '50', OTEL_BSP_MAX_QUEUE_SIZE: '65536' };
  const demo = spawn(process.execPath, [join(root, 'apps/valueverse/dist/demo/main.js'), '--data', folder, '--port', '0', '--json', '--exit'], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const code = await new Promise((resolve) => { demo.once('exit', resolve); });
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
  if (code !== 0) throw new Error(`the demo ended with ${code}`);
  return spans;
}

/** Spans of one trace as a tree, children in the order in which they began. */
function rowsOf(spans) {
  const known = new Set(spans.map(({ spanId }) => spanId));
  const children = Map.groupBy(spans.toSorted((a, b) => Number(BigInt(a.startTimeUnixNano) - BigInt(b.startTimeUnixNano))), ({ parentSpanId }) => (known.has(parentSpanId) ? parentSpanId : ''));
  const walk = (parent, depth) => (children.get(parent) ?? []).flatMap((span) => [{ span, depth }, ...walk(span.spanId, depth + 1)]);
  return walk('', 0);
}

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

function section(title, spans, top) {
  const rows = rowsOf(spans);
  const times = spans.flatMap(({ startTimeUnixNano, endTimeUnixNano }) => [BigInt(startTimeUnixNano), BigInt(endTimeUnixNano)]);
  const from = times.reduce((least, time) => (time < least ? time : least));
  const length = Number(times.reduce((most, time) => (time > most ? time : most)) - from) || 1;
  const at = (nanos) => NAMES + (Number(BigInt(nanos) - from) / length) * (WIDTH - NAMES - 70);
  const lines = [`<text x="8" y="${top + 14}" class="t">${escaped(title)} · ${(length / 1e6).toFixed(0)} ms</text>`];
  const places = new Map();
  for (const [nth, { span, depth }] of rows.entries()) {
    const y = top + 24 + nth * ROW;
    const x = at(span.startTimeUnixNano);
    const width = Math.max(2, at(span.endTimeUnixNano) - x);
    places.set(`${span.traceId}/${span.spanId}`, y + ROW / 2);
    lines.push(`<text x="${8 + depth * INDENT}" y="${y + 13}">${escaped(span.name)}</text><rect x="${x.toFixed(1)}" y="${y + 4}" width="${width.toFixed(1)}" height="10" rx="2" fill="${KINDS[span.kind]}"/>`
      + `<text x="${(x + width + 4).toFixed(1)}" y="${y + 13}" class="s">${((Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano))) / 1e6).toFixed(1)} ms${span.links?.length ? ` · ${span.links.length} link${span.links.length === 1 ? '' : 's'}` : ''}</text>`);
  }
  return { lines, places, bottom: top + 32 + rows.length * ROW };
}

function picture(spans) {
  const mailed = new Set(spans.filter(({ name }) => name === 'smtp send').map(({ traceId }) => traceId));
  const statement = spans.find(({ name, traceId }) => name === 'append statement' && mailed.has(traceId));
  const cause = statement.links.map(({ traceId, spanId }) => spans.find((span) => span.traceId === traceId && span.spanId === spanId)).find((span) => span?.name === 'create usage.events');
  const usage = section('One of the requests that carried the usage', spans.filter(({ traceId }) => traceId === cause.traceId), 30);
  const invoice = section('The invoice, from the end of its period to the e-mails', spans.filter(({ traceId }) => traceId === statement.traceId), usage.bottom + 10);
  const [y1, y2] = [usage.places.get(`${cause.traceId}/${cause.spanId}`), invoice.places.get(`${statement.traceId}/${statement.spanId}`)];
  const x = NAMES - 14;
  const legend = LEGEND.map(([text, kind], nth) => `<rect x="${8 + nth * 150}" y="8" width="10" height="10" rx="2" fill="${KINDS[kind]}"/><text x="${22 + nth * 150}" y="17">${text}</text>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${invoice.bottom}" font-family="sans-serif" font-size="11" fill="#1f2733">
<style>.t{font-weight:bold;font-size:13px}.s{fill:#6b7686;font-size:9px}</style><rect width="100%" height="100%" fill="#fff"/>
${[...legend, ...usage.lines, ...invoice.lines].join('\n')}
<path d="M${x} ${y1} h-10 V${y2} h10" fill="none" stroke="#d03a5a" stroke-dasharray="4 3"/><text x="${x - 14}" y="${y1 + 4}" text-anchor="end" fill="#d03a5a">a link: the statement counts it</text>
</svg>
`;
}

writeFileSync(join(root, 'docs/traces.svg'), picture(await spansOfDemo()));
process.stdout.write('written: docs/traces.svg\n');
