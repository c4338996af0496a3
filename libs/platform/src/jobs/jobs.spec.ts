import { eventually } from '@valueverse/testing';
import { follow } from '@valueverse/event-log';
import type { Service } from '../service/service';
import { KIND, remind, reminded, reminding, ServiceBed, TENANT, worker } from '../service/service-bed.spec-kit';
import type { Job } from './job';
import { JobTable } from './job-table';

const TIMEOUT_MS = 30_000;
const CLOCK = 'clk_1';
let bed: ServiceBed;
beforeEach(async () => { bed = await ServiceBed.make(); }, TIMEOUT_MS);
afterEach(() => bed.close(), TIMEOUT_MS);

const schedule = (service: Service, ...jobs: ReturnType<typeof remind>[]): Promise<void> => service.database.transaction({ role: 'worker' }, (tx) => service.jobs.schedule(tx, jobs));
const setTestClock = (service: Service, now: string): Promise<unknown> =>
  worker(service, 'INSERT INTO clocks VALUES ($1, $2, $3) ON CONFLICT (tenant, clock) DO UPDATE SET now = excluded.now', [TENANT, CLOCK, now]);
const onClock = (parcelId: string, dueAt: string): ReturnType<typeof remind> => remind(parcelId, dueAt, { clockId: CLOCK });
const remindersOf = async (service: Service, count: number): Promise<(readonly [string, string])[]> =>
  (await bed.factsOf(service, 'parcel.reminded', count)).map((fact) => [(fact['data'] as { parcelId: string }).parcelId, fact['time'] as string] as const);
const waiting = (service: Service): Promise<{ id: string; attempt: number; waits_for: string | null; pause: number }[]> =>
  worker(service, 'SELECT id, attempt, waits_for, extract(epoch FROM not_before - clock_timestamp())::float AS pause FROM jobs ORDER BY id');
/** As if the time of the lease, or of a pause, had passed. */
const timePasses = (service: Service): Promise<unknown> => worker(service, `UPDATE jobs SET locked_until = '-infinity', not_before = '-infinity'`);

