import type { ClockReport } from '@valueverse/contracts';
import { nextStep, waitsFor } from './quiet';

const NOW = '2023-12-01T00:00:00Z';
const report = (service: ClockReport['service'], more: Partial<ClockReport> = {}): ClockReport => ({ service, now: NOW, appended: [], relayed: {}, consumed: {}, openJobs: 0, waitingFor: [], ...more });
const invoices = { topic: 'billing.invoices' as const, partition: 3, position: '7' };

test('it is quiet when every service stands at its time and nothing is on its way', () => {
  expect(waitsFor([report('billing'), report('usage')], NOW)).toEqual([]);
  expect(waitsFor([report('billing', { appended: [invoices], relayed: { 3: '7' } }), report('payments', { consumed: { 'billing.invoices/3': '7' } })], NOW)).toEqual([]);
});
test('a service that has not heard of the step, or of the clock, is waited for', () => {
  expect(waitsFor([report('usage', { now: '2023-11-01T00:00:00Z' })], NOW)).toEqual([`usage: the clock to stand at ${NOW}`]);
  expect(waitsFor([{ ...report('usage'), now: undefined } as unknown as ClockReport], NOW)).toEqual([`usage: the clock to stand at ${NOW}`]);
});
test('open jobs are waited for by name', () => expect(waitsFor([report('payments', { openJobs: 1, waitingFor: ['payments: collect'] })], NOW)).toEqual(['payments: collect']));
test('a fact is waited for until it is published', () => {
  expect(waitsFor([report('billing', { appended: [invoices], relayed: { 3: '6' } })], NOW)).toEqual(['billing: billing.invoices/3 to be published']);
  expect(waitsFor([report('billing', { appended: [invoices] })], NOW)).toEqual(['billing: billing.invoices/3 to be published']);
  expect(waitsFor([report('billing', { appended: [invoices], relayed: { 4: '9' } })], NOW)).toHaveLength(1);
});
test('and then until every service that reads its topic has read it; positions are numbers, not texts', () => {
  const ten = { ...invoices, position: '10' };
  const billing = report('billing', { appended: [ten], relayed: { 3: '10' } });
  expect(waitsFor([billing, report('payments', { consumed: { 'billing.invoices/3': '9' } }), report('notifications', { consumed: { 'billing.invoices/3': '10' } }), report('usage')], NOW))
    .toEqual(['payments: billing.invoices/3 to be read']);
  expect(waitsFor([billing, report('payments', { consumed: { 'billing.invoices/2': '1' } })], NOW)).toEqual([]);
});

test('the next step is the earliest that falls due anywhere, and the target where nothing does', () => {
  const target = '2024-01-01T00:00:00Z';
  expect(nextStep([report('billing'), report('usage')], target)).toBe(target);
  expect(nextStep([report('billing', { nextDue: '2023-12-05T00:00:00Z' }), report('payments', { nextDue: '2023-12-04T00:00:00Z' })], target)).toBe('2023-12-04T00:00:00Z');
  expect(nextStep([report('billing', { nextDue: '2024-01-01T00:00:00.000001Z' })], target)).toBe(target);
  // A fraction sorts before "Z" as a text; in time it comes after.
  expect(nextStep([report('billing', { nextDue: '2023-12-04T00:00:00.500Z' }), report('usage', { nextDue: '2023-12-04T00:00:00Z' })], target)).toBe('2023-12-04T00:00:00Z');
});
