import { createHash } from 'node:crypto';
import { type IdSource, Refused } from '@valueverse/kernel';
import type { RawRoutes, Service } from '@valueverse/platform';
import { invoiceIn } from '../accounts/known-invoices';
import { payByHand } from '../collection/by-hand';
import { chargedFirst } from '../collection/charged-first';
import type { PaymentRow } from '../collection/payments';
import { isTooFine } from '../providers/amount-steps';
import type { PaymentProvider, Providers } from '../providers/provider';
import type { ProviderBook } from '../providers/provider-settings';
import { settingsOf } from '../settings/settings';
import { cardProvider, openCardPage } from './card-page';
import { PAY_PATH, type PayLink, readLink } from './link-token';
import { noSuchPage, PAGE_HEADERS, payPage, STYLE, type PayPage } from './pay-page';

const BODY_BYTES_MAX = 1_024;
const NOT_FOUND = 404;
const SEE_OTHER = 303;
/** The page of a provider leads back with this. */
const BACK = 'entered';
const HEADERS = { ...PAGE_HEADERS, 'content-security-policy': PAGE_HEADERS['content-security-policy']!.replace('STYLE', createHash('sha256').update(STYLE).digest('base64')) };
const PATHS: RawRoutes['paths'] = {
  '/api/v1/payments/pay/{token}': {
    get: { operationId: 'linksShow', tags: ['payments'], summary: 'The page at which a customer pays an invoice', security: [], parameters: [{ name: 'token', in: 'path', required: true, schema: { type: 'string' } }] as never[], responses: { 200: { description: 'HTML' }, 404: { description: 'HTML: the link is not valid, or not any more' } } as never },
    post: { operationId: 'linksPay', tags: ['payments'], summary: 'Pays it with the method on file', security: [], parameters: [{ name: 'token', in: 'path', required: true, schema: { type: 'string' } }] as never[], responses: { 303: { description: 'Back to the page' } } as never },
  },
  '/api/v1/payments/pay/{token}/card': {
    post: { operationId: 'linksCard', tags: ['payments'], summary: 'Leads a customer who has no card on file to the page of the provider at which one is entered', security: [], parameters: [{ name: 'token', in: 'path', required: true, schema: { type: 'string' } }] as never[], responses: { 200: { description: 'HTML' }, 303: { description: 'Back to the page' } } as never },
  },
};

/** Who is asked, and how tenants have set them up. */
export interface Asked { readonly providers: Providers; readonly book: ProviderBook }
const confirmOf = ({ attempts }: PaymentRow): Pick<PayPage, 'state' | 'confirmUrl'> => ({ state: 'confirm', ...(attempts.at(-1)?.url === undefined ? {} : { confirmUrl: attempts.at(-1)!.url! }) });
/** How stands what is paid ahead. */
const aheadOf = (payment: PaymentRow): PayPage => {
  const { amount, currency, status } = payment;
  const page = { amount, currency };
  if (status === 'requires_action') return { ...page, ...confirmOf(payment) };
  return { ...page, state: status === 'succeeded' ? 'ahead' : status === 'failed' || status === 'cancelled' ? 'declined' : 'under_way' };
};

