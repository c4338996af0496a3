import { newContext, runInContext } from '../http/request-context';
import { createLogger, NestLogger, redact } from './logger';

const written: string[] = [];
const logger = createLogger({ service: 'billing', level: 'debug', destination: { write: (line: string) => { written.push(line); } } });
const last = () => JSON.parse(written.at(-1) ?? '{}') as Record<string, unknown>;

test('a line is JSON and says who, when and how grave', () => {
  logger.info({ invoices: 3 }, 'a run ended');
  expect(last()).toEqual({ level: 'info', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string, service: 'billing', invoices: 3, message: 'a run ended' });
});

test('a line within a request has its trace and tenant', async () => {
  const context = { ...newContext(), tenant: 'org_1/test' };
  await runInContext(context, async () => {
    await Promise.resolve();
    logger.info('inside');
  });
  expect(last()).toMatchObject({ traceId: context.traceId, tenant: 'org_1/test' });
  logger.info('outside');
  expect(last()).not.toHaveProperty('traceId');
});

test.each<[string, unknown, unknown]>([
  ['a header', { headers: { authorization: 'x', Cookie: 'y', accept: 'z' } }, { headers: { authorization: '[redacted]', Cookie: '[redacted]', accept: 'z' } }],
  ['a name that ends in secret', { webhookSecret: 'x', client_secret: 'y', secrets: 1 }, { webhookSecret: '[redacted]', client_secret: '[redacted]', secrets: 1 }],
  ['a key in a text', 'used vv_live_sk_abcd1234_Zz09 today', 'used vv_live_sk_[redacted] today'],
  ['a key in a list', ['vv_test_ik_x'], ['vv_test_ik_[redacted]']],
  ['a bearer', 'got Bearer abc.def', 'got Bearer [redacted]'],
  ['the secret of an endpoint', 'whsec_abcDEF+/=', 'whsec_[redacted]'],
  ['the password of a URL', 'postgres://user:pass@db:5432/x', 'postgres://user:[redacted]@db:5432/x'],
  ['a large number', { n: 12n }, { n: '12' }],
])('%s', (_what, value, expected) => expect(redact(value)).toEqual(expected));

test('a secret does not come in by an error, its cause, or the message', () => {
  logger.error({ err: new Error('vv_live_sk_secret1', { cause: new Error('postgres://u:hunter2@db/x') }), password: 'p4ss' }, 'failed with vv_live_pk_secret2');
  expect(written.at(-1)).not.toMatch(/secret1|secret2|hunter2|p4ss/);
  expect(last()).toMatchObject({ level: 'error', err: { type: 'Error' } });
});

test('a line stays one line', () => {
  logger.info({ name: 'a\r\n{"level":"fatal"}\u001b[31m' }, 'line\nbreak');
  expect(written.at(-1)?.trimEnd().split(/[\r\n]/)).toHaveLength(1);
  expect(written.at(-1)).not.toMatch(/\u001b/);
});

test('Nest writes the same lines', () => {
  const nest = new NestLogger(logger);
  nest.error('it broke', 'Error: it broke\n at x', 'Router');
  expect(last()).toMatchObject({ level: 'error', message: 'it broke', context: 'Router', stack: 'Error: it broke\n at x' });
  nest.log('started', 'Nest');
  expect(last()).toMatchObject({ level: 'debug', message: 'started', context: 'Nest' });
});
