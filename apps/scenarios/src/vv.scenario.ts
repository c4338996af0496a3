import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, scratchFolder } from '@valueverse/platform';
import { eventually } from '@valueverse/testing';
import { jsonOf, run, type Running } from './process.spec-kit';

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
  return jsonOf<T>({ output: () => output });
};

beforeAll(async () => {
  folder = scratchFolder('cli');
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
  expect(output).toMatch(/How the lines come to the total\n {2}1\. all lines, without tax: 134\.84 USD[^]*paid 134\.84 USD, given back 0\.00 USD, left to be paid 0\.00 USD/);
  const lines = join(folder, 'lines.csv');
  await json('invoice', 'lines', 'INV-000002', '--out', lines);
  expect(readFileSync(lines, 'utf8').split('\r\n').map((row) => row.split(',')[2])).toEqual(['chargeKey', 'prompt', 'platform', undefined]);
}, TIMEOUT_MS);

test('a file of usage: cut off and gone on with by the same command, its bad rows mended and sent again', async () => {
  const file = join(folder, 'calls.csv');
  const ROWS = 120;
  const NOTE = 'n'.repeat(100_000);
  writeFileSync(file, `row,customer,at,tokens,note\n${Array.from({ length: ROWS }, (_, nth) => `${nth},${nth === 7 ? '' : `importer-${nth % 3}`},${nth === 9 ? 'noon' : 1_772_366_400 + nth},2,${NOTE}`).join('\n')}\n`);
  const mapping = ['--map', 'subject=customer', 'type:=imported.call', 'id=row', 'time=at', 'data.tokens=tokens', '--time-format', 'epoch_seconds'];
  const { secretKey } = JSON.parse(readFileSync(join(folder, 'credentials.json'), 'utf8')) as { secretKey: string };
  const { url } = JSON.parse(readFileSync(join(folder, 'server.json'), 'utf8')) as { url: string };
  const api = async <T>(path: string, body?: unknown): Promise<T> => await (await fetch(`${url}/api/v1/usage/${path}`, { headers: { 'authorization': `Bearer ${secretKey}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }) })).json() as T;
  await api('meters', { key: 'imported', eventType: 'imported.call', aggregation: 'sum', valueProperty: '$.tokens' });

  const cut = run('apps/valueverse/bin/vv.mjs', ['events', 'import', file, ...mapping], { VV_DATA: folder });
  await eventually('some of the file to be there', async (saw) => {
    saw(cut.output());
    return (await api<{ data: { bytesReceived: number }[] }>('imports')).data.some(({ bytesReceived }) => bytesReceived > 0) ? true : undefined;
  }, { everyMs: 2, timeoutMs: TIMEOUT_MS / 4 });
  await cut.kill();

  const sent = await vv('events', 'import', file, ...mapping);
  expect(sent.output).toMatch(/goes on at byte [1-9][^]*imp_\S+ {2}120 rows: 118 accepted, 2 rejected\nrejected rows with their reasons are in \S+calls\.csv\.rejected\.csv/);
  const { data: imports } = await api<{ data: { id: string }[] }>('imports');
  expect(imports).toHaveLength(1);
  const rejected = readFileSync(`${file}.rejected.csv`, 'utf8');
  expect(rejected.split('\n').map((line) => line.slice(0, 20))).toEqual(['rejection,row,custom', expect.stringMatching(/^"missing_field: /), expect.stringMatching(/^"invalid_time: /), '']);

  // The same once more says the same and sends nothing; what may have been mended is not written over.
  const again = await vv('events', 'import', file, ...mapping);
  expect(again).toMatchObject({ code: 1, output: expect.stringMatching(/there is a file \S+ already[^]*next: run the same command with --rejected/) });
  expect(await json('events', 'import', file, ...mapping, '--rejected', join(folder, 'other.csv'))).toMatchObject({ id: imports[0]!.id, accepted: 118, rejectedFile: join(folder, 'other.csv') });
  expect(readFileSync(join(folder, 'other.csv'), 'utf8')).toBe(rejected);

  writeFileSync(`${file}.rejected.csv`, rejected.replace(',7,,', ',7,importer-1,').replace(',noon,', ',1772366409,'));
  expect(await json('events', 'import', `${file}.rejected.csv`, ...mapping)).toMatchObject({ rowsRead: 2, accepted: 2, rejected: 0, rejectedFile: null });
  await eventually('all of them to be counted', async (saw) => {
    const { data } = await api<{ data: { value: string }[] }>('meters/imported/query?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z');
    saw(data);
    return data[0]?.value === '240' ? true : undefined;
  }, { timeoutMs: TIMEOUT_MS / 4 });
  expect(await vv('events', 'import', file, '--map', 'subject')).toMatchObject({ code: 1, output: expect.stringContaining('"subject" maps nothing') });
  expect(await vv('events', 'import', file, '--map', 'subject=nobody', 'type:=x')).toMatchObject({ code: 1, output: expect.stringMatching(/failed: there is no column "nobody"[^]*unknown_column/) });
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

test('payments: the book of the provider agrees with ours, and nothing was paid out yet', async () => {
  // The two invoices of the demo: 49.00 + 134.84 = 183.84; 2.9 % and 0.30 of each: 1.72 + 4.21 = 5.93.
  expect(await json('reconcile', 'payments', '--from', '2023-01-01T00:00:00Z', '--to', '2024-06-01T00:00:00Z')).toMatchObject({ agree: true, lines: 2, sums: [{ currency: 'USD', charged: '183.84', fees: '5.93', balance: '177.91' }] });
  expect(await json('payouts', 'list', '--provider', 'sandbox')).toEqual([]);
  expect((await vv('reconcile', 'payments', '--provider', 'nobody', '--from', '2023-01-01T00:00:00Z', '--to', '2024-06-01T00:00:00Z')).output).toMatch(/unknown_provider/);
}, TIMEOUT_MS);
