import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkConfig, defineConfig, flag, list, oneOf, port, readConfig, secret, text, url, whole } from './config';

const schema = defineConfig({
  PORT: port(8001),
  DATABASE_URL: url({ secret: true }),
  EDITION: oneOf('embedded', 'distributed')({ default: 'embedded' }),
  KAFKA_BROKERS: list({ optional: true }),
  MASTER_KEY: secret(),
  CONNECTIONS: whole(1, 50)({ default: 8 }),
  DOCS: flag({ default: true }),
  PUBLIC_URL: url({ optional: true }),
  NAME: text({ default: 'valueverse' }),
});
const right = { DATABASE_URL: 'postgres://u:pw@db/x', MASTER_KEY: 'sixteen characters' };

test('what is not given has its default, what is given its type', () => {
  const result = readConfig(schema, { ...right, KAFKA_BROKERS: 'a:1, b:2', DOCS: 'false', CONNECTIONS: '3' });
  expect(result).toEqual({ config: {
    PORT: 8001, DATABASE_URL: right.DATABASE_URL, EDITION: 'embedded', KAFKA_BROKERS: ['a:1', 'b:2'], MASTER_KEY: right.MASTER_KEY, CONNECTIONS: 3, DOCS: false, PUBLIC_URL: undefined, NAME: 'valueverse',
  } });
  if ('config' in result) {
    const typed: { PORT: number; EDITION: 'embedded' | 'distributed'; KAFKA_BROKERS: readonly string[] | undefined; DOCS: boolean } = result.config;
    expect(typed.PORT).toBe(8001);
  }
});

test('every fault is told at once, and none tells a secret', () => {
  const result = readConfig(schema, { PORT: '70000', EDITION: 'cloud', MASTER_KEY: 'tooshort', DOCS: 'maybe', CONNECTIONS: '0' });
  expect(result).toEqual({ faults: [
    { name: 'PORT', detail: 'a whole number from 0 to 65535 is expected' },
    { name: 'DATABASE_URL', detail: 'is required: url' },
    { name: 'EDITION', detail: 'one of embedded, distributed is expected' },
    { name: 'MASTER_KEY', detail: 'at least 16 characters are expected' },
    { name: 'CONNECTIONS', detail: 'a whole number from 1 to 50 is expected' },
    { name: 'DOCS', detail: 'true or false is expected' },
  ] });
});

test('a secret may be in a file, but not in two places', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vv-config-'));
  const file = join(folder, 'key');
  writeFileSync(file, 'a secret out of a file\n');
  try {
    expect(readConfig(schema, { DATABASE_URL: right.DATABASE_URL, MASTER_KEY_FILE: file })).toMatchObject({ config: { MASTER_KEY: 'a secret out of a file' } });
    expect(readConfig(schema, { ...right, MASTER_KEY_FILE: file })).toEqual({ faults: [{ name: 'MASTER_KEY', detail: 'is given twice, by itself and by MASTER_KEY_FILE' }] });
    expect(readConfig(schema, { DATABASE_URL: right.DATABASE_URL, MASTER_KEY_FILE: `${file}.not` })).toEqual({ faults: [{ name: 'MASTER_KEY', detail: 'the file of MASTER_KEY_FILE cannot be read (ENOENT)' }] });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a check prints what would be used, without secrets', () => {
  const { exitCode, report } = checkConfig(schema, { ...right, PUBLIC_URL: 'https://user:pw@example.com/' });
  expect(exitCode).toBe(0);
  expect(report).toContain('PORT=8001\nDATABASE_URL=[redacted]\n');
  expect(report).toContain('PUBLIC_URL=https://user:[redacted]@example.com/');
  expect(report).not.toContain(right.MASTER_KEY);
  expect(checkConfig(schema, {})).toEqual({ exitCode: 1, report: 'DATABASE_URL: is required: url\nMASTER_KEY: is required: secret' });
});
