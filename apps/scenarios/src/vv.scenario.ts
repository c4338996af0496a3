import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@valueverse/testing';
import { freePort, jsonOf, run, type Running } from './process.spec-kit';

const TIMEOUT_MS = 120_000;
let folder: string;
let edition: Running;

/** `vv` as a shell would call it, in JSON where it succeeds. */
const vv = async (...args: string[]): Promise<{ code: number | null; output: string }> => {
  const process_ = run('apps/valueverse/bin/vv.mjs', args, { VV_DATA: folder });
  const code = await process_.ended;
  return { code, output: process_.output() };
};
const json = async <T>(...args: string[]): Promise<T> => {
  const { code, output } = await vv(...args, '--json');
  if (code !== 0) throw new Error(`vv ${args.join(' ')} ended with ${code}: ${output}`);
  return JSON.parse(output) as T;
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vv-cli-'));
  edition = run('apps/valueverse/dist/demo/main.js', ['--data', folder, '--port', String(await freePort()), '--json']);
  await eventually('the demo to serve', () => (edition.output().includes('[{') ? jsonOf(edition) : undefined), { timeoutMs: TIMEOUT_MS });
}, TIMEOUT_MS);
afterAll(async () => {
  await edition.stop();
  rmSync(folder, { recursive: true, force: true });
}, TIMEOUT_MS);

test('status and doctor say that all is well', async () => {
  expect(await json('status')).toMatchObject({ ready: true });
  const findings = await json<{ check: string; ok: boolean }[]>('doctor');
  expect(findings.map(({ check }) => check)).toEqual(expect.arrayContaining(['reachable', 'billing log', 'operator token']));
  expect(findings.every(({ ok }) => ok)).toBe(true);
}, TIMEOUT_MS);

test('an organization and its keys: made, listed, revoked; a revoked key is refused', async () => {
  const made = await json<{ id: string; keys: { key: string; environment: string; kind: string }[] }>('organizations', 'create', 'Beta');
  expect(made.keys.map(({ environment, kind }) => `${environment} ${kind}`)).toEqual(['test secret', 'test publishable', 'live secret', 'live publishable']);
  expect((await json<{ name: string }[]>('organizations', 'list')).map(({ name }) => name)).toContain('Beta');
  const key = await json<{ id: string; key: string }>('keys', 'create', made.id, '--kind', 'secret', '--name', 'robot');
  expect((await vv('invoice', 'list', '--key', key.key)).code).toBe(0);
  expect(await json('keys', 'revoke', key.id)).toMatchObject({ status: 'revoked' });
  expect(await json<{ id: string; status: string }[]>('keys', 'list', made.id)).toEqual(expect.arrayContaining([expect.objectContaining({ id: key.id, status: 'revoked' })]));
  const refused = await vv('invoice', 'list', '--key', key.key);
  expect(refused.code).toBe(1);
  expect(refused.output).toMatch(/credential_revoked[^]*next: npx vv doctor/);
}, TIMEOUT_MS);

test('a test clock is made and advanced', async () => {
  const clock = await json<{ id: string }>('clock', 'create', 'cli', '--now', '2024-01-31T00:00:00Z');
  expect(await json('clock', 'advance', clock.id, '1mo')).toMatchObject({ status: 'ready', now: '2024-02-29T00:00:00Z' });
  expect((await vv('clock', 'advance', clock.id, '2024-01-01T00:00:00Z')).output).toContain('clock_goes_forward');
}, TIMEOUT_MS);

test('invoices are listed, explained and written as PDF', async () => {
  expect((await json<{ number: string; total: string }[]>('invoice', 'list')).map(({ number, total }) => `${number} ${total}`)).toEqual(['INV-000002 134.84', 'INV-000001 49.00']);
  const { output } = await vv('invoice', 'explain', 'INV-000002');
  expect(output).toContain('0 to 10,000,000: 10,000,000 x 0.0000025 = 25 USD');
  expect(output).toContain('above 10,000,000: 30,421,844 x 0.000002 = 60.843688 USD');
  expect(await json('invoice', 'explain', 'INV-000002')).toMatchObject({ invoice: { number: 'INV-000002' }, lines: [{ amount: '85.84' }, { amount: '49.00' }] });
  const file = join(folder, 'invoice.pdf');
  await json('invoice', 'pdf', 'INV-000002', '--out', file);
  expect(existsSync(file)).toBe(true);
  expect(readFileSync(file).subarray(0, 5).toString()).toBe('%PDF-');
}, TIMEOUT_MS);

test('the chains of all services verify', async () => {
  const verified = await json<{ service: string; intact: boolean; facts: number }[]>('log', 'verify');
  expect(verified.map(({ service, intact }) => `${service} ${String(intact)}`)).toEqual(['usage true', 'billing true', 'payments true', 'notifications true']);
}, TIMEOUT_MS);

test('where nothing answers it says so, and what to do', async () => {
  const { code, output } = await vv('status', '--url', `http://127.0.0.1:${await freePort()}`);
  expect(code).toBe(1);
  expect(output).toMatch(/nothing answers at [^]*next: npm start/);
}, TIMEOUT_MS);