describe('a job', () => {
  test('F14, B59: never begins before the transaction that made it is committed, and never at all when that is rolled back', async () => {
    const service = bed.jobs(async (job) => reminded(job));
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => { release = resolve; });
    const making = service.database.transaction({ role: 'worker' }, async (tx) => { await service.jobs.schedule(tx, [remind('made', bed.clock.at)]); await held; });
    const undone = service.database.transaction({ role: 'worker' }, async (tx) => { await service.jobs.schedule(tx, [remind('undone', bed.clock.at)]); throw new Error('rolled back'); });
    await expect(undone).rejects.toThrow('rolled back');
    // A job that is made later is done first: the runner has looked meanwhile.
    await schedule(service, remind('later', bed.clock.at));
    expect(await remindersOf(service, 1)).toEqual([['later', bed.clock.at]]);
    release();
    await making;
    expect((await remindersOf(service, 2)).map(([id]) => id).sort()).toEqual(['later', 'made']);
    expect(await waiting(service)).toEqual([]);
  }, TIMEOUT_MS);

  test('fires at its instant by the wall clock, not before', async () => {
    const service = bed.jobs(async (job) => reminded(job));
    await schedule(service, remind('late', '2026-01-01T00:00:00.000001Z'), remind('due', '2026-01-01T00:00:00Z'));
    expect(await remindersOf(service, 1)).toEqual([['due', '2026-01-01T00:00:00Z']]);
    bed.clock.at = '2026-01-01T00:00:00.000001Z';
    expect(new Map(await remindersOf(service, 2)).get('late')).toBe('2026-01-01T00:00:00.000001Z');
    expect(await waiting(service)).toEqual([]);
  }, TIMEOUT_MS);

  test('of a test clock fires when that clock stands at its instant, at the time of the clock, whatever the wall says', async () => {
    const service = bed.jobs(async (job) => reminded(job));
    await schedule(service, onClock('a', '2025-02-01T00:00:00Z'));
    await schedule(service, remind('wall', bed.clock.at));
    expect(await remindersOf(service, 1)).toEqual([['wall', bed.clock.at]]);
    await setTestClock(service, '2025-01-31T23:59:59.999999Z');
    await schedule(service, remind('wall2', bed.clock.at));
    await remindersOf(service, 2);
    await setTestClock(service, '2025-03-01T00:00:00Z');
    expect(new Map(await remindersOf(service, 3)).get('a')).toBe('2025-03-01T00:00:00Z');
    expect((await bed.facts(service, 'parcel.reminded')).filter(({ clockid }) => clockid === CLOCK)).toHaveLength(1);
  }, TIMEOUT_MS);

  test('of one clock comes after those that are due before it, also when one of them waits or fails; other clocks go on', async () => {
    const order: string[] = [];
    let isReady = false;
    const run = async (job: Job<{ parcelId: string }>): Promise<ReturnType<typeof reminded>> => {
      order.push(job.payload.parcelId);
      if (job.payload.parcelId === 'b' && !isReady) return { outcome: 'wait', afterMs: 1, reason: 'the test' };
      return reminded(job);
    };
    const service = bed.jobs(run);
    await schedule(service, ...['d', 'b', 'c'].map((id) => onClock(id, '2025-02-01T00:00:00Z')), onClock('a', '2025-01-15T00:00:00Z'), onClock('e', '2025-02-02T00:00:00Z'));
    await schedule(service, remind('other', bed.clock.at));
    await setTestClock(service, '2025-12-01T00:00:00Z');
    await remindersOf(service, 2);
    await eventually('b to wait', async (saw) => {
      const jobs = await waiting(service);
      saw(jobs);
      return jobs.find(({ id, waits_for: reason }) => id === 'job_b' && reason === 'the test');
    });
    isReady = true;
    await remindersOf(service, 6);
    expect(order.filter((id, nth) => id !== 'other' && order.indexOf(id) === nth)).toEqual(['a', 'b', 'c', 'd', 'e']);
  }, TIMEOUT_MS);

  test('that is scheduled twice is one, also after it is done and while it is being ended', async () => {
    const service = bed.jobs(async (job) => reminded(job));
    await schedule(service, remind('a', bed.clock.at), remind('a', bed.clock.at));
    await remindersOf(service, 1);
    await schedule(service, remind('a', bed.clock.at));
    expect(await waiting(service)).toEqual([]);
    // One that ends in a transaction which is still open while it is scheduled again.
    await schedule(service, remind('b', '2027-01-01T00:00:00Z'));
    let again: Promise<void> | undefined;
    await service.database.transaction({ role: 'worker' }, async (tx) => {
      await tx.query(`DELETE FROM jobs WHERE id = 'job_b'`);
      await tx.query(`INSERT INTO jobs_done VALUES ($1, 'job_b')`, [TENANT]);
      const other = bed.open('payments');
      again = new Promise((resolve, reject) => { setImmediate(() => { schedule(other, remind('b', bed.clock.at)).then(resolve, reject); }); });
      await eventually('the second one to wait for the first', async () => {
        const { rows } = await tx.query<{ n: bigint }>('SELECT count(*) AS n FROM pg_locks WHERE NOT granted');
        return rows[0]!.n > 0n ? true : undefined;
      });
    });
    await again;
    expect(await waiting(service)).toEqual([]);
    expect(await remindersOf(service, 1)).toHaveLength(1);
  }, TIMEOUT_MS);
});

