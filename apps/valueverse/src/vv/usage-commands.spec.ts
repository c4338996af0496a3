import { retentionLines } from './usage-commands';

const NONE = { days: null, wholeFrom: null, dropped: 0, keptBeyond: 0, held: [], partitions: [] };

test('what is kept of usage is said with what holds it back', () => {
  expect(retentionLines(NONE)).toEqual(['envelopes are kept for ever']);
  const held = [{ reason: 'open_periods', subjects: 2 }, { reason: 'back_fill', subjects: 0 }];
  expect(retentionLines({
    days: 400, wholeFrom: '2026-01-06T00:00:00Z', dropped: 7, keptBeyond: 3, held, partitions: [{ partition: 4, logTime: '2027-05-01T00:00:00Z', dropped: 7, droppedUntil: '2026-01-05T10:00:00Z', keptBeyond: 3, held }],
  })).toEqual([
    'envelopes are kept for 400 days', '7 were dropped; usage that occurred from 2026-01-06T00:00:00Z on is all there, what was before is sealed',
    '3 older ones are kept: 2 subjects have periods without a statement, a meter is back-filled',
    '    partition 4: 7 dropped up to 2026-01-05T10:00:00Z, 3 kept beyond, at 2027-05-01T00:00:00Z: 2 subjects have periods without a statement, a meter is back-filled',
  ]);
});
