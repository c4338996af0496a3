import { expiresAt, toldAt } from './expiry';

test.each([
  ['2026-03', 'UTC', '2026-04-01T00:00:00Z', '2026-03-02T00:00:00Z'],
  ['2026-12', 'America/New_York', '2027-01-01T05:00:00Z', '2026-12-02T05:00:00Z'],
  // Summer time begins in between: the wall says midnight on both days.
  ['2026-03', 'Europe/Berlin', '2026-03-31T22:00:00Z', '2026-03-01T23:00:00Z'],
  ['2028-02', 'Asia/Tokyo', '2028-02-29T15:00:00Z', '2028-01-30T15:00:00Z'],
])('a card of %s in %s works until %s, and is told of at %s', (expires, zone, end, told) => expect([expiresAt(expires, zone), toldAt(expires, zone)]).toEqual([end, told]));
test('what is no month says nothing', () => { for (const text of ['', '2026-13', '2026-00', '26-03', '2026-3', '12/34']) expect(toldAt(text, 'UTC')).toBeUndefined(); });
