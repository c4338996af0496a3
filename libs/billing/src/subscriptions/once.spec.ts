import { anchorAt, canonicalJson, derivedId, type Instant } from '@valueverse/kernel';
import type { AddOnCharge, AddOnChoice } from '@valueverse/contracts';
import { catalogue, Life } from './life.spec-kit';
import { START } from './random-life.spec-kit';

const router: AddOnCharge = { key: 'router', name: 'Router', type: 'one_off', price: { model: 'per_unit', unitAmount: '20.00' } };
const setup: AddOnCharge = { key: 'setup', name: 'Set-up', type: 'one_off', price: { model: 'flat', amount: '5.00' } };

class Shop {
  readonly life = new Life(catalogue({ line: { charges: [] } }, { routers: { charges: [router, setup] } }), { planKey: 'line', startsAt: START, anchor: anchorAt(START, 'UTC'), addOns: [{ key: 'routers', quantity: '1' }] });
  private nth = 0;
  take(at: Instant, addOns: AddOnChoice[]): void {
    const { planKey, planVersion, currency, interval, anchor } = this.life.state.started!;
    expect(this.life.do({ type: 'ChangeSubscription', subscriptionId: 'sub_1', changeId: `chg_${this.nth++}`, effectiveAt: at, at, terms: { planKey, planVersion, currency, interval, anchor, ...(addOns.length === 0 ? {} : { addOns }) } })).toBeUndefined();
  }
  billed(at: Instant): unknown[] { return this.life.run(at).map(({ chargeKey, quantity, amount }) => `${quantity} ${chargeKey} ${amount}`); }
}

test('what is billed once is billed when it is taken, and of more of it what is more', () => {
  const shop = new Shop();
  expect(shop.billed(START)).toEqual(['1 router 20.00', '1 setup 5.00']);
  shop.take('2024-01-10T10:00:00Z', [{ key: 'routers', quantity: '3' }]);
  expect(shop.billed('2024-01-10T10:00:00Z')).toEqual(['2 router 40.00']);
  expect(shop.billed('2024-02-03T10:00:00Z')).toEqual([]);
  // Fewer give nothing back, and one more after that is one that is taken.
  shop.take('2024-02-10T10:00:00Z', [{ key: 'routers', quantity: '1' }]);
  expect(shop.billed('2024-02-10T10:00:00Z')).toEqual([]);
  shop.take('2024-02-11T10:00:00Z', [{ key: 'routers', quantity: '2' }]);
  expect(shop.billed('2024-02-11T10:00:00Z')).toEqual(['1 router 20.00']);
});

test('where it is said otherwise in the same instant, what is missing is billed', () => {
  const shop = new Shop();
  shop.billed(START);
  const at = '2024-01-10T10:00:00Z';
  shop.take(at, [{ key: 'routers', quantity: '2' }]);
  expect(shop.billed(at)).toEqual(['1 router 20.00']);
  shop.take(at, [{ key: 'routers', quantity: '4' }]);
  expect(shop.billed(at)).toEqual(['2 router 40.00']);
  shop.take(at, [{ key: 'routers', quantity: '3' }]);
  expect(shop.billed(at)).toEqual([]);
});

test('an add-on that was given up and is taken again is billed again', () => {
  const shop = new Shop();
  shop.billed(START);
  shop.take('2024-01-10T10:00:00Z', []);
  expect(shop.billed('2024-01-10T10:00:00Z')).toEqual([]);
  shop.take('2024-01-20T10:00:00Z', [{ key: 'routers', quantity: '1' }]);
  expect(shop.billed('2024-01-20T10:00:00Z')).toEqual(['1 router 20.00', '1 setup 5.00']);
});

test('what was billed before quantities were noted is not billed again', () => {
  const shop = new Shop();
  const setupIsBilled = { slot: derivedId('slot', canonicalJson({ charge: router, addOnKey: 'routers', quantity: '1' }), START), kind: 'one_off', from: START, to: START, alignedTo: START, lineId: 'line_old' } as const;
  expect(shop.life.do({ type: 'BillSubscription', subscriptionId: 'sub_1', invoiceId: 'inv_old', billedTo: START, slices: [setupIsBilled], revision: shop.life.state.revision, at: START })).toBeUndefined();
  expect(shop.billed(START)).toEqual(['1 setup 5.00']);
});
