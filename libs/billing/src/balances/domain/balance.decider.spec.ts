import fc from 'fast-check';
import { given, runs } from '@valueverse/testing';
import { balance, type BalanceCommand, type BalanceEvent } from './balance.decider';

const AT = '2026-03-01T00:00:00Z';
const of = { accountId: 'acc_1', currency: 'USD' };
const credited = (amount: string): BalanceEvent => ({ type: 'BalanceCredited', ...of, amount, source: 'payment', sourceId: 'crd_1', creditedAt: AT });
const give = (amount: string, refundId = 'ref_1'): BalanceCommand => ({ type: 'ReturnBalance', ...of, amount, refundId, at: AT });

test('what is there is returned, what was used is not; a request is answered once, as it was at first', () => {
  const returned: BalanceEvent = { type: 'BalanceReturned', ...of, amount: '60.00', refundId: 'ref_1', returnedAt: AT };
  const refused: BalanceEvent = { type: 'BalanceReturnRefused', ...of, amount: '60.00', refundId: 'ref_1', available: '59.99', refusedAt: AT };
  given(balance, credited('60.00')).when(give('60.00')).then(returned);
  given(balance, credited('60.00'), returned).when(give('60.00')).then();
  given(balance, credited('59.99')).when(give('60.00')).then(refused);
  given(balance, credited('59.99'), refused, credited('100.00')).when(give('60.00')).then();
  given(balance).when(give('0.01')).then({ type: 'BalanceReturnRefused', ...of, amount: '0.01', refundId: 'ref_1', available: '0.00', refusedAt: AT });
});

test('what is taken back is gone, also below nothing, once; what comes next fills that first, and nothing of it is used or returned before', () => {
  const gone = (takenBackId: string): BalanceCommand => ({ type: 'TakeBackBalance', ...of, amount: '60.00', takenBackId, at: AT });
  const fact = (takenBackId: string): BalanceEvent => ({ type: 'BalanceTakenBack', ...of, amount: '60.00', takenBackId, takenBackAt: AT });
  const used: BalanceEvent = { type: 'BalanceUsed', ...of, amount: '49.00', invoiceId: 'inv_1', usedAt: AT };
  given(balance, credited('60.00'), used).when(gone('tbk_1')).then(fact('tbk_1'));
  given(balance, credited('60.00'), used, fact('tbk_1')).when(gone('tbk_1')).then();
  given(balance, credited('60.00'), used, fact('tbk_1')).when({ type: 'UseBalance', ...of, amount: '0.01', invoiceId: 'inv_2', at: AT }).thenRefused('balance_too_low');
  given(balance, credited('60.00'), used, fact('tbk_1')).when(give('0.01')).then({ type: 'BalanceReturnRefused', ...of, amount: '0.01', refundId: 'ref_1', available: '-49.00', refusedAt: AT });
  given(balance, credited('60.00'), used, fact('tbk_1'), { ...credited('50.00'), sourceId: 'crd_2' } as BalanceEvent).when(give('1.00')).then({ type: 'BalanceReturned', ...of, amount: '1.00', refundId: 'ref_1', returnedAt: AT });
});

test('whatever invoices take and refunds ask for, in whatever order: no more than came', () => {
  const step = fc.record({ kind: fc.constantFrom('use', 'give'), cents: fc.integer({ min: 1, max: 4_000 }), nth: fc.integer({ min: 0, max: 5 }) });
  fc.assert(fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
    let state = balance.evolve(credited('100.00'), balance.initial);
    let gone = 0;
    for (const { kind, cents, nth } of steps) {
      const amount = (cents / 100).toFixed(2);
      const command: BalanceCommand = kind === 'give' ? give(amount, `ref_${nth}`) : { type: 'UseBalance', ...of, amount, invoiceId: `inv_${nth}`, at: AT };
      let facts: readonly BalanceEvent[] = [];
      try { facts = balance.decide(command, state); } catch (error) { expect(error).toMatchObject({ code: 'balance_too_low' }); }
      for (const fact of facts) {
        if (fact.type === 'BalanceUsed' || fact.type === 'BalanceReturned') gone += Math.round(Number(fact.amount) * 100);
        state = balance.evolve(fact, state);
      }
    }
    expect(gone).toBeLessThanOrEqual(10_000);
    expect(state.amount!.toString()).toBe(((10_000 - gone) / 100).toFixed(2));
  }), runs(20260302, 300));
});
