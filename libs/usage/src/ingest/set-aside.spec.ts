import { FeedTimeout, type NewRecord } from '@valueverse/event-log';
import { AppendOrSetAside } from './set-aside';

const RECORDS: readonly NewRecord[] = [{ key: 'env_1', value: '{}', headers: { ce_tenant: 'org_1:test' } }];
/** What a partition answers appends with, one after the other, and what was set aside. */
const given = (answers: (Error | undefined)[], hasRoom: boolean | Error = true): { patient: AppendOrSetAside; aside: readonly NewRecord[][]; left: () => number } => {
  const aside: NewRecord[][] = [];
  const append = async (): Promise<void> => { const answer = answers.shift(); if (answer !== undefined) throw answer; };
  const keep = async (_: number, records: readonly NewRecord[]): Promise<boolean> => {
    if (hasRoom instanceof Error) throw hasRoom;
    if (hasRoom) aside.push([...records]);
    return hasRoom;
  };
  return { patient: new AppendOrSetAside({ append }, { keep }), aside, left: () => answers.length };
};

test('what is not taken for the moment is set aside as it is, and the next is appended again', async () => {
  const { patient, aside, left } = given([new FeedTimeout('no leader'), undefined]);
  await patient.append(3, RECORDS);
  expect(aside).toEqual([RECORDS]);
  await patient.append(3, RECORDS);
  expect([aside.length, left()]).toEqual([1, 0]);
});
test.each([['there is no room', false], ['the database does not answer either', new Error('gone')]] as const)('where %s the failure of the feed is told', async (_, room) => {
  await expect(given([new FeedTimeout('no leader')], room).patient.append(3, RECORDS)).rejects.toThrow('no leader');
});
test('what no broker would ever take is not set aside: it would wait for ever, and hold up what comes after it', async () => {
  const { patient, aside } = given([new Error('the record is too large')]);
  await expect(patient.append(3, RECORDS)).rejects.toThrow('too large');
  expect(aside).toEqual([]);
});
