import { Body, Controller, Get, Inject, Put } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, CurrentCaller } from '@valueverse/auth';
import { Refused } from '@valueverse/kernel';
import { Answers, Field, OneOf, Service } from '@valueverse/platform';
import { list, object, oneOf, text, whole } from '@valueverse/contracts';
import { PAYMENTS_SERVICE } from '../tokens';
import { keepSettings, type PaymentSettings, settingsOf } from './settings';

const RETRIES_MAX = 12;
const DAY_MAX = 60;
const SETTINGS = object({ retryDays: list(whole(1)), surplus: oneOf('refund', 'keep'), publicUrl: text() });
const URL_LENGTH_MAX = 512;
/** An address alone: whatever is put behind it is ours. */
const addressRule = (value: unknown): { code: string; detail: string } | undefined =>
  (typeof value === 'string' && value.length <= URL_LENGTH_MAX && URL.canParse(value) && /^https?:\/\/[^/?#@]+\/?$/.test(value) ? undefined : { code: 'invalid_value', detail: 'an http or https address without a path is expected, https://pay.example.com' });
const daysRule = (value: unknown): { code: string; detail: string } | undefined =>
  (Array.isArray(value) && value.length <= RETRIES_MAX && value.every((day: unknown) => typeof day === 'number' && Number.isInteger(day) && day >= 1 && day <= DAY_MAX) ? undefined : { code: 'invalid_value', detail: `up to ${RETRIES_MAX} whole days from 1 to ${DAY_MAX} are expected` });

class NewSettings {
  @Field(daysRule, { optional: true, description: 'Days after the first decline on which a soft decline is tried again, rising' }, { type: [Number] }) retryDays?: number[];
  @OneOf(['refund', 'keep'], { optional: true, description: 'What becomes of money that we took for an invoice that was paid in another way meanwhile' }) surplus?: 'refund' | 'keep';
  @Field(addressRule, { optional: true, description: 'Where customers reach this installation: the pages at which they pay, and to which the page of a bank leads back' }, { type: String, example: 'https://pay.example.com' }) publicUrl?: string;
}

/** How a tenant collects. */
@ApiTags('payments')
@Controller('api/v1/payments/settings')
export class SettingsController {
  constructor(@Inject(PAYMENTS_SERVICE) private readonly service: Service) {}

  @Get()
  @Allow('payments:read')
  @Answers(SETTINGS)
  get(@CurrentCaller() { tenant }: Caller): Promise<PaymentSettings> { return this.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => settingsOf(tx, tenant)); }

  /** Changes what is given. It counts from the next decline on. Refuses with `days_not_rising`. */
  @Put()
  @Allow('payments:write')
  @Answers(SETTINGS)
  put(@CurrentCaller() { tenant }: Caller, @Body() body: NewSettings): Promise<PaymentSettings> {
    if (body.retryDays?.some((day, nth, all) => nth > 0 && day <= all[nth - 1]!)) throw new Refused('days_not_rising', 'each day has to be later than the one before', '/retryDays');
    return this.service.database.transaction({ role: 'api', tenant }, async (tx) => {
      const settings: PaymentSettings = { ...await settingsOf(tx, tenant), ...(body.retryDays === undefined ? {} : { retryDays: body.retryDays }), ...(body.surplus === undefined ? {} : { surplus: body.surplus }), ...(body.publicUrl === undefined ? {} : { publicUrl: body.publicUrl.replace(/\/$/, '') }) };
      await keepSettings(tx, tenant, settings);
      return settings;
    });
  }
}
