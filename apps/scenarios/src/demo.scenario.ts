import { rmSync } from 'node:fs';
import * as fc from 'fast-check';
import { freePort, scratchFolder } from '@valueverse/platform';
import { eventually, isNightly, runs } from '@valueverse/testing';
import { jsonOf, run, type Running } from './process.spec-kit';

const DEMO = 'apps/valueverse/dist/demo/main.js';
const START = 'apps/valueverse/dist/main.js';
const TIMEOUT_MS = 180_000;
const KILLS = 2;
const KILLS_AT_NIGHT = 20;
const LOOKS_MAX = 600;

interface Invoice { number: string; total: string; paymentStatus: string; currency: string; lines: { chargeKey: string; quantity: string; amount: string }[] }
interface Ready { url: string; secretKey: string; publishableKey: string; dataDir: string }

// 10,000,000 x 0.0000025 + 30,421,844 x 0.000002 = 25 + 60.843688 = 85.84; with the fee of December 85.84 + 49.00 = 134.84
const EXPECTED = [
  { number: 'INV-000001', total: '49.00', currency: 'USD', paymentStatus: 'paid', lines: [{ chargeKey: 'platform', quantity: '1', amount: '49.00' }] },
  { number: 'INV-000002', total: '134.84', currency: 'USD', paymentStatus: 'paid', lines: [{ chargeKey: 'prompt', quantity: '40421844', amount: '85.84' }, { chargeKey: 'platform', quantity: '1', amount: '49.00' }] },
];

let folder: string;
let running: Running[] = [];
beforeEach(() => { folder = scratchFolder('demo'); });
afterEach(async () => {
  await Promise.all(running.map((process_) => process_.kill()));
  running = [];
  rmSync(folder, { recursive: true, force: true });
}, TIMEOUT_MS);

const start = (main: string, ...args: string[]): Running => {
  const process_ = run(main, args);
  running.push(process_);
  return process_;
};
const demo = async (port: number): Promise<Running> => start(DEMO, '--data', folder, '--port', String(port), '--json', '--exit');
const finished = async (process_: Running): Promise<Invoice[]> => {
  const code = await process_.ended;
  if (code !== 0) throw new Error(`ended with ${code}:\n${process_.output()}`);
  return jsonOf<Invoice[]>(process_);
};

test('the demo bills an hour of real traffic: two paid invoices, to the cent', async () => {
  expect(await finished(await demo(await freePort()))).toMatchObject(EXPECTED);
}, TIMEOUT_MS);

test('F01 F02 F51: killed with -9 again and again while it runs, the demo ends with the same invoices', async () => {
  const port = await freePort();
  // At the first sign of each stage the process is killed, and the next run goes on from what the database holds.
  for (const stage of ['PostgreSQL', 'notifications', 'two meters', 'Acme on the plan', '10,000 usage events', 'the test clock moves']) {
    const process_ = start(DEMO, '--data', folder, '--port', String(port), '--exit');
    await eventually(`the stage "${stage}"`, (saw) => {
      saw(process_.output());
      return process_.output().includes(stage) || process_.child.exitCode !== null ? true : undefined;
    }, { timeoutMs: TIMEOUT_MS, everyMs: 5 });
    await process_.kill();
  }
  expect(await finished(await demo(port))).toMatchObject(EXPECTED);
}, TIMEOUT_MS * 2);

test('killed with -9 at random moments, the demo ends with the same invoices', async () => {
  const port = await freePort();
  // The moment is a number of looks at the process, so that it may fall anywhere; the seed is in the name of the run.
  const random = fc.sample(fc.integer({ min: 1, max: LOOKS_MAX }), { seed: runs(20_231_116, 1).seed, numRuns: isNightly() ? KILLS_AT_NIGHT : KILLS });
  for (const looks of random) {
    const process_ = start(DEMO, '--data', folder, '--port', String(port), '--exit');
    let seen = 0;
    await eventually(`look ${looks}`, () => (++seen >= looks || process_.child.exitCode !== null ? true : undefined), { timeoutMs: TIMEOUT_MS, everyMs: 10 });
    await process_.kill();
  }
  expect(await finished(await demo(port))).toMatchObject(EXPECTED);
}, TIMEOUT_MS * 4);

test('a second start finds the data of the first; two at once are told apart in a sentence', async () => {
  const port = await freePort();
  const ready = async (process_: Running): Promise<Ready> => eventually('the start', () => (process_.output().includes('secretKey') ? jsonOf<Ready>(process_) : undefined), { timeoutMs: TIMEOUT_MS });
  const first = start(START, '--data', folder, '--port', String(port), '--json');
  const was = await ready(first);
  const organizations = async ({ url }: Ready): Promise<Response> => fetch(`${url}/api/v1/billing/plans`, { headers: { authorization: `Bearer ${was.secretKey}` } });
  expect((await organizations(was)).status).toBe(200);

  const samePort = start(START, '--data', `${folder}-other`, '--port', String(port));
  expect(await samePort.ended).toBe(1);
  expect(samePort.output()).toMatch(/Port \d+ is taken by another process\.\n {2}next: npm start -- --port \d+/);
  const sameFolder = start(START, '--data', folder, '--port', String(await freePort()));
  expect(await sameFolder.ended).toBe(1);
  expect(sameFolder.output()).toMatch(/The data folder is in use by the process \d+/);

  await first.stop();
  const second = start(START, '--data', folder, '--port', String(port), '--json');
  const is = await ready(second);
  expect(is).toEqual(was);
  expect((await organizations(is)).status).toBe(200);
}, TIMEOUT_MS);

test('a database that is not there is one clear sentence and the next command', async () => {
  const nowhere = run(START, ['--data', folder, '--port', String(await freePort())], { DATABASE_URL: `postgres://nobody@127.0.0.1:${await freePort()}/nothing` });
  running.push(nowhere);
  expect(await nowhere.ended).toBe(1);
  expect(nowhere.output()).toMatch(/The database of DATABASE_URL does not answer.*\n {2}next: check DATABASE_URL/);
}, TIMEOUT_MS);
