import fc from 'fast-check';
import { runs } from '@valueverse/testing';
import { idOf } from './inbox';

const part = fc.string({ minLength: 1, maxLength: 8, unit: fc.constantFrom('a', 'b', ':', '_', '|', '~') });
const event = fc.record({ tenant: part, provider: part, eventId: part });

test('B65, M40: two events have one id only where tenant, provider and event are the same, whatever characters are in their names', () => {
  fc.assert(fc.property(event, event, (one, other) => {
    const same = one.tenant === other.tenant && one.provider === other.provider && one.eventId === other.eventId;
    expect(idOf(one) === idOf(other)).toBe(same);
  }), runs(20260302, 2_000));
});
