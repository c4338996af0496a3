import { derivedId } from '@valueverse/kernel';
import type { Tx } from '@valueverse/event-log';
import type { Service } from '@valueverse/platform';
import { accountOf } from '../accounts/known-accounts';
import type { Collected } from '../collection/domain/routing';
import { routed } from '../collection/domain/routing';
import { LOOK_AT_SETUP, setupLook, type SetupPayload } from '../methods/setup-jobs';
import { customerOf } from '../providers/customers';
import type { PaymentProvider, Providers } from '../providers/provider';
import type { ProviderBook } from '../providers/provider-settings';
import { SANDBOX } from '../providers/sandbox/sandbox';
import { settingsOf } from '../settings/settings';

/** Who is asked for a page at which a card is entered: what a tenant has set up, by its rules; the sandbox where that is all it has set up, and nobody where it has set up nothing. */
export const cardProvider = async (tx: Tx, { providers, book }: { readonly providers: Providers; readonly book: ProviderBook }, tenant: string, what: Collected): Promise<PaymentProvider | undefined> => {
  const setUp = (await book.list(tx, tenant)).filter(({ provider, hasApiKey }) => hasApiKey || provider === SANDBOX).map(({ provider }) => provider);
  const real = setUp.filter((name) => name !== SANDBOX);
  const { routing } = await settingsOf(tx, tenant);
  const [first] = routed((real.length === 0 ? setUp : real).map((provider) => ({ methodId: provider, provider })), routing, what);
  return first === undefined ? undefined : providers.find(first.provider);
};

/** The account that a card is for, of an invoice, and where its page leads back to. */
export interface CardWanted { readonly tenant: string; readonly accountId: string; readonly invoiceId: string; readonly returnUrl: string }
const MINUTE_LENGTH = 16;
const DAY_LENGTH = 10;

/**
 * The page of a provider at which the customer of an account without a card enters one, however often it is asked for on a day; `undefined` where the provider does not answer now. What is entered is looked at later, as for any such page, and at once where
 * the customer `isBack`. The first card of an account is charged for what waits for one.
 */
export const openCardPage = async (service: Service, provider: PaymentProvider, { tenant, accountId, invoiceId, returnUrl }: CardWanted, isBack = false): Promise<string | undefined> => {
  const { signal } = new AbortController();
  const { now, clockId, currency } = await accountOf(service, tenant, accountId);
  const who = await customerOf(service, provider, { tenant, accountId, now }, signal);
  if (who.status !== 'made') return undefined;
  // A card that came and went has used its page up.
  const before = await service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => (await tx.query<{ count: bigint }>('SELECT count(*) FROM payment_methods WHERE tenant = $1 AND account_id = $2', [tenant, accountId])).rows[0]!.count);
  const setupId = derivedId('set', tenant, invoiceId, returnUrl, String(before), now.slice(0, DAY_LENGTH));
  const page = await provider.setup({ tenant, now, key: `set:${setupId}`, setupId, accountId, customer: who.reference, currency, isDefault: true, returnUrl }, signal);
  if (page.status !== 'open') return undefined;
  const of = { tenant, now, ...(clockId === undefined ? {} : { clockId }) };
  const { reference } = page;
  const atOnce = { id: derivedId('job', LOOK_AT_SETUP, tenant, reference, 'back', now.slice(0, MINUTE_LENGTH)), kind: LOOK_AT_SETUP, tenant, clockId, dueAt: now, payload: { provider: provider.name, reference, look: null } satisfies SetupPayload };
  await service.database.transaction({ role: 'api', tenant }, (tx) => service.jobs.schedule(tx, [setupLook(of, { provider: provider.name, reference, look: 0 }), ...(isBack ? [atOnce] : [])]));
  return page.url;
};
