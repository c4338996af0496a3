import type { SandboxBook } from './sandbox-book';
import { type Dispute, DISPUTE_FEE, feeOf, type BalanceTransaction, type Charge, type Intent, invalid, missing, type PaymentError, type Payout, type Refund, WireError } from './sandbox-objects';
import type { Behaviour } from './sandbox-tokens';

const DAY_SECONDS = 86_400;
/** Until when a customer who disputes can be answered. */
const EVIDENCE_DAYS = 7;
/** What is counted as one customer's history for a token that declines a few times first. */
const TRIES_MAX = 100;
/** As many lines of a balance are added up. */
const HISTORY_MAX = 100_000;
const MESSAGES: Readonly<Record<string, string>> = {
  authentication_required: 'Your card was declined. This transaction requires authentication.', insufficient_funds: 'Your card has insufficient funds.', expired_card: 'Your card has expired.', fraudulent: 'Your card was declined.',
};
/** Declines that are their own error; all others are `card_declined`, with the code of the bank beside it. */
const OWN_CODES: readonly string[] = ['expired_card', 'authentication_required'];
const later = (now: string, days: number): string => new Date(Date.parse(now) + days * DAY_SECONDS * 1_000).toISOString();
const errorOf = (code: string): PaymentError => ({ type: 'card_error', code: OWN_CODES.includes(code) ? code : 'card_declined', decline_code: code, message: MESSAGES[code] ?? 'Your card was declined.' });

const redirectTo = (url: string, returnUrl: string | null): Intent['next_action'] => ({ type: 'redirect_to_url', redirect_to_url: { url, return_url: returnUrl } });

export interface NewIntent { readonly amount: number; readonly currency: string; readonly customer: string | null; readonly token: string; readonly description: string | null; readonly metadata: Readonly<Record<string, string>>; readonly key: string | undefined; readonly offSession: boolean; readonly returnUrl: string | null; readonly actionUrl: (id: string) => string }

/** What moves money at the sandbox: every change of its book is one of these. */
export class SandboxMoney {
  constructor(private readonly book: SandboxBook) {}

  /** Throws the decline as a `WireError` of 402, with the intent that stays behind. */
  async charge(order: NewIntent, behaviour: Behaviour): Promise<Intent | WireError> {
    const { amount, currency, customer, token, description, metadata, key } = order;
    const id = this.book.id('pi');
    const base = { id, object: 'payment_intent', created: this.book.seconds, livemode: false, amount, currency, customer, payment_method: token, description, metadata } as const;
    const blank = { ...base, amount_received: 0, latest_charge: null, next_action: null, last_payment_error: null } as const;
    const saved = { parent: customer, key };
    const away = behaviour.needsCustomer === true && order.offSession && !(await this.isSetUp(order)) ? errorOf('authentication_required') : undefined;
    const decline = away ?? (behaviour.decline !== undefined && await this.declinesStill(order, behaviour) ? errorOf(behaviour.decline) : undefined);
    if (decline !== undefined) {
      const intent: Intent = { ...blank, status: 'requires_payment_method', last_payment_error: decline };
      await this.book.put({ ...saved, object: intent });
      this.book.happened('payment_intent.payment_failed', intent);
      return new WireError(402, { ...decline, payment_intent: intent });
    }
    if (behaviour.needsAction === true || (behaviour.needsCustomer === true && !order.offSession)) {
      const intent: Intent = { ...blank, status: 'requires_action', next_action: redirectTo(order.actionUrl(id), order.returnUrl) };
      await this.book.put({ ...saved, object: intent });
      this.book.happened('payment_intent.requires_action', intent);
      return intent;
    }
    if (behaviour.settlesAfterDays !== undefined) {
      const intent: Intent = { ...blank, status: 'processing' };
      await this.book.put({ ...saved, object: intent, settlesAt: later(this.book.now, behaviour.settlesAfterDays) });
      this.book.happened('payment_intent.processing', intent);
      return intent;
    }
    return this.take({ ...blank, status: 'processing' }, saved, behaviour.disputedAfterDays);
  }

