import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Refused } from '@valueverse/kernel';
import type { SubscriptionTerms } from '@valueverse/contracts';
import { REFUSALS, stateDiagram, statusAt, TRANSITIONS, type Cause, type SubscriptionStatus } from './states';
import { NEW_SUBSCRIPTION, subscription, type Subscription, type SubscriptionCommand } from './subscription.decider';

const ID = 'sub_1';
const NOW = '2024-01-10T00:00:00Z';
const LATER = '2024-02-10T00:00:00Z';
const COURSES = (): object => ({});
const TERMS: SubscriptionTerms = { planKey: 'payg', planVersion: 1, currency: 'USD', interval: { unit: 'month', count: 1 }, anchor: { local: '2024-01-01T00:00:00', zone: 'UTC' } };
const run = (state: Subscription, ...commands: readonly SubscriptionCommand[]): Subscription =>
  commands.reduce((before, command) => subscription.decide(command, before).reduce((one, event) => subscription.evolve(event, one), before), state);
const started = (startsAt: string, trialDays?: number): Subscription => run(NEW_SUBSCRIPTION, {
  type: 'StartSubscription', subscriptionId: ID, accountId: 'acc_1', ...TERMS, startsAt, subjects: [], metadata: {}, at: '2024-01-01T00:00:00Z', ...(trialDays === undefined ? {} : { trialDays }),
});
const COMMANDS: { readonly [C in Exclude<Cause, 'time'>]: SubscriptionCommand } = {
  ChangeSubscription: { type: 'ChangeSubscription', subscriptionId: ID, changeId: 'chg_1', effectiveAt: NOW, terms: { ...TERMS, quantity: '2' }, at: NOW },
  CancelSubscription: { type: 'CancelSubscription', subscriptionId: ID, effectiveAt: NOW, credit: 'unused', at: NOW },
  ReactivateSubscription: { type: 'ReactivateSubscription', subscriptionId: ID, at: NOW },
  PauseSubscription: { type: 'PauseSubscription', subscriptionId: ID, effectiveAt: NOW, billing: 'stop', at: NOW },
  ResumeSubscription: { type: 'ResumeSubscription', subscriptionId: ID, effectiveAt: NOW, at: NOW },
};
const early = (command: SubscriptionCommand): SubscriptionCommand => ({ ...command, effectiveAt: '2024-01-05T00:00:00Z', at: '2024-01-05T00:00:00Z' } as SubscriptionCommand);
/** A subscription that is in a status now. */
const IN: { readonly [S in SubscriptionStatus]: () => Subscription } = {
  scheduled: () => started('2024-01-20T00:00:00Z'),
  trialing: () => started('2024-01-01T00:00:00Z', 20),
  active: () => started('2024-01-01T00:00:00Z'),
  paused: () => run(started('2024-01-01T00:00:00Z'), { ...early(COMMANDS.PauseSubscription), until: '2024-02-01T00:00:00Z' } as SubscriptionCommand),
  cancelled: () => run(started('2024-01-01T00:00:00Z'), early(COMMANDS.CancelSubscription)),
};

test.each(Object.entries(IN))('a subscription that is %s', (status, state) => expect(statusAt(state(), COURSES, NOW)).toBe(status));

test.each(TRANSITIONS.map(({ from, cause, to }) => [from, cause, to] as const))('%s, by %s: %s', (from, cause, to) => {
  if (cause !== 'time') { expect(statusAt(run(IN[from](), COMMANDS[cause]), COURSES, NOW)).toBe(to); return; }
  const state = from === 'scheduled' && to === 'trialing' ? started('2024-01-20T00:00:00Z', 60) : IN[from]();
  expect([statusAt(state, COURSES, NOW), statusAt(state, COURSES, LATER)]).toEqual([from, to]);
});

test.each(REFUSALS.map(({ from, cause, code }) => [from, cause, code] as const))('%s refuses %s: %s', (from, cause, code) => {
  let refused: unknown;
  try { run(IN[from](), COMMANDS[cause]); } catch (error) { refused = error; }
  expect(refused).toBeInstanceOf(Refused);
  expect((refused as Refused).code).toBe(code);
});

test('every command is either a transition or a refusal of each status that has begun', () => {
  for (const from of ['trialing', 'active', 'paused', 'cancelled'] as const) {
    for (const cause of Object.keys(COMMANDS)) expect([from, cause, [...TRANSITIONS, ...REFUSALS].filter((one) => one.from === from && one.cause === cause).length]).toEqual([from, cause, 1]);
  }
});

test('the picture in docs/subscriptions.md is this data', () => expect(readFileSync(join(__dirname, '../../../../../docs/subscriptions.md'), 'utf8')).toContain(`\`\`\`mermaid\n${stateDiagram()}\n\`\`\``));