describe('runners', () => {
  test('F08: two on one table: each job has its effects once', async () => {
    const runs = [bed.jobs(async (job) => reminded(job)), bed.jobs(async (job) => reminded(job))];
    const ids = Array.from({ length: 60 }, (_, nth) => `p${nth}`);
    await Promise.all([0, 1, 2].map((third) => schedule(runs[third % 2]!, ...ids.slice(third * 20, third * 20 + 20).map((id) => (third === 1 ? onClock(id, '2025-01-01T00:00:00Z') : remind(id, bed.clock.at))))));
    await setTestClock(runs[0]!, '2025-06-01T00:00:00Z');
    const reminders = await remindersOf(runs[0]!, 60);
    expect(reminders.map(([id]) => id).sort()).toEqual([...ids].sort());
  }, TIMEOUT_MS);

  test('F15: what one that was killed had in hand another finishes after the lease; the first one, if it wakes, changes nothing', async () => {
    const killed = bed.open('payments');
    await schedule(killed, remind('a', bed.clock.at));
    const tx = <T>(work: Parameters<typeof killed.database.transaction<T>>[1]): Promise<T> => killed.database.transaction({ role: 'worker' }, work);
    const [job] = await tx((inside) => killed.jobs.claim(inside, 'killed', bed.clock.at, 10));
    const attempts: number[] = [];
    const other = bed.jobs(async (taken) => { attempts.push(taken.attempt); return reminded(taken); });
    await schedule(other, remind('b', bed.clock.at));
    expect(await remindersOf(other, 1)).toEqual([['b', bed.clock.at]]);
    await timePasses(other);
    await remindersOf(other, 2);
    expect(attempts).toEqual([1, 2]);
    expect(await tx((inside) => killed.jobs.finishAll(inside, [job!], 'killed'))).toBe(0);
    await tx((inside) => killed.jobs.putBack(inside, job!, 'killed', { afterMs: 0, reason: 'late', failed: true }));
    expect(await waiting(other)).toEqual([]);
  }, TIMEOUT_MS);

  test('F12: a job that ends its processes is begun again with growing pauses, so that what else falls due is done between them', async () => {
    const service = bed.open('payments');
    await schedule(service, remind('deadly', bed.clock.at));
    const claim = (): Promise<number> => service.database.transaction({ role: 'worker' }, async (tx) => (await service.jobs.claim(tx, 'a process that ends', bed.clock.at, 8)).length);
    const pauses: number[] = [];
    for (let nth = 0; nth < 5; nth++) {
      expect(await claim()).toBe(1);
      // Nobody hears of it again. Its lease runs out.
      await worker(service, `UPDATE jobs SET locked_until = '-infinity'`);
      // In steps of ten seconds: a moment of each has passed already.
      pauses.push(Math.max(0, Math.ceil((await worker<{ pause: number }>(service, 'SELECT extract(epoch FROM not_before - clock_timestamp())::float AS pause FROM jobs'))[0]!.pause / 10) * 10));
      if (pauses.at(-1)! > 0) expect(await claim()).toBe(0);
      await timePasses(service);
    }
    expect(pauses).toEqual([0, 0, 10, 20, 40]);
  }, TIMEOUT_MS);

  test('a job that fails is tried again with growing pauses, is reported, and leaves nothing of its failed runs', async () => {
    let failures = 3;
    const service = bed.jobs(async (job) => ({ ...reminded(job), write: async (tx) => {
      await tx.query('INSERT INTO jobs_done VALUES ($1, $2)', [TENANT, `run ${failures}`]);
      if (failures-- > 0) throw new Error('the provider is down');
    } }));
    await schedule(service, remind('a', bed.clock.at));
    const putBack = jest.spyOn(JobTable.prototype, 'putBack');
    for (const attempt of [1, 2, 3]) {
      await eventually(`failure ${attempt}`, async () => (await waiting(service)).find((job) => job.attempt === attempt && job.waits_for === 'Error: the provider is down'));
      await timePasses(service);
    }
    await remindersOf(service, 1);
    expect(putBack.mock.calls.map(([, , , { afterMs }]) => afterMs)).toEqual([200, 400, 800]);
    putBack.mockRestore();
    expect(bed.logged.filter((line) => line.includes('failed at attempt'))).toHaveLength(3);
    expect(await worker(service, `SELECT id FROM jobs_done WHERE id LIKE 'run%'`)).toEqual([{ id: 'run 0' }]);
  }, TIMEOUT_MS);

  test('ends that come at once share a transaction; one that cannot be written is found out, and the others end', async () => {
    const ids = Array.from({ length: 12 }, (_, nth) => `p${nth}`);
    let begun = 0;
    let release: () => void = () => undefined;
    const all = new Promise<void>((resolve) => { release = resolve; });
    const service = bed.jobs(async (job) => {
      if (++begun === ids.length) release();
      await all;
      // No text: no fact can be made of it.
      return job.payload.parcelId === 'p7' ? { outcome: 'done', reaction: { commands: [follow(reminding, { type: 'Remind', parcelId: 'p7', at: 7 as unknown as string })] } } : reminded(job);
    });
    const finishAll = jest.spyOn(JobTable.prototype, 'finishAll');
    await schedule(service, ...ids.map((id) => remind(id, bed.clock.at)));
    expect((await remindersOf(service, ids.length - 1)).map(([id]) => id).sort()).toEqual(ids.filter((id) => id !== 'p7').sort());
    await eventually('the one that cannot be written to be put back', async (saw) => {
      const jobs = await waiting(service);
      saw(jobs);
      return jobs.length === 1 && jobs[0]!.waits_for !== null ? jobs[0] : undefined;
    });
    expect(Math.max(...finishAll.mock.calls.map(([, jobs]) => jobs.length))).toBeGreaterThan(1);
    finishAll.mockRestore();
    expect((await waiting(service)).map(({ id }) => id)).toEqual(['job_p7']);
  }, TIMEOUT_MS);

  test('a job that waits is not a failure, and says for what', async () => {
    let isReady = false;
    const attempts: number[] = [];
    const service = bed.jobs(async (job) => { attempts.push(job.attempt); return isReady ? reminded(job) : { outcome: 'wait', afterMs: 5, reason: 'the statement' }; });
    await schedule(service, remind('a', bed.clock.at));
    await eventually('three looks', () => (attempts.length >= 3 ? true : undefined));
    expect((await waiting(service))[0]).toMatchObject({ id: 'job_a', waits_for: 'the statement' });
    isReady = true;
    await remindersOf(service, 1);
    expect(new Set(attempts)).toEqual(new Set([1]));
    expect(bed.logged).toEqual([]);
  }, TIMEOUT_MS);

  test('hosts whose wall clocks differ do not take each other for dead', async () => {
    const service = bed.open('payments');
    await schedule(service, remind('a', bed.clock.at));
    const claim = (owner: string, wallNow: string): Promise<Job[]> => service.database.transaction({ role: 'worker' }, (tx) => new JobTable().claim(tx, owner, wallNow, 10));
    expect(await claim('one', bed.clock.at)).toHaveLength(1);
    expect(await claim('ahead', '2026-01-01T00:01:30Z')).toEqual([]);
    await timePasses(service);
    expect(await claim('ahead', '2026-01-01T00:01:30Z')).toHaveLength(1);
  });

  test('taking jobs reads one of each test clock and those that are taken, however many wait', async () => {
    const [clocks, ofEach, byWall, taken] = [300, 50, 5_000, 8];
    const service = bed.open('payments');
    await worker(service, `INSERT INTO clocks SELECT $1, 'clk_' || c, '2025-06-01' FROM generate_series(1, ${clocks}) c`, [TENANT]);
    await worker(service, `INSERT INTO jobs (tenant, id, kind, due_at, clock, payload) SELECT $1, 'c' || c || '_' || n, $2, timestamptz '2025-01-01' + n * interval '1 hour' + c * interval '1 second', 'clk_' || c, '{}'
      FROM generate_series(1, ${clocks}) c, generate_series(1, ${ofEach}) n`, [TENANT, KIND]);
    await worker(service, `INSERT INTO jobs (tenant, id, kind, due_at, payload) SELECT $1, 'w' || n, $2, timestamptz '2025-03-01' + n * interval '1 second', '{}' FROM generate_series(1, ${byWall}) n`, [TENANT, KIND]);
    // As autovacuum does: it is off in tests.
    await service.database.transaction({ role: 'owner' }, (tx) => tx.query('ANALYZE jobs, clocks'));
    const claim = (): Promise<{ ids: string[]; fetched: number; passed: number }> => service.database.transaction({ role: 'worker' }, async (tx) => {
      const seen = async (): Promise<{ fetched: number; passed: number }> =>
        (await tx.query<{ fetched: number; passed: number }>(`SELECT idx_tup_fetch::int AS fetched, seq_tup_read::int AS passed FROM pg_stat_xact_user_tables WHERE relid = 'jobs'::regclass`)).rows[0]!;
      const before = await seen();
      const jobs = await service.jobs.claim(tx, 'somebody', bed.clock.at, taken);
      const after = await seen();
      return { ids: jobs.map(({ id }) => id), fetched: after.fetched - before.fetched, passed: after.passed - before.passed };
    });
    const first = await claim();
    expect(first.ids).toEqual(Array.from({ length: taken }, (_, nth) => `c${nth + 1}_1`));
    const second = await claim();
    expect(second.ids).toEqual(Array.from({ length: taken }, (_, nth) => `c${taken + nth + 1}_1`));
    for (const { fetched, passed } of [first, second]) {
      expect(passed).toBe(0);
      // The first of each clock; what is taken by clocks, by the wall, and of both together; and what was taken before.
      expect(fetched).toBeLessThanOrEqual(clocks + 4 * taken);
    }
  }, TIMEOUT_MS);

  test('jobs of one kind are found by their kind, however many of another one are due; one of a kind that nothing runs says so', async () => {
    const [others, taken] = [5_000, 8];
    const service = bed.open('payments');
    await worker(service, `INSERT INTO jobs (tenant, id, kind, due_at, payload) SELECT $1, 'o' || n, 'payments.other', timestamptz '2025-01-01' + n * interval '1 second', '{}' FROM generate_series(1, ${others}) n`, [TENANT]);
    await schedule(service, ...Array.from({ length: taken }, (_, nth) => remind(`r${nth}`, '2025-06-01T00:00:00Z')));
    await service.database.transaction({ role: 'worker' }, async (tx) => {
      const jobs = await service.jobs.claim(tx, 'somebody', bed.clock.at, taken, { only: [KIND, 'payments.none'] });
      expect(jobs.map(({ kind }) => kind)).toEqual(Array(taken).fill(KIND));
      const { rows: [read] } = await tx.query<{ fetched: number; passed: number }>(`SELECT idx_tup_fetch::int AS fetched, seq_tup_read::int AS passed FROM pg_stat_xact_user_tables WHERE relid = 'jobs'::regclass`);
      expect(read!.passed).toBe(0);
      expect(read!.fetched).toBeLessThanOrEqual(3 * taken);
      expect((await service.jobs.claim(tx, 'somebody', bed.clock.at, taken, { but: [KIND] })).map(({ kind }) => kind)).toEqual(Array(taken).fill('payments.other'));
    });
    await worker(service, `DELETE FROM jobs WHERE kind = 'payments.other' AND id <> 'o100'`);
    const running = bed.jobs(async (job) => reminded(job));
    expect(await eventually('the job that nothing runs to be put back', async () => (await waiting(running)).find(({ id, waits_for: reason }) => id === 'o100' && reason === 'Error: nothing runs jobs of kind payments.other'))).toMatchObject({ attempt: 1 });
  }, TIMEOUT_MS);

  test('commands of a job that is run again are found and not made again', async () => {
    const service = bed.jobs(async (job) => reminded(job));
    await schedule(service, remind('a', bed.clock.at));
    await remindersOf(service, 1);
    // As after a restore of the jobs alone.
    await worker(service, 'DELETE FROM jobs_done');
    await schedule(service, remind('a', bed.clock.at));
    await eventually('the second run to end', async () => ((await waiting(service)).length === 0 ? true : undefined));
    expect(await bed.facts(service, 'parcel.reminded')).toHaveLength(1);
  }, TIMEOUT_MS);
});