  /** Asks the customer of an intent that was declined while the customer was away. */
  async confirm(id: string, token: string, { returnUrl, actionUrl }: Pick<NewIntent, 'returnUrl' | 'actionUrl'>): Promise<Intent> {
    const intent = await this.book.get('payment_intent', id, true);
    if (intent === undefined) throw missing('payment_intent', 'intent');
    if (intent.status !== 'requires_payment_method') throw invalid(`You cannot confirm this PaymentIntent because it has a status of ${intent.status}.`, undefined, 'payment_intent_unexpected_state');
    const asked: Intent = { ...intent, payment_method: token, status: 'requires_action', last_payment_error: null, next_action: redirectTo(actionUrl(id), returnUrl) };
    await this.book.put({ object: asked, parent: intent.customer });
    this.book.happened('payment_intent.requires_action', asked);
    return asked;
  }

  /** Takes the money of an intent that waited, or ends it. One that is over stays as it is. */
  async complete(id: string, how: 'complete' | 'fail' | 'cancel'): Promise<Intent> {
    const intent = await this.book.get('payment_intent', id, true);
    if (intent === undefined) throw missing('payment_intent', 'intent');
    if (intent.status === 'succeeded' || intent.status === 'canceled' || intent.status === 'requires_payment_method') {
      if (how === 'cancel' && intent.status !== 'canceled') throw invalid(`You cannot cancel this PaymentIntent because it has a status of ${intent.status}.`, undefined, 'payment_intent_unexpected_state');
      return intent;
    }
    if (how === 'complete') return this.take(intent, { parent: intent.customer });
    const ended: Intent = how === 'cancel' ? { ...intent, status: 'canceled', next_action: null } : { ...intent, status: 'requires_payment_method', next_action: null, last_payment_error: { type: 'card_error', code: 'payment_intent_authentication_failure', message: 'The customer did not confirm.' } };
    await this.book.put({ object: ended, parent: intent.customer });
    this.book.happened(how === 'cancel' ? 'payment_intent.canceled' : 'payment_intent.payment_failed', ended);
    return ended;
  }

  async refund(intentId: string, wanted: number | undefined, { reason, metadata, key, failsLater }: { readonly reason: string | null; readonly metadata: Readonly<Record<string, string>>; readonly key: string | undefined; readonly failsLater: number | undefined }): Promise<Refund> {
    const intent = await this.book.get('payment_intent', intentId);
    const charge = intent?.latest_charge == null ? undefined : await this.book.get('charge', intent.latest_charge, true);
    if (charge === undefined) throw missing('payment_intent', 'payment_intent');
    const amount = wanted ?? charge.amount - charge.amount_refunded;
    if (charge.disputed) throw invalid('This charge has been charged back.', undefined, 'charge_disputed');
    if (charge.amount_refunded === charge.amount) throw invalid('The charge has already been refunded.', undefined, 'charge_already_refunded');
    if (amount <= 0 || amount > charge.amount - charge.amount_refunded) throw invalid('Refund amount is greater than unrefunded amount on charge.', 'amount');
    const id = this.book.id('re');
    const entry = this.entry({ amount: -amount, fee: 0, currency: charge.currency, type: 'refund', source: id });
    const refund: Refund = { id, object: 'refund', created: this.book.seconds, livemode: false, amount, currency: charge.currency, charge: charge.id, payment_intent: intentId, status: failsLater === undefined ? 'succeeded' : 'pending', reason, metadata, balance_transaction: entry.id };
    const refunded: Charge = { ...charge, amount_refunded: charge.amount_refunded + amount, refunded: charge.amount_refunded + amount === charge.amount };
    await this.book.put({ object: refund, parent: intentId, key, settlesAt: failsLater === undefined ? null : later(this.book.now, failsLater) }, { object: entry, parent: id }, { object: refunded, parent: intentId });
    this.book.happened('charge.refunded', refunded);
    this.book.happened('refund.created', refund);
    const asked = refunded.refunded ? await this.inquiryOf(charge) : undefined;
    if (asked !== undefined) await this.closeDispute(asked.id, 'won');
    return refund;
  }

