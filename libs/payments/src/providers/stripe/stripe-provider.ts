import { AsyncLocalStorage } from 'node:async_hooks';
import type Stripe from 'stripe';
import { AMOUNT_TOO_FINE, takesSteps } from '../amount-steps';
import { ALL_CAPABILITIES } from '../capabilities';
import type {
  BalanceEntry, BalanceOrder, BalancePage, ChargeOrder, ChargeOutcome, ConfirmOrder, CustomerOrder, DisputesPage, FindOrder, Found, FoundRefund, MadeOrder, MethodDetails, MethodOrder, NoAnswer, OpenPage, PaymentProvider, PayoutsPage, ProviderDispute, ProviderPayout, ProviderRefund, ReferenceOrder, RefundOrder, RefundOutcome, RefundsOrder, RefundsPage, Settled, SetupOrder, SetupState, Speaking, ThingOrder,
} from '../provider';
import { fromStripe, stripeStep, toStripe } from './stripe-amounts';
import { declineClassOf } from './stripe-declines';
import { entriesOf, entryOf, idOf, instantOf, secondsOf } from './stripe-balance';
import { noAnswerOf, wasNeverConnected } from './stripe-errors';
import { STRIPE_VERSION } from './stripe-version';

/** How a tenant speaks to Stripe, or to something that speaks its language. */
export interface StripeAccount { readonly apiKey: string; readonly url?: string }
export interface StripeProviderOptions {
  readonly name: string;
  /** Throws where the tenant has not set the provider up. */
  readonly account: (tenant: string) => Promise<StripeAccount>;
  readonly timeoutMs: number;
  /** More headers, for a sandbox that lives on a test clock. */
  readonly headersOf?: (speaking: Speaking) => Readonly<Record<string, string>>;
}

type Client = InstanceType<typeof Stripe>;
interface Call { readonly headers: Readonly<Record<string, string>>; wasCut: boolean }

const PAGE = 100;
/** An order's pages of one customer, which come within its deadline; a customer is not charged three thousand times in a few days. */
const PAGES_MAX = 30;
/** Clocks differ: what is looked for is looked for from a little earlier on. */
const SKEW_SECONDS = 3_600;
const NOT_FOUND = 'resource_missing';
const UNEXPECTED_STATE = 'payment_intent_unexpected_state';
/** The bank takes the card only with its customer there: https://docs.stripe.com/declines/codes. */
const AUTHENTICATION_REQUIRED = 'authentication_required';
const EXPANDED = ['latest_charge.balance_transaction'];
/** Says by which key a payment was ordered. */
const OF_LISTED_PAYMENT = ['data.payment_intent'];
const pageAfter = (after: string | undefined): { limit: number; starting_after?: string } => ({ limit: PAGE, ...(after === undefined ? {} : { starting_after: after }) });
const nextOf = (data: readonly { readonly id: string }[], hasMore: boolean): { next?: string } => (hasMore ? { next: data.at(-1)!.id } : {});

/** Speaks Stripe's HTTP interface through the package `stripe`. The package itself sends again, once and under the same key, what a cut connection may have swallowed; anything more is decided by whoever asks. */
export class StripeProvider implements PaymentProvider {
  private readonly clients = new Map<string, Client>();
  /** The package takes no headers with a call: its HTTP client is told of them here, and says whether a connection was cut that may have carried the order. */
  private readonly calls = new AsyncLocalStorage<Call>();
  readonly name: string;
  readonly can = ALL_CAPABILITIES;
  constructor(private readonly options: StripeProviderOptions) { this.name = options.name; }

  stepOf(currency: string): bigint { return stripeStep(currency); }

  /** Made again under its key it is the same customer, so that a lost answer is none. */
  async customer(order: CustomerOrder): Promise<{ status: 'made'; reference: string } | NoAnswer> {
    const answer = await this.ask<{ status: 'made'; reference: string }>(order, async (stripe, more) => {
      const { id } = await stripe.customers.create({ metadata: { tenant: order.tenant, account: order.accountId } }, { ...more, idempotencyKey: `cus:${order.tenant}:${order.accountId}` });
      return { status: 'made', reference: id };
    });
    return answer.status === 'unknown' ? { status: 'unavailable', reason: answer.reason } : answer;
  }

