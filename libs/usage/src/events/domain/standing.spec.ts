import { ruleOf, type MeterRule } from '../../metering/domain/measure';
import { standingOf, type Claims, type Note } from './standing';

const event = { id: '1', source: 's', type: 'call', subject: 'acme', time: '2026-03-01T00:00:00Z' };
const ruleFor = (meterKey: string, eventType: string, filter: readonly { property: string; operator: 'eq'; value: string }[] = []): MeterRule =>
  ruleOf({ meterKey, version: 1, name: meterKey, eventType, aggregation: 'count', groupBy: {}, filter, carryOver: false, metadata: {}, createdAt: '2026-01-01T00:00:00Z' });
const rules = [ruleFor('calls', 'call'), ruleFor('tokens', 'call'), ruleFor('visits', 'visit'), ruleFor('lunches', 'meal', [{ property: '$.kind', operator: 'eq', value: 'lunch' }])];
const note = (code: string, meterKey: string | null = null): Note => ({ code, meterKey, first: null });
const claims = new Map([['acme', [{ meterKey: null, from: 100 }]]]);
const ofAccount = (...meterKeys: string[]): { claims: Claims } => ({ claims: new Map([['acme', meterKeys.map((meterKey) => ({ meterKey, from: 100 }))]]) });
const standing = (more: Partial<Parameters<typeof standingOf>[0]>, around: Partial<Parameters<typeof standingOf>[1]> = {}) =>
  standingOf({ event, micros: 100, isDropped: false, notes: [], supersededBy: null, ...more }, { rules, claims, ...around });
const place = { partition: 1, position: '2', index: 3 };
const correction = (kind: 'void' | 'amend') => ({ ...event, correction: { id: 'cor_1', kind, reason: 'wrong' } });

test.each([
  ['counted by each meter of its type', standing({}), ['counted', null, ['calls', 'tokens']]],
  ['counted by those that find a value', standing({ notes: [note('invalid_value', 'tokens')] }), ['counted', null, ['calls']]],
  ['excluded where none does', standing({ notes: [note('invalid_value', 'calls'), note('invalid_value', 'tokens')] }), ['excluded', 'invalid_value', []]],
  ['a duplicate', standing({ isDropped: true, notes: [note('duplicate')] }), ['duplicate', 'duplicate', []]],
  ['a conflict, whatever meters say', standing({ isDropped: true, notes: [note('id_reused'), note('conflict')] }, { rules: [] }), ['conflict', 'conflict', []]],
  ['a correction that was refused', standing({ event: correction('amend'), isDropped: true, notes: [note('correction_refused')] }), ['excluded', 'correction_refused', []]],
  ['a correction that came again', standing({ event: correction('amend'), isDropped: true }), ['excluded', 'correction_repeated', []]],
  ['what takes an event back', standing({ event: correction('void'), isDropped: true }), ['excluded', 'void', []]],
  ['an event that was taken back', standing({ supersededBy: { kind: 'void', place } }), ['excluded', 'voided', []]],
  ['an event that was amended', standing({ supersededBy: { kind: 'amend', place } }), ['excluded', 'amended', []]],
  ['what came in its place', standing({ event: correction('amend') }), ['counted', null, ['calls', 'tokens']]],
  ['passed over by a filter', standing({ event: { ...event, type: 'meal', data: { kind: 'dinner' } } }), ['waiting', 'filtered_out', []]],
  ['taken by a filter', standing({ event: { ...event, type: 'meal', data: { kind: 'lunch' } } }), ['counted', null, ['lunches']]],
  ['dropped for no reason that was noted', standing({ isDropped: true }), ['excluded', 'not_counted', []]],
  ['an id that another subject has too counts', standing({ notes: [note('id_reused')] }), ['counted', null, ['calls', 'tokens']]],
  ['waiting for a meter', standing({ event: { ...event, type: 'ride' } }), ['waiting', 'no_meter', []]],
  ['waiting for a subscription', standing({}, { claims: new Map() }), ['waiting', 'no_subscription', ['calls', 'tokens']]],
  ['waiting for a subscription that begins later', standing({ micros: 99 }), ['waiting', 'no_subscription', ['calls', 'tokens']]],
  ['waiting for a meter that begins earlier', standing({}, { rules: [{ ...rules[0]!, from: 101 }] }), ['waiting', 'no_meter', []]],
  ['counted where one subscription of the account has one of its meters', standing({}, ofAccount('tokens', 'calls', 'calls')), ['counted', null, ['calls', 'tokens']]],
  ['waiting where two have it', standing({}, ofAccount('calls', 'calls')), ['waiting', 'ambiguous_subject', ['calls', 'tokens']]],
  ['waiting where those of the account have other meters', standing({}, ofAccount('visits')), ['waiting', 'no_subscription', ['calls', 'tokens']]],
  ['waiting for those of the account that begin later', standing({ micros: 99 }, ofAccount('calls')), ['waiting', 'no_subscription', ['calls', 'tokens']]],
])('%s', (_, { status, reason, meters: counting }, wanted) => expect([status, reason, counting]).toEqual(wanted));
