// What a change is said to cost before it is made is what is billed then, line by line, through random lives of two years.
import fc from 'fast-check';
import { isBefore, laterOf, type Instant } from '@valueverse/kernel';
import { runs } from '@valueverse/testing';
import type { PricedLine } from '../invoicing/domain/lines';
import { nextDueAfter } from './domain/due-items';
import { foreseen } from './domain/foreseen';
import { pauseAt, type SubscriptionCommand } from './domain/subscription.decider';
import type { Life } from './life.spec-kit';
import { begin, commandOf, later, PLANS, START, step, ZONES, type Step } from './random-life.spec-kit';

/** A line as a customer reads it. */
const shown = ({ type, chargeKey, quantity, billedQuantity, amount, servicePeriod: { from, to }, credits, steps }: PricedLine): unknown =>
  ({ type, chargeKey, quantity, billedQuantity, amount, from, to, gives: credits?.lineId, steps });

/** Every run up to an instant, that one not counted, as the jobs of the service make them. */
const runUntil = (life: Life, from: Instant, to: Instant): void => {
  for (let at: Instant | undefined = from; at !== undefined && isBefore(at, to); at = nextDueAfter(life.state, life.catalogue, at)) life.run(at);
};

const effectOf = (life: Life, command: SubscriptionCommand): Instant | undefined => {
  switch (command.type) {
    case 'ChangeSubscription': case 'CancelSubscription': case 'PauseSubscription': return command.effectiveAt;
    case 'ResumeSubscription': return laterOf(command.effectiveAt, pauseAt(life.state, command.effectiveAt)?.from ?? command.effectiveAt);
    default: return undefined;
  }
};

/** Two years: weeks pass between the changes. Without days that are billed one by one, which would make for many runs and nothing else. */
const HOURS = [0, 1, 24, 168, 744, 1500, 2208] as const;
const steps: fc.Arbitrary<Step[]> = fc.array(fc.tuple(step, fc.constantFrom(...HOURS)).map(([one, hours]): Step => ({ ...one, hours, op: one.op === 'run' ? 'quantity' : one.op, addOns: one.addOns.filter((key) => key !== 'daily') })), { minLength: 6, maxLength: 18 });

test('the lines of a preview are the lines that are billed', () => {
  let compared = 0;
  fc.assert(fc.property(fc.constantFrom(...PLANS), fc.constantFrom(...ZONES), steps, (planKey, zone, all) => {
    const life = begin(planKey, zone);
    let now = START;
    life.run(now);
    const runOnTo = (to: Instant): void => {
      runUntil(life, nextDueAfter(life.state, life.catalogue, now) ?? to, to);
      now = laterOf(now, to);
    };
    for (const [nth, one] of all.entries()) {
      runOnTo(later(now, one.hours + 1));
      life.run(now);
      if (one.op === 'interim') { life.interim(now); continue; }
      const command = commandOf(life, one, now, nth);
      const at = effectOf(life, command);
      const said = at === undefined ? undefined : life.preview(() => foreseen(life.state, life.catalogue, command, at, now), at);
      const code = life.do(command);
      if (at === undefined) { if (code === undefined) life.run(now); continue; }
      if (code !== undefined) { expect(said).toBe(code); continue; }
      // A change that is to come is reached by the runs until then; one that lies back is billed at once.
      runOnTo(at);
      expect((said as PricedLine[]).map(shown)).toEqual(life.run(at).map(shown));
      compared++;
    }
  }), runs(71, 25));
  expect(compared).toBeGreaterThan(90);
});
