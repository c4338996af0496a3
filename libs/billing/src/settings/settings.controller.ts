import { Body, Controller, Get, Inject, Put, Query, Req, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { instant, list, nullable, object, oneOf, text } from '@valueverse/contracts';
import { instruct } from '@valueverse/event-log';
import { Allow, contextOfCaller, CurrentCaller, type Caller } from '@valueverse/auth';
import { answerOnce, Answers, InstantField, ok } from '@valueverse/platform';
import { BillingHost } from '../billing-host';
import { readAll } from '../catalog/domain/shape';
import { wanted } from '../catalog/items.controller';
import { refuseUnknownReferences } from '../catalog/references';
import { DEFAULT_SETTINGS, settingsInForce, settingsShape, type SettingsVersion } from './domain/settings.decider';
import { settingsDecider, settingsVersions } from './settings.model';

class SettingsQuery {
  @InstantField({ optional: true, description: 'As they are in force then; now if not given' }) at?: string;
}
const SETTINGS = object({
  rounding: oneOf('half_up', 'half_even'), taxRounding: oneOf('invoice', 'line'), inclusiveRounding: oneOf('net', 'tax'), gracePeriod: text(), paymentTerms: text(), taxRateKeys: list(text()),
  zeroAmountInvoices: oneOf('issue', 'skip'), lostDisputes: oneOf('reopen', 'write_off', 'leave_paid'), validFrom: nullable(instant()), changedAt: nullable(instant()),
});
const toApi = (version: SettingsVersion | undefined): unknown => ({ ...DEFAULT_SETTINGS, ...version?.settings, validFrom: version?.validFrom ?? null, changedAt: version?.changedAt ?? null });
const ROUTE = '/api/v1/billing/settings';

/** How a tenant bills: rounding, grace period, terms, taxes, lost disputes. Each invoice is made by what is in force at its time. */
@ApiTags('billing')
@Controller('api/v1/billing/settings')
export class SettingsController {
  constructor(@Inject(BillingHost) private readonly host: BillingHost) {}

  @Get()
  @Allow('billing:read')
  @Answers(SETTINGS)
  get(@Query() { at }: SettingsQuery, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
    const { service } = this.host;
    return service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => toApi(settingsInForce(await settingsVersions(tx, tenant), at ?? service.clock.now())));
  }

  /** Everything that was said, in the order in which it was said. */
  @Get('versions')
  @Allow('billing:read')
  @Answers(object({ data: list(SETTINGS) }))
  versions(@CurrentCaller() { tenant }: Caller): Promise<unknown> {
    return this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => ({ data: (await settingsVersions(tx, tenant)).map(toApi) }));
  }

  /** All of them: what is not said is the default. In force from `validFrom` on; from now on where it is not said, and from the beginning where nothing was said before. */
  @Put()
  @Allow('billing:write')
  @ApiBody({ schema: settingsShape.json })
  @Answers(SETTINGS)
  async put(@Body() body: unknown, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { validFrom, ...said } = wanted(readAll(settingsShape, body));
    const settings = { ...DEFAULT_SETTINGS, ...said };
    const { service } = this.host;
    const { tenant } = caller;
    await refuseUnknownReferences(service, tenant, settings.taxRateKeys.map((key, index) => ({ kind: 'tax_rate', key, pointer: `/taxRateKeys/${index}` })));
    return answerOnce(service, { tenant, route: `PUT ${ROUTE}`, request, reply }, async (tx) => {
      const at = service.clock.now();
      await service.log.execute(tx, [instruct(settingsDecider, { type: 'ChangeSettings', settings, at, ...(validFrom === undefined ? {} : { validFrom }) }, contextOfCaller(caller, at))]);
      return ok(toApi((await settingsVersions(tx, tenant)).at(-1)));
    });
  }
}
