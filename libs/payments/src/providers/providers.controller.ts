import { Body, Controller, Get, Inject, Param, Put } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, CurrentCaller } from '@valueverse/auth';
import type { IdSource } from '@valueverse/kernel';
import { Answers, Field, IDS, Service, Text } from '@valueverse/platform';
import { flag, list, nullable, object, text, whole } from '@valueverse/contracts';
import { changePolls } from '../changes/poll-changes';
import { payoutPoll } from '../payouts/poll-payouts';
import { PAYMENTS_SERVICE } from '../tokens';
import { requireCapability } from './capabilities';
import { Providers } from './provider';
import { SANDBOX } from './sandbox/sandbox';
import { ProviderBook, type ProviderSettings } from './provider-settings';

const SECRETS_MAX = 2;
const SECRET_LENGTH_MIN = 16;
const secretsRule = (value: unknown): { code: string; detail: string } | undefined =>
  (Array.isArray(value) && value.length >= 1 && value.length <= SECRETS_MAX && value.every((one: unknown) => typeof one === 'string' && one.length >= SECRET_LENGTH_MIN && one.length <= 256)
    ? undefined : { code: 'invalid_value', detail: `one or two secrets of ${SECRET_LENGTH_MIN} to 256 characters are expected` });
class NewCredentials {
  @Text({ optional: true, description: 'The secret key of your account at the provider; it is never answered' }) apiKey?: string;
  @Field(secretsRule, { optional: true, description: 'What the provider signs its webhooks with; two in the time of a change. They are never answered' }, { type: [String] }) webhookSecrets?: string[];
  @Text({ optional: true, description: 'Your account at the provider: webhooks about another one are refused' }) account?: string;
}
interface Answer extends ProviderSettings { readonly webhookPath: string }
const PROVIDER = object({ provider: text(), endpointId: text(), account: nullable(text()), hasApiKey: flag(), webhookSecrets: whole(0), webhookPath: text() });
const toAnswer = (settings: ProviderSettings): Answer => ({ ...settings, webhookPath: `/api/v1/payments/webhooks/${settings.provider}/${settings.endpointId}` });

/** The providers of a tenant. `webhookPath` is the URL to paste there, behind the address of this installation. */
@ApiTags('payments')
@Controller('api/v1/payments/providers')
export class ProvidersController {
  constructor(@Inject(PAYMENTS_SERVICE) private readonly service: Service, @Inject(Providers) private readonly providers: Providers, @Inject(ProviderBook) private readonly book: ProviderBook, @Inject(IDS) private readonly ids: IdSource) {}

  @Get()
  @Allow('payments:read')
  @Answers(object({ data: list(PROVIDER) }))
  list(@CurrentCaller() { tenant }: Caller): Promise<{ data: Answer[] }> {
    return this.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => ({ data: (await this.book.list(tx, tenant)).map(toAnswer) }));
  }

  /** Sets a provider up, or changes what is given. Once there is a key it is asked for payouts every day, and for what is new of refunds and disputes every hour. Refuses with `unknown_provider`, and with `webhooks_not_supported` one that has no account and announces nothing: what comes in by hand. */
  @Put(':provider')
  @Allow('payments:write')
  @Answers(PROVIDER)
  put(@CurrentCaller() { tenant }: Caller, @Param('provider') provider: string, @Body() body: NewCredentials): Promise<Answer> {
    requireCapability(this.providers.named(provider), 'webhooks');
    return this.service.database.transaction({ role: 'api', tenant }, async (tx) => {
      const settings = await this.book.put(tx, tenant, provider, { endpointId: this.ids.next('whe'), ...(provider === SANDBOX ? { account: tenant } : {}), ...body });
      // The sandbox takes everybody's word for who they are.
      const now = this.service.clock.now();
      if (settings.hasApiKey || provider === SANDBOX) await this.service.jobs.schedule(tx, [payoutPoll(tenant, provider, now), ...changePolls(tenant, provider, now)]);
      return toAnswer(settings);
    });
  }
}