/** How an invoice stands, and whose page is asked for where its account has no card. */
interface Standing extends PayPage { readonly card?: { readonly accountId: string; readonly provider: PaymentProvider; readonly publicUrl: string } }
const standing = (service: Service, { providers, book }: Asked, { tenant, invoiceId }: PayLink): Promise<Standing | undefined> => service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
  const invoice = await invoiceIn(tx, tenant, invoiceId);
  const { rows } = await tx.query<{ row: PaymentRow }>('SELECT row FROM payments WHERE tenant = $1 AND invoice_id = $2 ORDER BY sort_by DESC, key DESC LIMIT 1', [tenant, invoiceId]);
  const payment = rows[0]?.row;
  if (invoice === undefined) return payment?.creditId === undefined ? undefined : aheadOf(payment);
  const { currency, number, left } = invoice;
  const page = { number, amount: (left.isPositive() ? left.toString() : invoice.amountDue), currency };
  if (invoice.status !== 'issued') return { ...page, state: invoice.status };
  if (left.isZero()) return { ...page, state: 'paid' };
  if (payment?.status === 'requires_action') return { ...page, ...confirmOf(payment) };
  if (payment?.status === 'processing' || payment?.status === 'unknown' || (payment?.status === 'pending' && payment.attempts.length === 0)) return { ...page, state: 'under_way' };
  const method = (await chargedFirst(tx, tenant, [invoice.accountId]))(invoice.accountId, page);
  if (method === undefined) {
    const provider = await cardProvider(tx, { providers, book }, tenant, page);
    return provider === undefined ? { ...page, state: 'no_method' } : { ...page, state: 'no_card', card: { accountId: invoice.accountId, provider, publicUrl: (await settingsOf(tx, tenant)).publicUrl } };
  }
  return { ...page, state: isTooFine(providers.find(method.provider), left) ? 'too_fine' : 'due' };
});

const openCard = (service: Service, { accountId, provider, publicUrl }: NonNullable<Standing['card']>, { tenant, invoiceId }: PayLink, token: string, isBack = false): Promise<string | undefined> =>
  openCardPage(service, provider, { tenant, accountId, invoiceId, returnUrl: `${publicUrl}${PAY_PATH}/${token}?card=${BACK}` }, isBack);

/** Plain pages for customers, who have nothing but a link. */
export const linksRoutes = (service: Service, { providers, book }: Asked, ids: IdSource, key: Buffer): RawRoutes => ({
  paths: PATHS,
  register: (scope) => {
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: BODY_BYTES_MAX }, (_request, body, done) => done(null, body));
    scope.get(`${PAY_PATH}/:token`, async (request, reply) => {
      const { token } = request.params as { token: string };
      const link = readLink(token, key, service.clock.now());
      const page = link === undefined ? undefined : await standing(service, { providers, book }, link);
      const isBack = page?.card !== undefined && (request.query as { card?: unknown }).card === BACK;
      if (isBack) await openCard(service, page!.card!, link!, token, true);
      return reply.headers(HEADERS).code(page === undefined ? NOT_FOUND : 200).send(page === undefined ? noSuchPage() : payPage({ ...page, ...(isBack ? { state: 'card_entered' } : {}), cardPath: `${PAY_PATH}/${token}/card` }));
    });
    scope.post(`${PAY_PATH}/:token/card`, async (request, reply) => {
      const { token } = request.params as { token: string };
      const link = readLink(token, key, service.clock.now());
      if (link === undefined) return reply.headers(HEADERS).code(NOT_FOUND).send(noSuchPage());
      const page = await standing(service, { providers, book }, link);
      const cardUrl = page?.card === undefined ? undefined : await openCard(service, page.card, link, token);
      // A link and not a redirection: forms lead nowhere else.
      return cardUrl === undefined ? reply.code(SEE_OTHER).header('location', `${PAY_PATH}/${token}`).send() : reply.headers(HEADERS).send(payPage({ ...page!, state: 'enter_card', cardUrl }));
    });
    scope.post(`${PAY_PATH}/:token`, async (request, reply) => {
      const { token } = request.params as { token: string };
      const link = readLink(token, key, service.clock.now());
      if (link === undefined) return reply.headers(HEADERS).code(NOT_FOUND).send(noSuchPage());
      await service.log.transact({ role: 'api', tenant: link.tenant }, (tx) => payByHand({ tx, service, providers, ids, caller: { tenant: link.tenant, actor: 'customer:link' } }, { shares: [{ invoiceId: link.invoiceId }] })).catch((error: unknown) => {
        // What the page shows next says why.
        if (!(error instanceof Refused)) throw error;
      });
      return reply.code(SEE_OTHER).header('location', `${PAY_PATH}/${token}`).send();
    });
  },
});