  async attach(order: MethodOrder): Promise<MethodDetails | NoAnswer> {
    const answer = await this.ask<MethodDetails>(order, async (stripe, more) => {
      return detailsOf(await stripe.paymentMethods.attach(order.token, { customer: order.customer }, { ...more, idempotencyKey: order.key }));
    });
    return answer.status === 'refused' && answer.code === NOT_FOUND ? { ...answer, code: 'unknown_token' } : answer;
  }

  setup({ key, setupId, accountId, customer, currency, isDefault, returnUrl, ...speaking }: SetupOrder): Promise<OpenPage | NoAnswer> {
    return this.ask<OpenPage>(speaking, async (stripe, more) => {
      const metadata = { setup: setupId, account: accountId, default: String(isDefault) };
      const { id, url } = await stripe.checkout.sessions.create({ mode: 'setup', customer, currency: currency.toLowerCase(), success_url: returnUrl, cancel_url: returnUrl, metadata, setup_intent_data: { metadata } }, { ...more, idempotencyKey: key });
      return { status: 'open', reference: id, url: url ?? '' };
    });
  }

  async readSetup({ reference, ...speaking }: ReferenceOrder): Promise<SetupState | NoAnswer> {
    const answer = await this.ask<SetupState>(speaking, async (stripe, more) => setupOf(await stripe.checkout.sessions.retrieve(reference, { expand: ['setup_intent.payment_method'] }, more)));
    return answer.status === 'refused' && answer.code === NOT_FOUND ? { status: 'absent' } : answer;
  }

  portal({ customer, returnUrl, ...speaking }: Speaking & { readonly customer: string; readonly returnUrl: string }): Promise<OpenPage | NoAnswer> {
    return this.ask<OpenPage>(speaking, async (stripe, more) => {
      const { id, url } = await stripe.billingPortal.sessions.create({ customer, return_url: returnUrl }, more);
      return { status: 'open', reference: id, url };
    });
  }

  async method({ reference, ...speaking }: ReferenceOrder): Promise<MethodDetails | { status: 'absent' } | NoAnswer> {
    const answer = await this.ask<MethodDetails>(speaking, async (stripe, more) => detailsOf(await stripe.paymentMethods.retrieve(reference, {}, more)));
    const isAbsent = (answer.status === 'refused' && answer.code === NOT_FOUND) || (answer.status === 'attached' && answer.customer === '');
    return isAbsent ? { status: 'absent' } : answer;
  }

  async detach({ reference, ...speaking }: ReferenceOrder): Promise<{ status: 'detached' } | NoAnswer> {
    const answer = await this.ask<{ status: 'detached' }>(speaking, async (stripe, more) => {
      await stripe.paymentMethods.detach(reference, {}, more);
      return { status: 'detached' };
    });
    // One that nobody has cannot be taken from anybody: https://docs.stripe.com/api/payment_methods/detach.
    return answer.status === 'refused' && (await this.method({ reference, ...speaking })).status === 'absent' ? { status: 'detached' } : answer;
  }

  async chosenMethod({ reference, ...speaking }: ReferenceOrder): Promise<{ status: 'found'; token?: string } | { status: 'absent' } | NoAnswer> {
    const answer = await this.ask<{ status: 'found'; token?: string } | { status: 'absent' }>(speaking, async (stripe, more) => {
      const customer = await stripe.customers.retrieve(reference, {}, more);
      if (customer.deleted === true) return { status: 'absent' };
      const token = idOf(customer.invoice_settings?.default_payment_method);
      return { status: 'found', ...(token === '' ? {} : { token }) };
    });
    return answer.status === 'refused' && answer.code === NOT_FOUND ? { status: 'absent' } : answer;
  }

