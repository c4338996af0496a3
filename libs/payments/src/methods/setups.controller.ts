import { Body, Controller, Inject, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, CurrentCaller } from '@valueverse/auth';
import type { IdSource } from '@valueverse/kernel';
import { answerOnce, Answers, created, Field, Flag, IDS, Problem, Service, Text } from '@valueverse/platform';
import { object, text } from '@valueverse/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { accountOf, type KnownAccount } from '../accounts/known-accounts';
import { requireCapability } from '../providers/capabilities';
import { customerOf } from '../providers/customers';
import { type NoAnswer, type PaymentProvider, Providers } from '../providers/provider';
import { settingsOf } from '../settings/settings';
import { PAYMENTS_SERVICE } from '../tokens';
import { setupLook } from './setup-jobs';

const RETRY_AFTER_SECONDS = 5;
const URL_LENGTH_MAX = 2_048;
const returnRule = (value: unknown): { code: string; detail: string } | undefined =>
  (typeof value === 'string' && value.length <= URL_LENGTH_MAX && URL.canParse(value) && /^https?:\/\//.test(value) ? undefined : { code: 'invalid_value', detail: 'an http or https URL is expected' });
class NewPage {
  @Text({ description: 'The account whose customer comes to the page' }) accountId!: string;
  @Text({ max: 64, description: 'Whose page it is', example: 'stripe' }) provider!: string;
  @Field(returnRule, { optional: true, description: 'Where the page leads back to; `publicUrl` of the settings when it is not given' }, { type: String, example: 'https://shop.example.com/account' }) returnUrl?: string;
}
class NewSetup extends NewPage {
  @Flag({ optional: true, description: 'Charge the card from now on; the first method of an account is charged in any case' }) default?: boolean;
}
interface Page { readonly account: KnownAccount; readonly provider: PaymentProvider; readonly customer: string; readonly returnUrl: string }

const { signal } = new AbortController();
const noAnswer = (answer: NoAnswer): Error => (answer.status === 'refused'
  ? new Problem(409, 'provider_refused', `the provider refuses it: ${answer.detail}`)
  : new Problem(503, 'provider_unavailable', 'the payment provider does not answer', { retryAfterSeconds: RETRY_AFTER_SECONDS }));

/** Pages of a provider for our customers: no card number comes near us. */
@ApiTags('payments')
@Controller('api/v1/payments')
export class SetupsController {
  constructor(@Inject(PAYMENTS_SERVICE) private readonly service: Service, @Inject(Providers) private readonly providers: Providers, @Inject(IDS) private readonly ids: IdSource) {}

  /**
   * A page at which a customer enters a card and confirms that it may be charged later: Checkout at Stripe. The card is attached when the customer is done; `GET /payments/methods` has it then.
   * Refuses with `unknown_provider`, `pages_not_supported`, `account_not_found`, `provider_refused`, and 503 `provider_unavailable`.
   */
  @Post('methods/setups')
  @Allow('payments:write')
  @Answers(object({ id: text(), url: text() }), 201)
  async setUp(@CurrentCaller() { tenant }: Caller, @Body() body: NewSetup, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { account, provider, customer, returnUrl } = await this.page(tenant, body);
    const setupId = this.ids.next('set');
    const { accountId, currency, now, clockId } = account;
    const page = await provider.setup({ tenant, now, key: `set:${setupId}`, setupId, accountId, customer, currency, isDefault: body.default === true, returnUrl }, signal);
    if (page.status !== 'open') throw noAnswer(page);
    return answerOnce(this.service, { tenant, route: 'POST /api/v1/payments/methods/setups', request, reply }, async (tx) => {
      await this.service.jobs.schedule(tx, [setupLook({ tenant, now, ...(clockId === undefined ? {} : { clockId }) }, { provider: provider.name, reference: page.reference, look: 0 })]);
      return created(`/api/v1/payments/methods?accountId=${accountId}`, { id: setupId, url: page.url });
    });
  }

  /** A page at which a customer sees and changes what the provider has of them: the Billing Portal of Stripe. Refuses as the one above. */
  @Post('portal')
  @Allow('payments:write')
  @Answers(object({ url: text() }), 201)
  async portal(@CurrentCaller() { tenant }: Caller, @Body() body: NewPage): Promise<{ url: string }> {
    const { account, provider, customer, returnUrl } = await this.page(tenant, body);
    const page = await provider.portal({ tenant, now: account.now, customer, returnUrl }, signal);
    if (page.status !== 'open') throw noAnswer(page);
    return { url: page.url };
  }

  private async page(tenant: string, { accountId, provider: name, returnUrl }: NewPage): Promise<Page> {
    const provider = this.providers.named(name, '/provider');
    requireCapability(provider, 'pages', '/provider');
    const account = await accountOf(this.service, tenant, accountId);
    const who = await customerOf(this.service, provider, { tenant, accountId, now: account.now }, signal);
    if (who.status !== 'made') throw noAnswer(who);
    const back = returnUrl ?? (await this.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => settingsOf(tx, tenant))).publicUrl;
    return { account, provider, customer: who.reference, returnUrl: back };
  }
}
