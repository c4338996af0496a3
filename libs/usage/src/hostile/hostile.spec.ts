import { eventually, noteNotRun } from '@valueverse/testing';
import { CASES } from './cases.spec-kit';
import { HostileBed } from './hostile-bed.spec-kit';

const TIMEOUT_MS = 120_000;
/** Jobs read files and a projector reads records, which has to be waited for; the others come one by one. */
const AT_ONCE = { HTTP: 1, Kafka: 8, file: 6, RADIUS: 1 } as const;
const subjectOf = (nth: number): string => `case ${nth}`;
const rows = CASES.map((one, nth) => ({ ...one, nth, title: `${one.way}: ${one.name}` }));

let bed: HostileBed;
/** Where each case ended, or why it did not. */
const ended = new Map<number, Promise<string>>();
const sendAll = async (wanted: typeof rows, atOnce = 1): Promise<void> => {
  const waiting = [...wanted];
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const sending = bed.send(next, subjectOf(next.nth));
      ended.set(next.nth, sending);
      await sending.catch(() => undefined);
    }
  }));
};
const isRun = ({ way }: { way: string }): boolean => way !== 'Kafka' || bed.hasKafka;

beforeAll(async () => {
  bed = await HostileBed.make(rows.map(({ nth }) => subjectOf(nth)));
  await Promise.all((Object.keys(AT_ONCE) as (keyof typeof AT_ONCE)[]).map((way) => sendAll(rows.filter((one) => one.way === way && isRun(one)), AT_ONCE[way])));
}, TIMEOUT_MS);
afterAll(() => bed.close(), TIMEOUT_MS);

test.each(rows)('$title: $ends', async (one) => {
  if (!isRun(one)) { noteNotRun(one.title, 'there is no Kafka on this machine'); return; }
  expect(await ended.get(one.nth)).toBe(one.ends);
}, TIMEOUT_MS);

test('the good event beside each of them is counted exactly once, what is odd and no fault too, and nothing else', async () => {
  const run = rows.filter(isRun);
  const times = (wanted: typeof rows, value = (_: (typeof rows)[number]): string => '1', subject = ({ nth }: { nth: number }): string => subjectOf(nth)): Record<string, string> => Object.fromEntries(wanted.map((one) => [subject(one), value(one)]));
  const octets = (ends: string): string => /^re(?:corded|peated) (\d+)$/.exec(ends)?.[1] ?? '0';
  const ofRadius = run.filter(({ way }) => way === 'RADIUS');
  const expected = {
    good: times(run.filter(({ way }) => way !== 'RADIUS')),
    octets: { ...times(ofRadius), ...times(ofRadius.filter(({ ends }) => octets(ends) !== '0'), ({ ends }) => octets(ends), ({ nth }) => `odd ${subjectOf(nth)}`) },
    odd: { odd: String(run.filter(({ ends }) => ends === 'accepted').length) },
    elsewhere: { odd: String(run.filter(({ ends }) => ends === 'elsewhere').length) },
  };
  await bed.arrived();
  await eventually('all of it to be counted', async (saw) => {
    const found = { good: await bed.counted('good'), octets: await bed.counted('octets'), odd: await bed.counted('odd'), elsewhere: await bed.counted('odd', 'other') };
    saw(JSON.stringify(found).slice(0, 300));
    const sum = (counts: Record<string, string>): bigint => Object.values(counts).reduce((total, count) => total + BigInt(count), 0n);
    return Object.entries(expected).every(([name, counts]) => sum(found[name as 'good']) >= sum(counts)) ? true : undefined;
  }, { timeoutMs: 15_000 }).catch(() => undefined);
  expect({ good: await bed.counted('good'), octets: await bed.counted('octets'), odd: await bed.counted('odd'), elsewhere: await bed.counted('odd', 'other') }).toEqual(expected);
}, TIMEOUT_MS);