  charge({ key, paymentId, amountMinor, currency, customer, token, description, returnUrl, ...speaking }: ChargeOrder): Promise<ChargeOutcome | NoAnswer> {
    const amount = toStripe(amountMinor, currency);
    if (amount === undefined) return Promise.resolve(tooFine(currency));
    return this.ask<ChargeOutcome>(speaking, async (stripe, more) => stripe.paymentIntents.create({
      amount, currency: currency.toLowerCase(), customer, payment_method: token, description, confirm: true, off_session: true, metadata: { attempt: key, payment: paymentId, tenant: speaking.tenant }, expand: EXPANDED,
      automatic_payment_methods: { enabled: true }, return_url: returnUrl,
    }, { ...more, idempotencyKey: key }).then(outcomeOf, (error: unknown) => {
      const declined = declineOf(error);
      if (declined === undefined) throw error;
      return declined;
    }));
  }

  find({ key, customer, since, ...speaking }: FindOrder): Promise<Found> {
    return this.ask<Found>(speaking, async (stripe, more) => {
      let after: string | undefined;
      for (let page = 0; page < PAGES_MAX; page++) {
        const { data, has_more: hasMore } = await stripe.paymentIntents.list({ customer, created: { gte: secondsOf(since) - SKEW_SECONDS }, ...pageAfter(after) }, more);
        const found = data.find(({ metadata }) => metadata['attempt'] === key);
        if (found !== undefined) return this.readIntent(stripe, found.id, more);
        if (!hasMore) return { status: 'absent' };
        after = data.at(-1)!.id;
      }
      return { status: 'unknown', isAnswer: true, reason: `the customer has more than ${PAGE * PAGES_MAX} payments since then` };
    });
  }

  async read({ reference, ...speaking }: ReferenceOrder): Promise<Found> {
    return absentIfMissing(await this.ask<Found>(speaking, (stripe, more) => this.readIntent(stripe, reference, more)));
  }

  async confirm({ key, reference, token, returnUrl, ...speaking }: ConfirmOrder): Promise<Settled> {
    const answer = await this.ask<Found>(speaking, async (stripe, more) => stripe.paymentIntents.confirm(reference, { payment_method: token, return_url: returnUrl, expand: EXPANDED }, { ...more, idempotencyKey: `${key}:confirm` }).then(outcomeOf, (error: unknown) => {
      const declined = declineOf(error);
      if (declined === undefined) throw error;
      return declined;
    }));
    // Asked for already, or over.
    const stands = answer.status === 'refused' && answer.code === UNEXPECTED_STATE ? await this.read({ reference, ...speaking }) : absentIfMissing(answer);
    return stands.status === 'needs_customer' ? { status: 'declined', code: AUTHENTICATION_REQUIRED, class: declineClassOf(AUTHENTICATION_REQUIRED), reference } : stands;
  }

  async cancel({ reference, ...speaking }: ReferenceOrder): Promise<Found> {
    const answer = await this.ask<Found>(speaking, async (stripe, more) => outcomeOf(await stripe.paymentIntents.cancel(reference, {}, more)));
    // It was over before it could be ended.
    if (answer.status === 'refused' && answer.code === UNEXPECTED_STATE) return this.read({ reference, ...speaking });
    return absentIfMissing(answer);
  }

  refund({ key, refundId, reference, amountMinor, currency, ...speaking }: RefundOrder): Promise<RefundOutcome | NoAnswer> {
    const amount = toStripe(amountMinor, currency);
    if (amount === undefined) return Promise.resolve(tooFine(currency));
    return this.ask<RefundOutcome>(speaking, async (stripe, more) => refundOf(await stripe.refunds.create({ payment_intent: reference, amount, metadata: { refund: refundId, key } }, { ...more, idempotencyKey: key })));
  }

  findRefund({ key, reference, ...speaking }: Pick<RefundOrder, 'tenant' | 'now' | 'key' | 'reference'>): Promise<FoundRefund> {
    return this.ask<FoundRefund>(speaking, async (stripe, more) => {
      // However often a charge was given back in parts: what is not looked through may be the one.
      for (let after: string | undefined; ;) {
        const { data, has_more: hasMore } = await stripe.refunds.list({ payment_intent: reference, ...pageAfter(after) }, more);
        const found = data.find(({ metadata }) => metadata?.['key'] === key);
        if (found !== undefined) return refundOf(found);
        if (!hasMore) return { status: 'absent' };
        after = data.at(-1)!.id;
      }
    });
  }

