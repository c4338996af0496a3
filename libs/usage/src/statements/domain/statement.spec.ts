import type { StatementIssued, LateUsageFound } from '@valueverse/contracts';
import { given } from '@valueverse/testing';
import { statementDecider, type NoteLateUsage } from './statement';

const issued: StatementIssued = {
  type: 'StatementIssued', statementId: 'ust_1', requestId: 'req_1', chunkId: 'chk_1', subscriptionId: 'sub_1', chargeKey: 'calls', meterKey: 'calls', meterVersion: 1, usage: [], groupBy: [], quantities: [],
  asOf: { 3: '10', 4: '10' }, evidence: 'e', issuedAt: '2026-04-01T01:00:00Z',
};
const late = (partition: number, ...positions: string[]): Omit<LateUsageFound, 'type'> => ({
  statementId: 'ust_1', requestId: 'req_1', subscriptionId: 'sub_1', chargeKey: 'calls', meterKey: 'calls', events: 2, partition, positions, receivedFrom: '2026-04-02T00:00:00Z', receivedTo: '2026-04-02T00:00:00Z',
});
const note = (...of: Parameters<typeof late>): NoteLateUsage => ({ type: 'NoteLateUsage', ...late(...of) });
const told = (...of: Parameters<typeof late>): LateUsageFound => ({ type: 'LateUsageFound', ...late(...of) });

test('a statement is issued once', () => {
  const { type: _, ...data } = issued;
  given(statementDecider).when({ type: 'IssueStatement', ...data }).then(issued);
  given(statementDecider, issued).when({ type: 'IssueStatement', ...data }).then();
});
test('what came late is told once for each place, partition by partition', () => {
  given(statementDecider, issued).when(note(3, '11', '15')).then(told(3, '11', '15'));
  given(statementDecider, issued, told(3, '11', '15')).when(note(3, '11', '15')).then();
  given(statementDecider, issued, told(3, '11', '15')).when(note(3, '12')).then();
  given(statementDecider, issued, told(3, '11', '15')).when(note(3, '16')).then(told(3, '16'));
  given(statementDecider, issued, told(3, '11', '15')).when(note(4, '11')).then(told(4, '11'));
});
test('nothing is late to what was never stated', () => given(statementDecider).when(note(3, '11')).then());
