import { randomUUID } from 'node:crypto';
import { eventually } from '@valueverse/testing';
import { ALL_CAPABILITIES, type Capabilities, type Capability, NOT_SUPPORTED, requireCapability } from './capabilities';
import type { ChargeOrder, Found, MethodDetails, PaymentProvider, ProviderDispute } from './provider';

/** What an adapter's spec brings: the adapter, what happens on its other side, and, where it charges, tokens that do what their names say. */
export interface ProviderUnderTest {
  readonly provider: PaymentProvider;
  readonly tenant: string;
  readonly now: () => string;
  /** What happens there, and not by us. */
  readonly there: {
    /** A bank takes all of a charge back: answers how the dispute stands then. */
    readonly dispute: (chargeReference: string) => Promise<ProviderDispute['status']>;
    /** Somebody gives a part back at its own page: answers what it calls that. Of one that has `pages`. */
    readonly refund?: (chargeReference: string, amountMinor: bigint) => Promise<string>;
    /** Somebody enters money that came in. Of one that does not have `charges`. */
    readonly enter?: (order: ChargeOrder) => Promise<void>;
  };
  /** Of one that has `charges` and `methods`. */
  readonly tokens?: { readonly ok: string; readonly declinedSoft: string; readonly declinedHard: string; readonly unknown: string; readonly needsAction: string; readonly needsCustomer: string; readonly takesDays: string };
}
const { signal } = new AbortController();
const CENTS = 4_900n;

/**
 * What every provider has to do, whoever stands behind it; each adapter runs it against what really stands there. Nothing is left out in silence: what a provider says that it cannot do is asked of it, and has to be refused with its code.
 */