  refunds(order: RefundsOrder): Promise<({ readonly status: 'page' } & RefundsPage) | NoAnswer> {
    const which = 'since' in order ? { created: { gte: secondsOf(order.since) } } : { payment_intent: order.chargeReference };
    return this.ask<{ status: 'page' } & RefundsPage>(order, async (stripe, more) => {
      const { data, has_more: hasMore } = await stripe.refunds.list({ ...which, ...pageAfter(order.after), expand: OF_LISTED_PAYMENT }, more);
      return { status: 'page', refunds: data.map(listedRefundOf), ...nextOf(data, hasMore) };
    });
  }

  disputes({ since, after, ...speaking }: MadeOrder): Promise<({ readonly status: 'page' } & DisputesPage) | NoAnswer> {
    return this.ask<{ status: 'page' } & DisputesPage>(speaking, async (stripe, more) => {
      const { data, has_more: hasMore } = await stripe.disputes.list({ created: { gte: secondsOf(since) }, ...pageAfter(after), expand: OF_LISTED_PAYMENT }, more);
      return { status: 'page', disputes: data.map(disputeOf), ...nextOf(data, hasMore) };
    });
  }

  async dispute({ reference, ...speaking }: ReferenceOrder): Promise<ProviderDispute | { status: 'absent' } | NoAnswer> {
    const answer = await this.ask<ProviderDispute>(speaking, async (stripe, more) => disputeOf(await stripe.disputes.retrieve(reference, { expand: ['payment_intent'] }, more)));
    return answer.status === 'refused' && answer.code === NOT_FOUND ? { status: 'absent' } : answer;
  }

  async payout({ reference, ...speaking }: ReferenceOrder): Promise<ProviderPayout | { status: 'absent' } | NoAnswer> {
    const answer = await this.ask<ProviderPayout>(speaking, async (stripe, more) => payoutOf(await stripe.payouts.retrieve(reference, {}, more)));
    return answer.status === 'refused' && answer.code === NOT_FOUND ? { status: 'absent' } : answer;
  }

  payouts({ since, after, ...speaking }: MadeOrder): Promise<({ readonly status: 'page' } & PayoutsPage) | NoAnswer> {
    return this.ask<{ status: 'page' } & PayoutsPage>(speaking, async (stripe, more) => {
      const { data, has_more: hasMore } = await stripe.payouts.list({ created: { gte: secondsOf(since) }, ...pageAfter(after) }, more);
      return { status: 'page', payouts: data.map(payoutOf).map(({ status: _status, ...payout }) => payout), ...nextOf(data, hasMore) };
    });
  }

  async linesOf({ type, reference, ...speaking }: ThingOrder): Promise<{ readonly status: 'lines'; readonly entries: readonly BalanceEntry[] } | { status: 'absent' } | NoAnswer> {
    const answer = await this.ask<{ status: 'lines'; entries: BalanceEntry[] }>(speaking, async (stripe, more) => ({ status: 'lines', entries: await entriesOf(stripe, type, reference, more) }));
    return answer.status === 'refused' && answer.code === NOT_FOUND ? { status: 'absent' } : answer;
  }

  balance({ from, to, payout, after, ...speaking }: BalanceOrder): Promise<({ readonly status: 'page' } & BalancePage) | NoAnswer> {
    return this.ask<{ status: 'page' } & BalancePage>(speaking, async (stripe, more) => {
      const { data, has_more: hasMore } = await stripe.balanceTransactions.list({ ...(from === undefined || to === undefined ? {} : { created: { gte: secondsOf(from), lt: secondsOf(to) } }), ...(payout === undefined ? {} : { payout }), ...pageAfter(after), expand: ['data.source'] }, more);
      return { status: 'page', entries: data.map(entryOf), ...nextOf(data, hasMore) };
    });
  }

  private async readIntent(stripe: Client, id: string, more: Stripe.RequestOptions): Promise<ChargeOutcome> {
    return outcomeOf(await stripe.paymentIntents.retrieve(id, { expand: EXPANDED }, more));
  }

