import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { payment, type PaymentCommand, type PaymentState } from './payment';
import { nextStatus, type PaymentStatus, stateDiagram, TRANSITIONS } from './states';

const AT = '2024-01-01T00:00:00Z';
const paymentId = 'pay_1';
const money = { amount: '49.00', currency: 'USD' };
const REQUEST: PaymentCommand = { type: 'RequestPayment', paymentId, invoiceId: 'inv_1', accountId: 'acc_1', ...money, methodId: 'pm_1', provider: 'sandbox', at: AT };
const start = (attempt: number): PaymentCommand => ({ type: 'StartAttempt', paymentId, attempt, at: AT });
/** What is told of the last attempt. */
const TOLD = {
  success: { type: 'RecordSuccess', paymentId, attempt: 1, ...money, providerReference: 'pi_1', at: AT },
  decline: { type: 'RecordDecline', paymentId, attempt: 1, declineCode: 'expired_card', declineClass: 'hard', at: AT },
  declineForNow: { type: 'RecordDecline', paymentId, attempt: 1, declineCode: 'insufficient_funds', declineClass: 'soft', next: { retryAt: AT, methodId: 'pm_1', provider: 'sandbox' }, at: AT },
  loss: { type: 'RecordLoss', paymentId, attempt: 1, reason: 'timeout', at: AT },
  pending: { type: 'RecordPending', paymentId, attempt: 1, providerReference: 'pi_1', at: AT },
  action: { type: 'RecordAction', paymentId, attempt: 1, providerReference: 'pi_1', url: 'http://bank', at: AT },
  cancel: { type: 'CancelPayment', paymentId, reason: 'paid otherwise', at: AT },
  next: { type: 'StartAttempt', paymentId, attempt: 2, at: AT },
} as const satisfies Record<string, PaymentCommand>;

const run = (...commands: readonly PaymentCommand[]): PaymentState =>
  commands.reduce((state, command) => payment.decide(command, state).reduce((one, event) => payment.evolve(event, one), state), payment.initial);
/** A payment in each status, by the shortest way. */
const WAYS: { readonly [S in PaymentStatus]: readonly PaymentCommand[] } = {
  pending: [REQUEST, start(1), TOLD.declineForNow], processing: [REQUEST, start(1)], unknown: [REQUEST, start(1), TOLD.loss], requires_action: [REQUEST, start(1), TOLD.action], succeeded: [REQUEST, start(1), TOLD.success],
  failed: [REQUEST, start(1), TOLD.decline], cancelled: [REQUEST, start(1), TOLD.declineForNow, TOLD.cancel],
};
const STATUSES = Object.keys(WAYS) as PaymentStatus[];

test.each(STATUSES)('a payment that is %s', (status) => expect(run(...WAYS[status]).status).toBe(status));

test.each(STATUSES.flatMap((from) => Object.keys(TOLD).map((told) => [from, told as keyof typeof TOLD] as const)))('%s, told of %s, goes where the table says or nowhere', (from, told) => {
  const before = run(...WAYS[from]);
  let at: PaymentStatus = from;
  let refused = false;
  try {
    for (const fact of payment.decide(TOLD[told], before)) {
      const to = nextStatus(at, fact.type as (typeof TRANSITIONS)[number]['by']);
      const leaves = TRANSITIONS.some(({ by }) => by === fact.type);
      if (leaves) expect([at, fact.type, to]).not.toContain(undefined);
      at = to ?? at;
    }
  } catch (error) {
    refused = true;
    expect(error).toMatchObject({ code: 'attempt_out_of_order' });
  }
  if (!refused) expect(run(...WAYS[from], TOLD[told]).status).toBe(at);
  if (from === 'succeeded') expect(at).toBe('succeeded');
});

test('every transition of the table happens', () => {
  const seen = new Set<string>();
  for (const from of STATUSES) for (const told of Object.values(TOLD)) {
    let at = from;
    let decided: ReturnType<typeof payment.decide> = [];
    try { decided = payment.decide(told, run(...WAYS[from])); } catch { continue; }
    for (const fact of decided) { const to = nextStatus(at, fact.type as (typeof TRANSITIONS)[number]['by']); if (to !== undefined) { seen.add(`${at} ${fact.type} ${to}`); at = to; } }
  }
  expect([...seen].sort()).toEqual(TRANSITIONS.map(({ from, by, to }) => `${from} ${by} ${to}`).sort());
});

test('the picture in docs/payments.md is this data', () => expect(readFileSync(join(__dirname, '../../../../../docs/payments.md'), 'utf8')).toContain(`\`\`\`mermaid\n${stateDiagram()}\n\`\`\``));