export const describeProvider = (name: string, given: () => ProviderUnderTest, can: Capabilities = ALL_CAPABILITIES): void => {
  const tokens = () => given().tokens!;
  const having = (...[capability, title, body]: [Capability, ...Parameters<typeof test>]): void => { if (can[capability]) test(title, body); };
  const speaking = (): { tenant: string; now: string } => ({ tenant: given().tenant, now: given().now() });
  /** Whoever is told that another one is at it asks again. */
  const customer = (accountId = `acc_${randomUUID()}`): Promise<string> => eventually('a customer', async (saw) => {
    const made = await given().provider.customer({ ...speaking(), accountId }, signal);
    saw(made);
    return made.status === 'made' ? made.reference : undefined;
  });
  const order = async (token = can.charges ? tokens().ok : 'by hand', more: Partial<ChargeOrder> = {}): Promise<ChargeOrder> => {
    const paymentId = `pay_${randomUUID()}`;
    return { ...speaking(), key: `pay:${paymentId}:att:1`, paymentId, amountMinor: CENTS, currency: 'USD', customer: await customer(), token, description: 'inv_1', returnUrl: 'https://pay.example.com/back', ...more };
  };
  /** Money that is there: it was charged, or somebody entered it. */
  const take = async (one: ChargeOrder): Promise<Found> => {
    if (can.charges) return given().provider.charge(one, signal);
    await given().there.enter!(one);
    return given().provider.find({ ...speaking(), key: one.key, customer: one.customer, since: one.now }, signal);
  };
  const find = ({ key, customer: of }: ChargeOrder) => given().provider.find({ ...speaking(), key, customer: of, since: given().now() }, signal);

  describe(name, () => {
    test('it says what it can do, and what it cannot do it refuses with the code of that', async () => {
      const { provider } = given();
      expect(provider.can).toEqual(can);
      const asked = { ...await order('tok_ofnobody'), reference: 'ofnobody', setupId: 'set_1', accountId: 'acc_1', isDefault: true };
      const operations: Readonly<Record<Capability, readonly ('attach' | 'method' | 'detach' | 'chosenMethod' | 'charge' | 'confirm' | 'setup' | 'readSetup' | 'portal')[]>> = { methods: ['attach', 'method', 'detach', 'chosenMethod'], charges: ['charge', 'confirm'], pages: ['setup', 'readSetup', 'portal'], webhooks: [] };
      for (const capability of Object.keys(can) as Capability[]) {
        const require = (): void => requireCapability(provider, capability, '/provider');
        if (can[capability]) { expect(require).not.toThrow(); continue; }
        expect(require).toThrow(expect.objectContaining({ code: NOT_SUPPORTED[capability] }) as Error);
        for (const operation of operations[capability]) expect([operation, await provider[operation](asked, signal)]).toMatchObject([operation, { status: 'refused', code: NOT_SUPPORTED[capability] }]);
      }
      expect(await find(asked)).toEqual({ status: 'absent' });
    });
    test('an account has one customer, also when ten ask for it at once', async () => {
      const accountId = `acc_${randomUUID()}`;
      const references = await Promise.all(Array.from({ length: 10 }, () => customer(accountId)));
      expect(new Set(references).size).toBe(1);
    });
    having('methods', 'a token is made ready to be charged, and one that is not there is refused', async () => {
      const who = await customer();
      const attach = (token: string, key: string = randomUUID()) => given().provider.attach({ ...speaking(), key, customer: who, token }, signal);
      const key = randomUUID();
      const card = await attach(tokens().ok, key) as MethodDetails;
      expect(card).toMatchObject({ status: 'attached', customer: who, last4: expect.stringMatching(/^\d{4}$/) as string });
      expect(await attach(tokens().ok, key)).toEqual(card);
      expect(await attach(card.token)).toEqual(card);
      expect(await given().provider.method({ ...speaking(), reference: card.token }, signal)).toMatchObject({ status: 'attached', customer: who, last4: expect.stringMatching(/^\d{4}$/) as string, expires: expect.stringMatching(/^\d{4}-\d\d$/) as string });
      expect(await given().provider.method({ ...speaking(), reference: tokens().unknown }, signal)).toEqual({ status: 'absent' });
      expect(await attach(tokens().unknown)).toMatchObject({ status: 'refused', code: 'unknown_token' });
    });
    having('methods', 'a method is taken from its customer, however often that is asked for; it takes no money after it, and nobody has it again', async () => {
      const [who, other] = [await customer(), await customer()];
      const { token } = await given().provider.attach({ ...speaking(), key: randomUUID(), customer: who, token: tokens().ok }, signal) as MethodDetails;
      const charge = async (of: string) => given().provider.charge(await order(token, { customer: of }), signal);
      expect(await charge(other)).toMatchObject({ status: 'refused' });
      expect(await charge(who)).toMatchObject({ status: 'succeeded' });
      for (const reference of [token, token, tokens().unknown]) expect(await given().provider.detach({ ...speaking(), reference }, signal)).toEqual({ status: 'detached' });
      expect(await given().provider.method({ ...speaking(), reference: token }, signal)).toEqual({ status: 'absent' });
      expect(await charge(who)).toMatchObject({ status: 'refused' });
      expect(await given().provider.attach({ ...speaking(), key: randomUUID(), customer: who, token }, signal)).toMatchObject({ status: 'refused' });
      expect(await given().provider.chosenMethod({ ...speaking(), reference: who }, signal)).toEqual({ status: 'found' });
      expect(await given().provider.chosenMethod({ ...speaking(), reference: 'cus_ofnobody' }, signal)).toEqual({ status: 'absent' });
    });
    test('a charge takes its amount once under one key, says so again, and is found by it', async () => {
      const one = await order();
      expect(await find(one)).toEqual({ status: 'absent' });
      const taken = await take(one);
      expect(taken).toMatchObject({ status: 'succeeded', amountMinor: CENTS, currency: 'USD' });
      expect(await take(one)).toEqual(taken);
      expect(await find(one)).toEqual(taken);
      expect(await given().provider.read({ ...speaking(), reference: (taken as { reference: string }).reference }, signal)).toEqual(taken);
    });
    having('charges', 'a key that comes with another amount is refused, and takes nothing', async () => {
      const one = await order(tokens().ok);
      const taken = await given().provider.charge(one, signal);
      expect(await given().provider.charge({ ...one, amountMinor: CENTS + 1n }, signal)).toMatchObject({ status: 'refused', code: 'key_reused' });
      expect(await find(one)).toEqual(taken);
    });
    having('charges', 'a decline is an answer with its class, and stays one', async () => {
      const soft = await order(tokens().declinedSoft);
      expect(await given().provider.charge(soft, signal)).toMatchObject({ status: 'declined', code: 'insufficient_funds', class: 'soft' });
      expect(await find(soft)).toMatchObject({ status: 'declined', class: 'soft' });
      expect(await given().provider.charge(await order(tokens().declinedHard), signal)).toMatchObject({ status: 'declined', class: 'hard' });
    });
    test('money is given back in parts, once per key, and never more than was taken', async () => {
      const taken = await take(await order()) as { reference: string };
      const back = (refundId: string, amountMinor: bigint) => ({ ...speaking(), key: `ref:${refundId}`, refundId, reference: taken.reference, amountMinor, currency: 'USD' });
      const [first, second] = [back(randomUUID(), 1_900n), back(randomUUID(), 3_000n)];
      expect(await given().provider.findRefund(first, signal)).toEqual({ status: 'absent' });
      const given1 = await given().provider.refund(first, signal);
      expect(given1).toMatchObject({ status: 'succeeded', amountMinor: 1_900n, currency: 'USD' });
      expect(await given().provider.refund(first, signal)).toEqual(given1);
      expect(await given().provider.findRefund(first, signal)).toEqual(given1);
      expect(await given().provider.refund(second, signal)).toMatchObject({ status: 'succeeded' });
      expect(await given().provider.refund(back(randomUUID(), 1n), signal)).toMatchObject({ status: 'refused' });
    });
    test('what was given back is listed as it stands: of a charge, and from an instant on, with our key and that of its attempt; what was made at the provider has no key', async () => {
      const one = await order();
      const since = given().now();
      const { reference: chargeReference } = await take(one) as { reference: string };
      const refundId = randomUUID();
      const key = `ref:${refundId}`;
      const { reference } = await given().provider.refund({ ...speaking(), key, refundId, reference: chargeReference, amountMinor: 1_900n, currency: 'USD' }, signal) as { reference: string };
      const own = { reference, chargeReference, attemptKey: one.key, key, amountMinor: 1_900n, currency: 'USD', state: 'succeeded' };
      const byHand = can.pages ? await given().there.refund!(chargeReference, 100n) : undefined;
      const all = [...(byHand === undefined ? [] : [{ reference: byHand, chargeReference, attemptKey: one.key, amountMinor: 100n, currency: 'USD', state: 'succeeded' }]), own];
      expect(await given().provider.refunds({ ...speaking(), chargeReference }, signal)).toEqual({ status: 'page', refunds: all });
      expect(await given().provider.refunds({ ...speaking(), chargeReference, after: all[0]!.reference }, signal)).toEqual({ status: 'page', refunds: all.slice(1) });
      const fresh = await given().provider.refunds({ ...speaking(), since }, signal);
      expect(fresh.status === 'page' && fresh.refunds).toEqual(expect.arrayContaining(all));
      expect(await given().provider.refunds({ ...speaking(), since: '2100-01-01T00:00:00Z' }, signal)).toEqual({ status: 'page', refunds: [] });
    });
    test('disputes are listed as they stand, from an instant on, with the key of the attempt whose money it is', async () => {
      const one = await order();
      const since = given().now();
      const { reference: chargeReference } = await take(one) as { reference: string };
      const status = await given().there.dispute(chargeReference);
      const page = await given().provider.disputes({ ...speaking(), since }, signal);
      const found = page.status === 'page' ? page.disputes.find((dispute) => dispute.chargeReference === chargeReference) : undefined;
      expect(found).toMatchObject({ attemptKey: one.key, amountMinor: CENTS, currency: 'USD', status });
      expect(await given().provider.dispute({ ...speaking(), reference: found!.reference }, signal)).toEqual(found);
      expect(await given().provider.disputes({ ...speaking(), since, after: found!.reference }, signal)).toMatchObject({ status: 'page' });
      expect(await given().provider.disputes({ ...speaking(), since: '2100-01-01T00:00:00Z' }, signal)).toEqual({ status: 'page', disputes: [] });
    });
    test('what is not there is absent', async () => {
      expect(await given().provider.read({ ...speaking(), reference: 'pi_ofnobody' }, signal)).toEqual({ status: 'absent' });
      expect(await given().provider.cancel({ ...speaking(), reference: 'pi_ofnobody' }, signal)).toEqual({ status: 'absent' });
      expect(await given().provider.dispute({ ...speaking(), reference: 'dp_ofnobody' }, signal)).toEqual({ status: 'absent' });
    });
    having('charges', 'a customer who has to confirm is said so, with the place; a charge that is ended before stays ended', async () => {
      const { needsAction } = tokens();
      const one = await order(needsAction);
      const waits = await given().provider.charge(one, signal) as { reference: string };
      expect(waits).toMatchObject({ status: 'requires_action', url: expect.stringMatching(/^http/) as string });
      const { reference } = waits;
      expect(await given().provider.cancel({ ...speaking(), reference }, signal)).toMatchObject({ status: 'declined', code: 'cancelled' });
      expect(await find(one)).toMatchObject({ status: 'declined', code: 'cancelled' });
    });
    having('charges', 'a bank that wants its customer there takes nothing; the customer is asked for once per key, and what is confirmed is the same charge', async () => {
      const { needsCustomer } = tokens();
      const one = await order(needsCustomer);
      const away = await given().provider.charge(one, signal) as { reference: string };
      expect(away).toMatchObject({ status: 'needs_customer' });
      expect(await find(one)).toEqual(away);
      const ask = { ...speaking(), key: one.key, reference: away.reference, token: one.token, returnUrl: one.returnUrl };
      const asked = await given().provider.confirm(ask, signal);
      expect(asked).toMatchObject({ status: 'requires_action', reference: away.reference, url: expect.stringMatching(/^http/) as string });
      expect(await given().provider.confirm(ask, signal)).toEqual(asked);
      expect(await given().provider.confirm({ ...ask, key: `${one.key}:other` }, signal)).toEqual(asked);
      expect(await find(one)).toEqual(asked);
      expect(await given().provider.confirm({ ...ask, reference: 'pi_ofnobody', key: `${one.key}:nobody` }, signal)).toEqual({ status: 'absent' });
    });
    having('charges', 'money that takes days is on its way', async () => {
      const { takesDays } = tokens();
      const one = await order(takesDays);
      expect(await given().provider.charge(one, signal)).toMatchObject({ status: 'processing' });
      expect(await find(one)).toMatchObject({ status: 'processing' });
    });
    test('the balance has a line for the charge, its fee taken off, and one for what was given back', async () => {
      const taken = await take(await order()) as { reference: string; feeMinor: bigint };
      const refundId = randomUUID();
      const refund = await given().provider.refund({ ...speaking(), key: `ref:${refundId}`, refundId, reference: taken.reference, amountMinor: 100n, currency: 'USD' }, signal) as { reference: string };
      const page = await given().provider.balance({ ...speaking(), from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' }, signal);
      if (page.status !== 'page') throw new Error(`no balance: ${JSON.stringify(page)}`);
      expect(page.entries.find(({ source }) => source === taken.reference)).toMatchObject({ type: 'charge', amountMinor: CENTS, feeMinor: taken.feeMinor, currency: 'USD' });
      expect(page.entries.find(({ source }) => source === refund.reference)).toMatchObject({ type: 'refund', amountMinor: -100n, feeMinor: 0n, chargeReference: taken.reference, key: `ref:${refundId}` });
      // Those of one thing are the same, however old they are.
      const linesOf = async (type: 'charge' | 'refund' | 'dispute' | 'payout', reference: string) => given().provider.linesOf({ ...speaking(), type, reference }, signal);
      expect(await linesOf('charge', taken.reference)).toEqual({ status: 'lines', entries: page.entries.filter(({ source }) => source === taken.reference) });
      expect(await linesOf('refund', refund.reference)).toEqual({ status: 'lines', entries: page.entries.filter(({ source }) => source === refund.reference) });
      for (const [type, name] of [['charge', 'pi'], ['refund', 're'], ['dispute', 'dp'], ['payout', 'po']] as const) expect(await linesOf(type, `${name}_ofnobody`)).toEqual({ status: 'absent' });
    });
  });
};