  private async ask<T>(speaking: Speaking, work: (stripe: Client, more: Stripe.RequestOptions) => Promise<T>): Promise<T | NoAnswer> {
    let client: Client;
    try {
      client = await this.client(await this.options.account(speaking.tenant));
    } catch (error) {
      return { status: 'unavailable', isAnswer: true, reason: error instanceof Error ? error.message : String(error) };
    }
    const call: Call = { headers: this.options.headersOf?.(speaking) ?? {}, wasCut: false };
    try {
      return await this.calls.run(call, () => work(client, { timeout: this.options.timeoutMs }));
    } catch (error) {
      const answer = noAnswerOf(error);
      // The package has sent it twice: that nothing came of the second time says nothing of the first.
      return answer.status === 'unavailable' && call.wasCut ? { status: 'unknown', reason: answer.reason } : answer;
    }
  }

  private cut(error: unknown): never {
    const call = this.calls.getStore();
    if (call !== undefined && !wasNeverConnected(error)) call.wasCut = true;
    throw error;
  }

  private async client({ apiKey, url }: StripeAccount): Promise<Client> {
    const name = JSON.stringify([apiKey, url]);
    const known = this.clients.get(name);
    if (known !== undefined) return known;
    // Loaded when it is first needed: it is large, and not every installation charges.
    const { default: StripeClient } = await import('stripe');
    const at = url === undefined ? undefined : new URL(url);
    const http = StripeClient.createNodeHttpClient();
    const made = new StripeClient(apiKey, {
      httpClient: { getClientName: () => http.getClientName(), makeRequest: (host, port, path, method, headers, ...rest) => http.makeRequest(host, port, path, method, { ...headers, ...this.calls.getStore()?.headers }, ...rest).catch((error: unknown) => this.cut(error)) },
      apiVersion: STRIPE_VERSION, telemetry: false, maxNetworkRetries: 0, timeout: this.options.timeoutMs,
      ...(at === undefined ? {} : { host: at.hostname, port: at.port, protocol: at.protocol.replace(':', '') as 'http' | 'https' }),
    }) as unknown as Client;
    this.clients.set(name, made);
    return made;
  }
}

/** A page that is complete has a card, and the account that we named when we made it. */
const setupOf = ({ status, metadata, setup_intent: intent }: Stripe.Checkout.Session): SetupState => {
  const method = typeof intent === 'object' ? intent?.payment_method : undefined;
  const accountId = metadata?.['account'];
  if (status === 'complete' && typeof method === 'object' && method !== null && accountId !== undefined) {
    const { status: _attached, customer: _customer, createdAt: _createdAt, ...card } = detailsOf(method);
    return { status: 'complete', accountId, isDefault: metadata?.['default'] === 'true', method: card };
  }
  return { status: status === 'expired' ? 'expired' : 'open' };
};
const detailsOf = ({ id, customer, created, card }: Stripe.PaymentMethod): MethodDetails =>
  ({ status: 'attached', token: id, customer: idOf(customer), createdAt: instantOf(created), ...(card == null ? {} : { brand: card.brand, last4: card.last4, expires: `${card.exp_year}-${String(card.exp_month).padStart(2, '0')}` }) });

/** A decline is an answer, though the package throws it. */
const declineOf = (error: unknown): ChargeOutcome | undefined => {
  const { type, decline_code: bank, code, payment_intent: intent } = error as Stripe.errors.StripeError;
  if (type !== 'StripeCardError') return undefined;
  const name = bank ?? code ?? 'card_declined';
  if (name === AUTHENTICATION_REQUIRED && intent !== undefined) return { status: 'needs_customer', reference: intent.id };
  return { status: 'declined', code: name, class: declineClassOf(name), ...(intent === undefined ? {} : { reference: intent.id }) };
};

const tooFine = (currency: string): NoAnswer => ({ status: 'refused', code: AMOUNT_TOO_FINE, detail: takesSteps('the provider', currency, stripeStep(currency)) });
const absentIfMissing = (answer: Found): Found => (answer.status === 'refused' && answer.code === NOT_FOUND ? { status: 'absent' } : answer);

