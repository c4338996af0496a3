import { createHash } from 'node:crypto';
import { type IdSource, Refused } from '@valueverse/kernel';
import type { RawRoutes, Service } from '@valueverse/platform';
import { invoiceIn } from '../accounts/known-invoices';
import { payByHand } from '../collection/by-hand';
import { chargedFirst } from '../collection/charged-first';
import type { PaymentRow } from '../collection/payments';
import { isTooFine } from '../providers/amount-steps';
import type { Providers } from '../providers/provider';
import { PAY_PATH, type PayLink, readLink } from './link-token';
import { noSuchPage, PAGE_HEADERS, payPage, STYLE, type PayPage } from './pay-page';

const BODY_BYTES_MAX = 1_024;
const NOT_FOUND = 404;
const SEE_OTHER = 303;
const HEADERS = { ...PAGE_HEADERS, 'content-security-policy': PAGE_HEADERS['content-security-policy']!.replace('STYLE', createHash('sha256').update(STYLE).digest('base64')) };
const PATHS: RawRoutes['paths'] = {
  '/api/v1/payments/pay/{token}': {
    get: { operationId: 'linksShow', tags: ['payments'], summary: 'The page at which a customer pays an invoice', security: [], parameters: [{ name: 'token', in: 'path', required: true, schema: { type: 'string' } }] as never[], responses: { 200: { description: 'HTML' }, 404: { description: 'HTML: the link is not valid, or not any more' } } as never },
    post: { operationId: 'linksPay', tags: ['payments'], summary: 'Pays it with the method on file', security: [], parameters: [{ name: 'token', in: 'path', required: true, schema: { type: 'string' } }] as never[], responses: { 303: { description: 'Back to the page' } } as never },
  },
};

const confirmOf = ({ attempts }: PaymentRow): Pick<PayPage, 'state' | 'confirmUrl'> => ({ state: 'confirm', ...(attempts.at(-1)?.url === undefined ? {} : { confirmUrl: attempts.at(-1)!.url! }) });
/** How stands what is paid ahead. */
const aheadOf = (payment: PaymentRow): PayPage => {
  const { amount, currency, status } = payment;
  const page = { amount, currency };
  if (status === 'requires_action') return { ...page, ...confirmOf(payment) };
  return { ...page, state: status === 'succeeded' ? 'ahead' : status === 'failed' || status === 'cancelled' ? 'declined' : 'under_way' };
};

/** How an invoice stands for its customer. */
const standing = (service: Service, providers: Providers, { tenant, invoiceId }: PayLink): Promise<PayPage | undefined> => service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
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
  if (method === undefined) return { ...page, state: 'no_method' };
  return { ...page, state: isTooFine(providers.find(method.provider), left) ? 'too_fine' : 'due' };
});

/** Plain pages for customers, who have nothing but a link. */
export const linksRoutes = (service: Service, providers: Providers, ids: IdSource, key: Buffer): RawRoutes => ({
  paths: PATHS,
  register: (scope) => {
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: BODY_BYTES_MAX }, (_request, body, done) => done(null, body));
    scope.get(`${PAY_PATH}/:token`, async (request, reply) => {
      const link = readLink((request.params as { token: string }).token, key, service.clock.now());
      const page = link === undefined ? undefined : await standing(service, providers, link);
      return reply.headers(HEADERS).code(page === undefined ? NOT_FOUND : 200).send(page === undefined ? noSuchPage() : payPage(page));
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
