import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './process.spec-kit';

type Judge = (last: bigint, headers: { ce_position: string; ce_previous: string }) => string;

test.each([
  ['the one that follows', 4n, '5', '4', 'next'],
  ['one that follows over others of the same store, which are in other topics', 4n, '9', '4', 'next'],
  ['one that came before', 9n, '9', '4', 'seen'],
  ['one whose predecessor was not seen', 4n, '9', '7', 'missing'],
  ['the first', 0n, '3', '0', 'next'],
])('the example judges %s', async (_, last, position, previous, verdict) => {
  const { judge } = await import(pathToFileURL(join(ROOT, 'docs/examples/invoice-totals.mjs')).href) as { judge: Judge };
  expect(judge(last, { ce_position: position, ce_previous: previous })).toBe(verdict);
});