const outcomeOf = ({ id, status, amount_received: taken, currency, next_action: action, last_payment_error: failure, latest_charge: charge }: Stripe.PaymentIntent): ChargeOutcome => {
  if (status === 'succeeded') {
    // Of money that is changed into another currency the fee is in that one.
    const entry = typeof charge === 'object' && charge !== null && typeof charge.balance_transaction === 'object' ? charge.balance_transaction : undefined;
    return { status: 'succeeded', reference: id, amountMinor: fromStripe(taken, currency), currency: currency.toUpperCase(), ...(entry?.currency === currency ? { feeMinor: fromStripe(entry.fee, currency) } : {}) };
  }
  if (status === 'requires_action') return { status: 'requires_action', reference: id, url: action?.redirect_to_url?.url ?? '' };
  if (status === 'processing' || status === 'requires_capture') return { status: 'processing', reference: id };
  const code = status === 'canceled' ? 'cancelled' : failure?.decline_code ?? failure?.code ?? 'card_declined';
  if (code === AUTHENTICATION_REQUIRED) return { status: 'needs_customer', reference: id };
  return { status: 'declined', code, class: status === 'canceled' ? 'technical' : declineClassOf(code), reference: id };
};

const refundOf = ({ id, status, amount, currency, failure_reason: failure }: Stripe.Refund): RefundOutcome => {
  if (status === 'succeeded') return { status: 'succeeded', reference: id, amountMinor: fromStripe(amount, currency), currency: currency.toUpperCase() };
  return status === 'failed' || status === 'canceled' ? { status: 'failed', reference: id, code: failure ?? status } : { status: 'pending', reference: id };
};

const attemptKeyOf = (intent: string | Stripe.PaymentIntent | null): { attemptKey?: string } => {
  const attemptKey = typeof intent === 'object' ? intent?.metadata['attempt'] : undefined;
  return attemptKey === undefined ? {} : { attemptKey };
};
const listedRefundOf = (refund: Stripe.Refund): ProviderRefund => {
  const { id, amount, currency, metadata, payment_intent: intent } = refund;
  const outcome = refundOf(refund);
  return {
    reference: id, chargeReference: idOf(intent), amountMinor: fromStripe(amount, currency), currency: currency.toUpperCase(), state: outcome.status, ...attemptKeyOf(intent),
    ...(metadata?.['key'] === undefined ? {} : { key: metadata['key'] }), ...(outcome.status === 'failed' ? { code: outcome.code } : {}),
  };
};

/** A warning is an inquiry: https://docs.stripe.com/disputes/how-disputes-work#inquiries. */
const DISPUTE_STATUS: Readonly<Record<string, ProviderDispute['status']>> = {
  won: 'won', lost: 'lost', under_review: 'under_review', prevented: 'won', warning_needs_response: 'inquiry', warning_under_review: 'inquiry', warning_closed: 'inquiry_closed',
};
const PAYOUT_STATE: Readonly<Record<string, ProviderPayout['state']>> = { in_transit: 'in_transit', paid: 'paid', failed: 'failed', canceled: 'cancelled' };
const payoutOf = ({ id, amount, currency, status, created, arrival_date: arrival }: Stripe.Payout): ProviderPayout =>
  ({ status: 'found', reference: id, amountMinor: fromStripe(amount, currency), currency: currency.toUpperCase(), state: PAYOUT_STATE[status] ?? 'pending', createdAt: instantOf(created), arrivesAt: instantOf(arrival) });
const disputeOf = ({ id, payment_intent: intent, amount, currency, reason, status, evidence_details: evidence, balance_transactions: entries }: Stripe.Dispute): ProviderDispute => {
  const lines = entries?.filter((one) => one.currency === currency);
  return {
    reference: id, chargeReference: idOf(intent), amountMinor: fromStripe(amount, currency), currency: currency.toUpperCase(), reason, status: DISPUTE_STATUS[status] ?? 'needs_response',
    ...(lines === undefined || lines.length === 0 ? {} : { feeMinor: lines.reduce((sum, { fee }) => sum + fromStripe(fee, currency), 0n) }),
    ...(evidence?.due_by == null ? {} : { evidenceDueBy: instantOf(evidence.due_by) }), ...attemptKeyOf(intent),
  };
};
