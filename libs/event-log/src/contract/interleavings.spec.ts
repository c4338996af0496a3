import fc from 'fast-check';
import { partitionsOf } from '@valueverse/contracts';
import { verifyChain } from '../chain/verify';
import { partitionName, type Feed, type FeedRecord, type GroupMember, type NewRecord, type TopicPartition } from '../feed/feed';
import { PostgresFeed } from '../feed/postgres-feed';
import type { Log } from '../log';
import { rebuildAndCompare } from '../project/build';
import { Bed, isExactlyOnceInOrder, recorder } from './bed.spec-kit';
import { parcelView } from './parcels.spec-kit';

const TIMEOUT_MS = 120_000;
const RUNS = 100;
const SEED = 20_260_101;
const TOPIC = 'billing.plans';
const PARTITIONS: readonly TopicPartition[] = Array.from({ length: partitionsOf(TOPIC) }, (_, partition) => ({ topic: TOPIC, partition }));

type Step =
  | { readonly do: 'append'; readonly stream: number }
  | { readonly do: 'publish'; readonly dies?: 'before its mark' | 'among its appends' }
  | { readonly do: 'consume'; readonly killedAt?: number }
  | { readonly do: 'zombie' };
const steps = fc.array(fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('append' as const), stream: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.constant({ do: 'publish' } as Step) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('publish' as const), dies: fc.constantFrom('before its mark' as const, 'among its appends' as const) }) },
  { weight: 2, arbitrary: fc.constant({ do: 'consume' } as Step) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('consume' as const), killedAt: fc.integer({ min: 1, max: 14 }) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'zombie' } as Step) },
), { minLength: 4, maxLength: 24 });

let bed: Bed;
let log: Log;
let feed: PostgresFeed;
const graves: Log[] = [];
beforeAll(async () => {
  bed = await Bed.make();
  log = bed.open();
  feed = new PostgresFeed(bed.url, 12);
  await feed.ensureTopics();
}, TIMEOUT_MS);
afterAll(async () => { await bed.close(); await feed.close(); }, TIMEOUT_MS);

const dead = (): Error => new Error('killed');
/** A process that publishes once; where it dies it was its last act. The next one finds the lease free, as after its time. */
const publish = async (dies?: 'before its mark' | 'among its appends'): Promise<void> => {
  await log.database.transaction({ role: 'worker' }, (tx) => tx.query(`UPDATE relay_lease SET lease_until = '-infinity'`));
  let appends = 0;
  const append = async (topic: typeof TOPIC, partition: number, records: readonly NewRecord[]): Promise<void> => {
    if (dies === 'among its appends' && appends++ % 2 === 1) throw dead();
    await feed.append(topic, partition, records);
    if (dies === 'before its mark') throw dead();
  };
  await bed.relay(log, Object.assign(Object.create(feed) as Feed, { append })).publish().catch((error: Error) => { if (error.message !== 'killed') throw error; });
};

/** A process that reads, moved step by step. */
class Reader {
  private member: GroupMember | undefined;
  private nexts = new Map<string, bigint>();
  constructor(through: Log) {
    const join: Feed['join'] = (_group, _topics, member) => { this.member = member; return { wake: () => undefined, retake: () => undefined, stop: async () => undefined }; };
    bed.subscription(through, Object.assign(Object.create(feed) as Feed, { join }), recorder()).start();
  }
  async assign(): Promise<void> { this.nexts = await this.member!.onAssigned(PARTITIONS); }
  /** One round over all partitions; answers what became of each. */
  async read(): Promise<unknown[]> {
    const wanted = PARTITIONS.filter((partition) => this.nexts.has(partitionName(partition)));
    const records = await feed.readMany(new Map(wanted.map((partition) => [partitionName(partition), { ...partition, next: this.nexts.get(partitionName(partition))! }])));
    const runs = Map.groupBy(records, (record: FeedRecord) => partitionName(record));
    const answers: unknown[] = [];
    for (const [name, run] of runs) {
      const answer = await this.member!.onRecords(run[0]!, run);
      if (typeof answer === 'object') this.nexts.set(name, answer.next);
      answers.push(answer);
    }
    return answers;
  }
}
/** From its n-th statement on this process can do nothing more. */
const killedAt = (nth: number): Log => {
  let statements = 0;
  const killed = bed.open(() => { statements += 1; if (statements >= nth) throw dead(); });
  graves.push(killed);
  return killed;
};
const consume = async (through: Log): Promise<Reader> => {
  const reader = new Reader(through);
  await reader.assign().then(() => reader.read()).catch((error: Error) => { if (error.message !== 'killed') throw error; });
  return reader;
};

let run = 0;
const play = async (script: readonly Step[]): Promise<void> => {
  run += 1;
  const counts = [0, 0, 0];
  let last: Reader | undefined;
  for (const step of script) {
    if (step.do === 'append') { await bed.scan(log, `r${run}-${step.stream}`); counts[step.stream]! += 1; }
    if (step.do === 'publish') await publish(step.dies);
    if (step.do === 'consume') last = await consume(step.killedAt === undefined ? log : killedAt(step.killedAt));
    if (step.do === 'zombie' && last !== undefined) {
      const successor = new Reader(log);
      await successor.assign();
      const answers = await last.read().catch(() => []);
      expect(answers.filter((answer) => typeof answer === 'object')).toEqual([]);
    }
  }
  await publish();
  await consume(log);
  await Promise.all(graves.splice(0).map(({ database }) => database.close()));
  const effects = (await bed.effects(log)).filter(({ stream }) => stream.startsWith(`parcel-r${run}-`));
  expect(isExactlyOnceInOrder(effects)).toBe(true);
  expect(counts.map((_, stream) => effects.filter((effect) => effect.stream === `parcel-r${run}-${stream}`).length)).toEqual(counts);
};

test('F13 F57 F122: whatever dies between whichever two steps: every fact has its effect once, in the order of its stream', async () => {
  await fc.assert(fc.asyncProperty(steps, play), { numRuns: RUNS, seed: SEED, endOnFailure: true });
  const { rows } = await log.database.transaction({ role: 'worker' }, (tx) => tx.query<{ partition: number }>(
    'SELECT partition FROM events GROUP BY partition HAVING count(*) <> max(position) OR min(position) <> 1'));
  expect(rows).toEqual([]);
  expect((await verifyChain(log.database)).faults).toEqual([]);
  const { live, rebuilt } = await rebuildAndCompare(log.store, 'billing', parcelView);
  expect(rebuilt).toBe(live);
  expect(bed.alarms).toEqual([]);
}, TIMEOUT_MS);
