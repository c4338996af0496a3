import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createServer } from 'node:net';
import { eventually } from '@valueverse/testing';
import { ROOT, run } from './process.spec-kit';
import { describeUp, Up } from './up.spec-kit';

const TIMEOUT_MS = 240_000;
const DEADLINE = { timeoutMs: 60_000, everyMs: 100 };
// 10,000,000 x 0.0000025 + 30,421,844 x 0.000002 = 85.84; with the fee of December 134.84
const INVOICES = [
  { number: 'INV-000001', total: '49.00', paymentStatus: 'paid' },
  { number: 'INV-000002', total: '134.84', paymentStatus: 'paid', lines: [{ quantity: '40421844', amount: '85.84' }, { amount: '49.00' }] },
];

describeUp('npm run up', () => {
  const up = new Up();
  afterAll(() => up.remove(), TIMEOUT_MS);

  test('four services as processes behind one address bill the demo, and it looks at its parts', async () => {
    const ready = await up.up();
    expect(await up.demo(ready.url)).toMatchObject(INVOICES);
    expect(await up.status()).toMatchObject({ up: true });
    expect(up.state().parts.map(({ name }) => name).filter((name) => name !== 'redis').sort())
      .toEqual(['billing-1', 'gateway', 'inbox', 'kafka-1', 'notifications-1', 'payments-1', 'postgres', 'usage-1']);
    expect(await (await fetch(`${ready.url}/mail`)).text()).toContain('INV-000002');
    expect(statSync(join(up.data, 'secrets.json')).mode & 0o777).toBe(0o600);
    expect(await up.up()).toEqual(ready);
    expect((await up.tryUp('--replicas', '2')).output()).toMatch(/It is up already, at http.* with --brokers 1 --replicas 1\.\n {2}next: npm run down/);
  }, TIMEOUT_MS);

  test('a service that dies is started again, and status says how often', async () => {
    const before = up.part('payments-1');
    process.kill(before.pid, 'SIGKILL');
    await eventually('payments to be up again', async (saw) => {
      const { parts } = await up.status();
      const payments = parts.find(({ name }) => name === 'payments-1')!;
      saw(payments);
      return payments.restarts === 1 && payments.state === 'up' ? true : undefined;
    }, DEADLINE);
    expect(up.log('supervisor')).toMatch(/payments-1 was ended by SIGKILL; it is started again in 0\.5 s/);
  }, TIMEOUT_MS);

  test('down leaves no process; the next up finds the data', async () => {
    const everything = up.everything();
    expect(Up.living(everything)).toHaveLength(everything.length);
    expect((await up.down()).ended).toEqual(expect.arrayContaining(['supervisor', 'postgres', 'gateway']));
    expect(Up.living(everything)).toEqual([]);
    expect((await up.down()).ended).toEqual([]);
    const { url, secretKey } = await up.up();
    expect((await fetch(`${url}/api/v1/billing/plans`, { headers: { authorization: `Bearer ${secretKey}` } })).status).toBe(200);
  }, TIMEOUT_MS);

  test('a supervisor that was killed takes everything with it, paused parts too once down is called', async () => {
    const everything = up.everything();
    process.kill(up.part('usage-1').pid, 'SIGSTOP');
    process.kill(up.state().supervisor.pid, 'SIGKILL');
    await eventually('all parts but the paused one to end', (saw) => { const living = Up.living(everything); saw(living); return living.every((name) => name === 'usage-1') || undefined; }, DEADLINE);
    expect((await up.down()).ended).toEqual(['usage-1']);
    expect(Up.living(everything)).toEqual([]);
  }, TIMEOUT_MS);

  test('other brokers than those of the data, a taken port and a flag that is none are each a sentence and the next command', async () => {
    expect((await up.tryUp('--brokers', '3')).output()).toMatch(/was made with --brokers 1.*\n {2}next: npm run up -- --brokers 1/);
    expect((await up.tryUp('--brokers', '2')).output()).toMatch(/--brokers takes 1 or 3, not 2[^]*next: npm run up/);
    const other = createServer();
    await new Promise<void>((resolve) => { other.listen(up.port, '127.0.0.1', resolve); });
    const taken = await up.tryUp();
    other.close();
    expect(taken.child.exitCode).toBe(1);
    expect(taken.output()).toMatch(/Port \d+ is taken by another process\.\n {2}next: npm run up -- --port \d+/);
    expect(existsSync(join(up.data, 'state.json'))).toBe(false);
  }, TIMEOUT_MS);
});

test('without Java npm run up says what is missing and how to get it', async () => {
  const up = new Up();
  try {
    const process_ = run('apps/valueverse/dist/up/main.js', ['--local', '--port', '1', '--data', up.data], { PATH: join(ROOT, 'nowhere'), HOME: process.env['HOME'] ?? '' });
    expect(await process_.ended).toBe(1);
    expect(process_.output()).toMatch(/no Kafka: KAFKA_BROKERS is not set, Java is not installed.*\n {2}next: install Java 17/);
  } finally {
    await up.remove();
  }
}, TIMEOUT_MS);