  /** Takes the money back for the customer; what the bank has asked about before becomes this dispute. */
  async openDispute(charge: Charge): Promise<void> {
    if (charge.disputed || charge.refunded) return;
    const asked = await this.inquiryOf(charge);
    const id = asked?.id ?? this.book.id('dp');
    const entry = this.entry({ amount: charge.amount_refunded - charge.amount, fee: DISPUTE_FEE, currency: charge.currency, type: 'adjustment', source: id });
    const dispute = this.disputeOf(charge, { id, status: 'needs_response', balance_transactions: [entry] });
    await this.book.put({ object: dispute, parent: charge.payment_intent }, { object: { ...charge, disputed: true }, parent: charge.payment_intent }, { object: entry, parent: id });
    this.book.happened(asked === undefined ? 'charge.dispute.created' : 'charge.dispute.funds_withdrawn', dispute);
  }
  /** The bank asks, and takes nothing. */
  async inquire(charge: Charge): Promise<void> {
    if (charge.disputed || charge.refunded || await this.inquiryOf(charge) !== undefined) return;
    const inquiry = this.disputeOf(charge, { id: this.book.id('dp'), status: 'warning_needs_response', balance_transactions: [] });
    await this.book.put({ object: inquiry, parent: charge.payment_intent });
    this.book.happened('charge.dispute.created', inquiry);
  }
  private disputeOf({ id: charge, amount, amount_refunded: refunded, currency, payment_intent: intent, metadata }: Charge, more: Pick<Dispute, 'id' | 'status' | 'balance_transactions'>): Dispute {
    return { object: 'dispute', created: this.book.seconds, livemode: false, amount: amount - refunded, currency, charge, payment_intent: intent, reason: 'fraudulent', metadata, evidence_details: { due_by: this.book.seconds + EVIDENCE_DAYS * DAY_SECONDS, has_evidence: false }, ...more };
  }
  private async inquiryOf({ payment_intent: parent }: Charge): Promise<Dispute | undefined> { return (await this.book.list('dispute', { parent, limit: TRIES_MAX })).find(({ status }) => status === 'warning_needs_response'); }

  /** The bank decides about the dispute of a charge, or once more about one that was lost. */
  async decideDispute({ payment_intent: parent }: Charge, status: 'won' | 'lost'): Promise<Dispute> {
    const dispute = (await this.book.list('dispute', { parent, limit: TRIES_MAX })).find((one) => one.status !== 'won' && one.status !== 'warning_closed');
    if (dispute === undefined) throw missing('dispute', 'dispute');
    return this.closeDispute(dispute.id, status);
  }
  /** An inquiry is closed, however it ends. A bank that has decided against the tenant may let go of the money after all. */
  async closeDispute(id: string, status: 'won' | 'lost'): Promise<Dispute> {
    const dispute = await this.book.get('dispute', id, true);
    if (dispute === undefined) throw missing('dispute', 'dispute');
    if (dispute.status === status || dispute.status === 'won' || dispute.status === 'warning_closed') return dispute;
    const isInquiry = dispute.status === 'warning_needs_response';
    const reinstated = status === 'won' && !isInquiry ? [this.entry({ amount: dispute.amount, fee: 0, currency: dispute.currency, type: 'adjustment', source: id })] : [];
    const closed: Dispute = { ...dispute, status: isInquiry ? 'warning_closed' : status, balance_transactions: [...dispute.balance_transactions, ...reinstated] };
    await this.book.put({ object: closed, parent: dispute.payment_intent }, ...reinstated.map((object) => ({ object, parent: id })));
    this.book.happened('charge.dispute.closed', closed);
    return closed;
  }

  /** Does what falls due, from a second on where one is given: money that arrives, disputes that are opened, refunds that fail after all. */
  async settle(since?: number): Promise<void> {
    for (const object of await this.book.due(since)) {
      if (object.object === 'payment_intent') await this.take(object, { parent: object.customer });
      if (object.object === 'charge') { await this.book.put({ object, parent: object.payment_intent }); await this.openDispute(object); }
      if (object.object === 'refund') await this.failRefund(object);
    }
  }

