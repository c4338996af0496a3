import fc from 'fast-check';
import { Money, Refused } from '@valueverse/kernel';
import { given, runs } from '@valueverse/testing';
import { invoice, type Invoice, type InvoiceCommand, type InvoiceEvent } from './invoice.decider';
import { invoicesModel, type InvoiceRow } from '../invoice.model';
import { AT, draft, finalize, INVOICE, pay, platform, prompt, state, usageCharge } from './invoice.spec-kit';

/** Commands one after the other, as the log would run them; one that is refused changes nothing. */
const run = (commands: readonly InvoiceCommand[]): { events: InvoiceEvent[]; state: Invoice } => {
  let current = invoice.initial;
  const events: InvoiceEvent[] = [];
  for (const command of commands) {
    try {
      const decided = invoice.decide(command, current);
      current = decided.reduce((before, event) => invoice.evolve(event, before), current);
      events.push(...decided);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
  }
  return { events, state: current };
};
const past = (...commands: readonly InvoiceCommand[]): readonly InvoiceEvent[] => run(commands).events;
const rowOf = (events: readonly InvoiceEvent[]): InvoiceRow => {
  const handlers = invoicesModel.on as Record<string, ((event: InvoiceEvent, row: InvoiceRow) => InvoiceRow) | undefined>;
  return events.reduce((row, event) => handlers[event.type]?.(event, row) ?? row, invoicesModel.initial);
};
const applied = (paymentId: string, amount: string): InvoiceEvent => ({ type: 'InvoicePaymentApplied', invoiceId: INVOICE, paymentId, amount, currency: 'USD', appliedAt: AT });
const unmatched = (paymentId: string, amount: string, reason: 'no_invoice' | 'nothing_due' | 'over_paid' | 'wrong_currency', currency = 'USD'): InvoiceEvent =>
  ({ type: 'InvoicePaymentUnmatched', invoiceId: INVOICE, paymentId, amount, currency, reason, unmatchedAt: AT });
const paid: InvoiceEvent = { type: 'InvoicePaid', invoiceId: INVOICE, paidAt: AT };

const FEE = [draft([]), finalize];
const USAGE = draft([usageCharge('calls', '1.50'), usageCharge('bytes', '0.25')]);

describe('from draft to issue', () => {
  test('a draft is made once', () => given(invoice, ...past(draft([]))).when(draft([])).then());
  test('a draft that was issued is not made again', () => given(invoice, ...past(...FEE)).when(draft([])).then());
  test('an invoice that was never drafted is not issued', () => given(invoice).when(finalize).thenRefused('invoice_not_found'));
  test('it is not issued before all its usage is stated', () => {
    given(invoice, ...past(USAGE)).when(finalize).thenRefused('usage_not_stated');
    given(invoice, ...past(USAGE, state('calls', '4'))).when(finalize).thenRefused('usage_not_stated');
    given(invoice, ...past(USAGE, state('bytes', '8'))).when(finalize).thenRefused('usage_not_stated');
  });
  test.each([['calls first', ['calls', 'bytes']], ['bytes first', ['bytes', 'calls']]])('statements come in any order: %s', (_, order) => {
    const quantities: Record<string, string> = { calls: '4', bytes: '8' };
    const [issued] = run([USAGE, ...order.map((key) => state(key, quantities[key]!)), finalize]).events.slice(-1);
    // 4 x 1.50 + 8 x 0.25 + 49.00
    expect(issued).toMatchObject({ type: 'InvoiceFinalized', total: '57.00', lines: [{ chargeKey: 'calls', amount: '6.00' }, { chargeKey: 'bytes', amount: '2.00' }, { chargeKey: 'platform', amount: '49.00' }] });
  });
  test('the first statement of a charge stands, and one after the issue changes nothing', () => {
    given(invoice, ...past(USAGE, state('calls', '4'))).when(state('calls', '5')).then();
    given(invoice, ...past(USAGE, state('calls', '4'), state('bytes', '8'), finalize)).when(state('calls', '5')).then();
  });
  test('it is issued once, under one number', () => given(invoice, ...past(...FEE)).when({ ...finalize, number: 'INV-000002' }).then());
  test('the service period runs from what was used to what is paid for', () => {
    expect(past(draft([prompt]), state('prompt', '0'), finalize).at(-1)).toMatchObject({ servicePeriod: { from: '2023-11-01T00:00:00Z', to: '2024-01-01T00:00:00Z' } });
    expect(past(draft([prompt], []), state('prompt', '5000000'), finalize).at(-1)).toMatchObject({ servicePeriod: { from: '2023-11-01T00:00:00Z', to: '2023-12-01T00:00:00Z' }, total: '12.50' });
    expect(past(...FEE).at(-1)).toMatchObject({ servicePeriod: { from: '2023-12-01T00:00:00Z', to: '2024-01-01T00:00:00Z' } });
  });
});

describe('payment', () => {
  test('the whole amount pays it', () => given(invoice, ...past(...FEE)).when(pay('pay_1', '49.00')).then(applied('pay_1', '49.00'), paid));
  test('parts add up', () => {
    given(invoice, ...past(...FEE)).when(pay('pay_1', '20.00')).then(applied('pay_1', '20.00'));
    given(invoice, ...past(...FEE, pay('pay_1', '20.00'))).when(pay('pay_2', '29.00')).then(applied('pay_2', '29.00'), paid);
  });
  test('a payment that is told twice counts once', () => {
    given(invoice, ...past(...FEE, pay('pay_1', '20.00'))).when(pay('pay_1', '20.00')).then();
    given(invoice, ...past(pay('pay_1', '49.00'), ...FEE)).when(pay('pay_1', '49.00')).then();
  });
  test('money that comes before its invoice is kept', () => {
    given(invoice).when(pay('pay_1', '49.00')).then(unmatched('pay_1', '49.00', 'no_invoice'));
    given(invoice, ...past(draft([]))).when(pay('pay_1', '49.00')).then(unmatched('pay_1', '49.00', 'no_invoice'));
  });
  test('what is too much is kept', () => given(invoice, ...past(...FEE)).when(pay('pay_1', '50.01')).then(applied('pay_1', '49.00'), paid, unmatched('pay_1', '1.01', 'over_paid')));
  test('a second payment of a paid invoice is kept', () => given(invoice, ...past(...FEE, pay('pay_1', '49.00'))).when(pay('pay_2', '49.00')).then(unmatched('pay_2', '49.00', 'nothing_due')));
  test('another currency is kept, whatever its digits', () => given(invoice, ...past(...FEE)).when(pay('pay_1', '49.001', 'KWD')).then(unmatched('pay_1', '49.001', 'wrong_currency', 'KWD')));
  test('an amount that is nothing pays nothing', () => {
    given(invoice, ...past(...FEE)).when(pay('pay_1', '0.00')).then(unmatched('pay_1', '0.00', 'nothing_due'));
    given(invoice, ...past(...FEE)).when(pay('pay_1', '-5.00')).then(unmatched('pay_1', '-5.00', 'nothing_due'));
  });
  test('an invoice over nothing is paid when it is issued', () => {
    const { events } = run([draft([prompt], []), state('prompt', '0'), finalize]);
    expect(events.slice(-2)).toMatchObject([{ type: 'InvoiceFinalized', total: '0.00' }, paid]);
    expect(rowOf(events)).toMatchObject({ status: 'finalized', paymentStatus: 'paid', amountRemaining: '0.00' });
  });
  test('an invoice below zero asks for nothing and takes nothing', () => {
    const credit = [draft([usageCharge('calls', '1.50')], []), state('calls', '-4'), finalize];
    expect(past(...credit).slice(-2)).toMatchObject([{ type: 'InvoiceFinalized', total: '-6.00' }, paid]);
    given(invoice, ...past(...credit)).when(pay('pay_1', '10.00')).then(unmatched('pay_1', '10.00', 'nothing_due'));
  });
});

describe('the row', () => {
  test('says what is paid and what remains', () => {
    expect(rowOf(past(...FEE))).toMatchObject({ status: 'finalized', paymentStatus: 'unpaid', amountPaid: '0.00', amountRemaining: '49.00' });
    expect(rowOf(past(...FEE, pay('pay_1', '20.00')))).toMatchObject({ paymentStatus: 'partially_paid', amountPaid: '20.00', amountRemaining: '29.00' });
    expect(rowOf(past(...FEE, pay('pay_1', '20.00'), pay('pay_2', '30.00')))).toMatchObject({ paymentStatus: 'paid', amountPaid: '49.00', amountRemaining: '0.00' });
  });
});

const RUNS = runs(20_231_101, 500);
const COMMANDS: readonly InvoiceCommand[] = [
  USAGE, state('calls', '3'), state('bytes', '10.5'), finalize, { ...finalize, number: 'INV-000009' },
  pay('pay_1', '10.00'), pay('pay_2', '49.99'), pay('pay_3', '0.01'), pay('pay_4', '1000.00'), pay('pay_5', '7', 'JPY'), pay('pay_6', '0.00'),
];
const cents = (amount: string): bigint => BigInt(Money.parse(amount, 'USD').minor);

describe('whatever comes in whatever order', () => {
  test('money in is money applied and money kept', () => {
    fc.assert(fc.property(fc.array(fc.constantFrom(...COMMANDS), { maxLength: 40 }), (commands) => {
      const { events } = run(commands);
      const seen = new Map(commands.filter((command) => command.type === 'ApplyPayment').map(({ paymentId, amount }) => [paymentId, amount]));
      const moved = new Map<string, bigint>();
      for (const event of events) {
        if (event.type === 'InvoicePaymentApplied' || event.type === 'InvoicePaymentUnmatched') moved.set(event.paymentId, (moved.get(event.paymentId) ?? 0n) + cents(event.amount));
      }
      expect(Object.fromEntries(moved)).toEqual(Object.fromEntries([...seen].map(([paymentId, amount]) => [paymentId, cents(amount)])));
      const issued = events.find((event) => event.type === 'InvoiceFinalized');
      const taken = events.reduce((sum, event) => sum + (event.type === 'InvoicePaymentApplied' ? cents(event.amount) : 0n), 0n);
      expect(taken <= (issued === undefined ? 0n : cents(issued.total))).toBe(true);
      // Paid exactly when nothing remains.
      const row = rowOf(events);
      if (issued !== undefined) expect([row.paymentStatus === 'paid', cents(row.amountRemaining)]).toEqual([taken === cents(issued.total), cents(issued.total) - taken]);
    }), RUNS);
  });

  test('the state of the log is the state that decided', () => {
    fc.assert(fc.property(fc.array(fc.constantFrom(...COMMANDS), { maxLength: 40 }), (commands) => {
      const { events, state: live } = run(commands);
      const stored = JSON.parse(JSON.stringify(events)) as InvoiceEvent[];
      expect(stored.reduce((before, event) => invoice.evolve(event, before), invoice.initial)).toEqual(live);
    }), RUNS);
  });

  test('any order and repetition of statements and issues gives the same invoice, and of payments the same balance', () => {
    const needed = [state('calls', '3'), state('bytes', '10.5'), finalize];
    const payments = [pay('pay_1', '10.00'), pay('pay_2', '30.00'), pay('pay_3', '16.13')];
    const shuffled = (of: readonly InvoiceCommand[]): fc.Arbitrary<InvoiceCommand[]> =>
      fc.array(fc.constantFrom(...of), { maxLength: 12 }).chain((more) => fc.shuffledSubarray([...of, ...more], { minLength: of.length + more.length }));
    // 3 x 1.50 + 10.5 x 0.25 = 4.50 + 2.63 (half up), and 49.00
    fc.assert(fc.property(shuffled(needed), shuffled(payments), (statements, money) => {
      const { events } = run([USAGE, ...statements, finalize, ...money]);
      expect(events.filter(({ type }) => type === 'InvoiceFinalized')).toEqual([past(USAGE, ...needed).at(-1)]);
      expect(rowOf(events)).toMatchObject({ issued: { total: '56.13' }, paymentStatus: 'paid', amountPaid: '56.13', amountRemaining: '0.00' });
      expect(events.filter(({ type }) => type === 'InvoicePaid')).toHaveLength(1);
    }), RUNS);
  });
});

test('a plan of fees alone asks for no usage', () => expect(draft([{ ...platform, timing: 'in_arrears' }]).requests).toEqual([]));
