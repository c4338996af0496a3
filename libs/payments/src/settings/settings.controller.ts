import { Body, Controller, Get, Inject, Put } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, CurrentCaller } from '@valueverse/auth';
import { Refused } from '@valueverse/kernel';
import { Answers, Field, ListOf, MoneyString, OneOf, Service, Text } from '@valueverse/platform';
import { decimal, list, object, oneOf, optional, text, whole } from '@valueverse/contracts';
import { requireCapability } from '../providers/capabilities';
import { Providers } from '../providers/provider';
import { PAYMENTS_SERVICE } from '../tokens';
import { keepSettings, type PaymentSettings, settingsOf } from './settings';

const RETRIES_MAX = 12;
const DAY_MAX = 60;
const RULES_MAX = 20;
const RULE = object({ provider: text(), currency: optional(text(3)), brand: optional(text()), amountFrom: optional(decimal()), amountTo: optional(decimal()) });
const SETTINGS = object({ retryDays: list(whole(1)), surplus: oneOf('refund', 'keep'), publicUrl: text(), routing: list(RULE), failover: oneOf('none', 'other_provider') });
const URL_LENGTH_MAX = 512;
/** An address alone: whatever is put behind it is ours. */
const addressRule = (value: unknown): { code: string; detail: string } | undefined =>
  (typeof value === 'string' && value.length <= URL_LENGTH_MAX && URL.canParse(value) && /^https?:\/\/[^/?#@]+\/?$/.test(value) ? undefined : { code: 'invalid_value', detail: 'an http or https address without a path is expected, https://pay.example.com' });
const daysRule = (value: unknown): { code: string; detail: string } | undefined =>
  (Array.isArray(value) && value.length <= RETRIES_MAX && value.every((day: unknown) => typeof day === 'number' && Number.isInteger(day) && day >= 1 && day <= DAY_MAX) ? undefined : { code: 'invalid_value', detail: `up to ${RETRIES_MAX} whole days from 1 to ${DAY_MAX} are expected` });

class NewRule {
  @Text({ max: 64, description: 'Through which provider' }) provider!: string;
  @Text({ optional: true, max: 3, description: 'Only payments in this currency', example: 'EUR' }) currency?: string;
  @Text({ optional: true, max: 64, description: 'Only cards of this network, as the provider names it', example: 'amex' }) brand?: string;
  @MoneyString({ optional: true, description: 'Only from this amount on, in the currency of the rule' }) amountFrom?: string;
  @MoneyString({ optional: true, description: 'Only below this amount' }) amountTo?: string;
}
class NewSettings {
  @Field(daysRule, { optional: true, description: 'Days after the first decline on which a soft decline is tried again, rising' }, { type: [Number] }) retryDays?: number[];
  @OneOf(['refund', 'keep'], { optional: true, description: 'What becomes of money that we took for an invoice that was paid in another way meanwhile' }) surplus?: 'refund' | 'keep';
  @Field(addressRule, { optional: true, description: 'Where customers reach this installation: the pages at which they pay, and to which the page of a bank leads back' }, { type: String, example: 'https://pay.example.com' }) publicUrl?: string;
  @ListOf(() => NewRule, { optional: true, max: RULES_MAX, description: 'Which provider a payment goes through, where an account has methods at several: the first rule that fits decides' }) routing?: NewRule[];
  @OneOf(['none', 'other_provider'], { optional: true, description: 'Whether a provider that has surely done nothing is replaced by another one, or waited for. Of which it is not known what it did it is never replaced' }) failover?: 'none' | 'other_provider';
}

/** How a tenant collects. */
@ApiTags('payments')
@Controller('api/v1/payments/settings')
export class SettingsController {
  constructor(@Inject(PAYMENTS_SERVICE) private readonly service: Service, @Inject(Providers) private readonly providers: Providers) {}

  @Get()
  @Allow('payments:read')
  @Answers(SETTINGS)
  get(@CurrentCaller() { tenant }: Caller): Promise<PaymentSettings> { return this.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => settingsOf(tx, tenant)); }

  /** Changes what is given. It counts from the next attempt on. Refuses with `days_not_rising`, `unknown_provider`, `charges_not_supported` and `amount_without_currency`. */
  @Put()
  @Allow('payments:write')
  @Answers(SETTINGS)
  put(@CurrentCaller() { tenant }: Caller, @Body() body: NewSettings): Promise<PaymentSettings> {
    if (body.retryDays?.some((day, nth, all) => nth > 0 && day <= all[nth - 1]!)) throw new Refused('days_not_rising', 'each day has to be later than the one before', '/retryDays');
    for (const [nth, rule] of (body.routing ?? []).entries()) this.check(rule, `/routing/${nth}`);
    return this.service.database.transaction({ role: 'api', tenant }, async (tx) => {
      const given = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined)) as Partial<PaymentSettings>;
      const settings: PaymentSettings = { ...await settingsOf(tx, tenant), ...given, ...(given.publicUrl === undefined ? {} : { publicUrl: given.publicUrl.replace(/\/$/, '') }) };
      await keepSettings(tx, tenant, settings);
      return settings;
    });
  }

  private check({ provider, currency, amountFrom, amountTo }: NewRule, pointer: string): void {
    requireCapability(this.providers.named(provider, `${pointer}/provider`), 'charges', `${pointer}/provider`);
    if (currency === undefined && (amountFrom ?? amountTo) !== undefined) throw new Refused('amount_without_currency', 'an amount is one of a currency', `${pointer}/currency`);
  }
}
