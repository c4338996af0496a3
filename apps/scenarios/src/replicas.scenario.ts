import { eventually } from '@valueverse/testing';
import { Load } from './load.spec-kit';
import { describeUp, Up, type UpReady } from './up.spec-kit';

const TIMEOUT_MS = 240_000;
const MOVED = { timeoutMs: 60_000, everyMs: 200 };
const SERVICES = ['usage', 'billing', 'payments', 'notifications'] as const;
const ACCOUNTS = 40;

interface Reader { readonly consumer: string; readonly topic: string; readonly partition: number; readonly owner: string; readonly epoch: number; readonly behind: number }

describeUp('two replicas of each service', () => {
  const up = new Up();
  let ready: UpReady;
  let load: Load;
  beforeAll(async () => {
    ready = await up.up('--replicas', '2');
    load = new Load(ready.url, ready.secretKey);
    await load.prepare(ACCOUNTS);
  }, TIMEOUT_MS);
  afterAll(() => up.remove(), TIMEOUT_MS);

  const readers = async (service: string): Promise<Reader[]> => {
    const response = await fetch(`${ready.url}/api/v1/operator/log/${service}`, { headers: { authorization: `Bearer ${up.operatorToken()}` } });
    return (await response.json() as { readers: Reader[] }).readers;
  };
  /** The numbers of the processes that have partitions, as owners are written: machine/process/id. */
  const ownersOf = (all: readonly Reader[]): number[] => [...new Set(all.map(({ owner }) => Number(owner.split('/')[1])))].sort((a, b) => a - b);
  const readBy = (service: string, names: readonly string[]): Promise<Reader[]> => eventually(`the partitions of ${service} to be read by ${names.join(' and ')}, to the end`, async (saw) => {
    const all = await readers(service);
    const wanted = names.map((name) => up.part(name).pid).sort((a, b) => a - b);
    saw({ owners: ownersOf(all), wanted, behind: all.filter(({ behind }) => behind > 0) });
    return String(ownersOf(all)) === String(wanted) && all.every(({ behind }) => behind === 0) ? all : undefined;
  }, MOVED);
  const isUpAgain = (name: string, restarts: number): Promise<unknown> => eventually(`${name} to be up again`, async (saw) => {
    const part = up.part(name);
    saw(part);
    return part.restarts >= restarts && (await fetch(`${part.url}/health/ready`)).ok ? part : undefined;
  }, MOVED);

  test('F05 F31: partitions are shared, and move when a replica hangs, is killed, or comes again; nothing counts twice', async () => {
    const before = await readBy('usage', ['usage-1', 'usage-2']);
    const { pid } = up.part('usage-1');
    process.kill(pid, 'SIGSTOP');
    const without = await readBy('usage', ['usage-2']);
    const epochOf = (all: readonly Reader[], { consumer, topic, partition }: Reader): number => all.find((other) => other.consumer === consumer && other.topic === topic && other.partition === partition)!.epoch;
    const moved = before.filter(({ owner }) => owner.split('/')[1] === String(pid));
    expect(moved.length).toBeGreaterThan(0);
    expect(moved.filter((reader) => epochOf(without, reader) <= reader.epoch)).toEqual([]);
    for (let requests = 0; requests < 20; requests++) await load.send();
    process.kill(pid, 'SIGCONT');
    await readBy('usage', ['usage-1', 'usage-2']);
    process.kill(up.part('usage-2').pid, 'SIGKILL');
    for (let requests = 0; requests < 20; requests++) await load.send();
    await isUpAgain('usage-2', 1);
    await readBy('usage', ['usage-1', 'usage-2']);
    // A request that was under way when its replica died may have failed; what was accepted counts once.
    await load.allUsageCounted();
  }, TIMEOUT_MS);

  test('F07: a rolling restart under load loses no request and no event', async () => {
    load.failures.length = 0;
    load.start();
    // One replica of each service at a time.
    for (const nth of [1, 2]) {
      await Promise.all(SERVICES.map((service) => `${service}-${nth}`).map(async (name) => {
        const { pid, restarts } = up.part(name);
        process.kill(pid, 'SIGTERM');
        await isUpAgain(name, restarts + 1);
      }));
    }
    await load.stop();
    expect(load.failures).toEqual([]);
    await load.allUsageCounted();
    expect(await load.allInvoicesPaid()).toBeGreaterThan(SERVICES.length);
    for (const service of SERVICES) await readBy(service, [`${service}-1`, `${service}-2`]);
  }, TIMEOUT_MS);
});
