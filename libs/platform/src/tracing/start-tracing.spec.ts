import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startOtlpReceiver } from '@valueverse/testing';
import { tracingIsWanted } from './start-tracing';

const ROOT = join(__dirname, '..', '..', '..', '..');
const SCRIPT = `
const { createLogger, startTracing } = require('./libs/platform/dist/index.js');
const { inSpan } = require('./libs/event-log/dist/index.js');
(async () => {
  const tracing = await startTracing('valueverse-spec', createLogger({ service: 'spec', level: 'silent' }));
  await inSpan('work', {}, async () => undefined);
  await tracing.stop();
  process.stdout.write(String(Object.keys(require.cache).some((path) => path.includes('@opentelemetry/sdk-node'))));
})();`;

/** A process of its own that makes one span and ends; answers whether it has loaded the SDK. */
const processWith = async (env: Readonly<Record<string, string>>): Promise<string> =>
  (await promisify(execFile)(process.execPath, ['-e', SCRIPT], { cwd: ROOT, env: { PATH: process.env['PATH'] ?? '', ...env } })).stdout;

test.each<[boolean, Record<string, string>]>([
  [false, {}],
  [true, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' }],
  [true, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:4318/v1/traces' }],
  [true, { OTEL_TRACES_EXPORTER: 'zipkin' }],
  [false, { OTEL_TRACES_EXPORTER: 'none', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' }],
  [false, { OTEL_SDK_DISABLED: 'true', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' }],
  [false, { OTEL_EXPORTER_OTLP_ENDPOINT: '' }],
  [false, { OTEL_SERVICE_NAME: 'x', OTEL_METRICS_EXPORTER: 'otlp' }],
])('traces are wanted: %s with %j', (wanted, env) => expect(tracingIsWanted(env)).toBe(wanted));

test('the SDK is loaded only where it is asked for, and what is not sent yet is sent at the end', async () => {
  expect(await processWith({})).toBe('false');
  const receiver = await startOtlpReceiver();
  try {
    const asked = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', OTEL_BSP_SCHEDULE_DELAY: '60000', OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=spec' };
    expect(await processWith(asked)).toBe('true');
    expect(receiver.spans).toMatchObject([{ name: 'work', service: 'valueverse-spec' }]);
    // Of the process and its host nothing is told but what the settings say.
    expect(receiver.bodies.join()).toContain('deployment.environment');
    expect(receiver.bodies.join()).not.toMatch(/process\.command|host\.name/);
    await processWith({ ...asked, OTEL_SERVICE_NAME: 'mine' });
    expect(receiver.spans.at(-1)).toMatchObject({ service: 'mine' });
  } finally {
    await receiver.stop();
  }
}, 60_000);

test('a receiver that is not there does not hold up the end', async () => {
  expect(await processWith({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_EXPORTER_OTLP_TIMEOUT: '1000' })).toBe('true');
}, 60_000);