  /** Pays out an amount, or all of the balance of a currency; nothing where there is nothing. */
  async payOut(currency: string, wanted?: number): Promise<void> {
    const amount = wanted ?? (await this.book.list('balance_transaction', { limit: HISTORY_MAX })).filter((one) => one.currency === currency).reduce((sum, { net }) => sum + net, 0);
    if (amount <= 0) return;
    const id = this.book.id('po');
    const entry = this.entry({ amount: -amount, fee: 0, currency, type: 'payout', source: id });
    const payout: Payout = { id, object: 'payout', created: this.book.seconds, livemode: false, amount, currency, status: 'paid', arrival_date: this.book.seconds, balance_transaction: entry.id };
    await this.book.put({ object: payout }, { object: entry, parent: id });
    this.book.happened('payout.paid', payout);
  }

  /** The bank of the customer sends back what was given. */
  async returnRefund(id: string): Promise<Refund> {
    const refund = await this.book.get('refund', id, true);
    if (refund === undefined) throw missing('refund', 'refund');
    return refund.status === 'failed' ? refund : this.failRefund(refund);
  }

  private async failRefund(refund: Refund): Promise<Refund> {
    const charge = await this.book.get('charge', refund.charge, true);
    const entry = this.entry({ amount: refund.amount, fee: 0, currency: refund.currency, type: 'refund_failure', source: refund.id });
    const failed: Refund = { ...refund, status: 'failed', failure_reason: 'lost_or_stolen_card', failure_balance_transaction: entry.id };
    const back: Charge = { ...charge!, amount_refunded: charge!.amount_refunded - refund.amount, refunded: false };
    await this.book.put({ object: failed, parent: refund.payment_intent }, { object: back, parent: refund.payment_intent }, { object: entry, parent: refund.id });
    this.book.happened('refund.failed', failed);
    return failed;
  }

  private async take(intent: Intent, saved: { readonly parent: string | null; readonly key?: string | undefined }, disputedAfterDays?: number): Promise<Intent> {
    const chargeId = this.book.id('ch');
    const entry = this.entry({ amount: intent.amount, fee: feeOf(intent.amount), currency: intent.currency, type: 'charge', source: chargeId });
    const charge: Charge = {
      id: chargeId, object: 'charge', created: this.book.seconds, livemode: false, amount: intent.amount, amount_captured: intent.amount, amount_refunded: 0, currency: intent.currency, customer: intent.customer, payment_intent: intent.id,
      payment_method: intent.payment_method, status: 'succeeded', paid: true, refunded: false, disputed: false, balance_transaction: entry.id, metadata: intent.metadata,
    };
    const taken: Intent = { ...intent, status: 'succeeded', amount_received: intent.amount, latest_charge: chargeId, next_action: null };
    await this.book.put({ ...saved, object: taken }, { object: charge, parent: intent.id, settlesAt: disputedAfterDays === undefined ? null : later(this.book.now, disputedAfterDays) }, { object: entry, parent: chargeId });
    this.book.happened('payment_intent.succeeded', taken);
    return taken;
  }

  private entry({ amount, fee, currency, type, source }: Pick<BalanceTransaction, 'amount' | 'fee' | 'currency' | 'type' | 'source'>): BalanceTransaction {
    return { id: this.book.id('txn'), object: 'balance_transaction', created: this.book.seconds, livemode: false, amount, fee, net: amount - fee, currency, type, reporting_category: type === 'adjustment' ? 'dispute' : type, source };
  }

  /** A card that its customer entered to be charged later is not asked for again. */
  private async isSetUp({ customer, token }: NewIntent): Promise<boolean> {
    if (customer === null) return false;
    return (await this.book.list('checkout.session', { parent: customer, limit: TRIES_MAX })).some(({ setup_intent: done }) => done?.payment_method === token);
  }

  private async declinesStill({ customer, token }: NewIntent, { declineTimes }: Behaviour): Promise<boolean> {
    if (declineTimes === undefined || customer === null) return true;
    const before = await this.book.list('payment_intent', { parent: customer, limit: TRIES_MAX });
    return before.filter((one) => one.payment_method === token && one.last_payment_error !== null).length < declineTimes;
  }
}
