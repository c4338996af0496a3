import { Body, Controller, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import { anything, decimal, flag, list, mapOf, nullable, object, oneOf, optional, period, planPhase, text, whole } from '@valueverse/contracts';
import { Allow, CurrentCaller, type Caller } from '@valueverse/auth';
import { Answers } from '@valueverse/platform';
import { BillingHost } from '../billing-host';
import { settingsAt } from '../settings/settings.model';
import { overrides, planTerms } from './domain/plan-terms';
import { readAll } from './domain/shape';
import { simulate, simulation, simulationFaults } from './domain/simulate';
import { refuseFaults, wanted } from './items.controller';
import { knownMetersOf } from './known-meters';
import { wantedPlan, wantedVersion } from './plan.model';

const LINE = object({
  chargeKey: optional(text()), name: text(), type: oneOf('recurring', 'usage', 'true_up'), window: optional(text()), dimensions: mapOf(text()), quantity: decimal(), billedQuantity: decimal(), amount: decimal(),
  steps: list(anything()),
});
const SIMULATED = object({
  planKey: text(), version: whole(1), currency: text(3), rounding: oneOf('half_up', 'half_even'), phase: nullable(planPhase), isTrial: flag(), aligned: nullable(period), lines: list(LINE), total: decimal(),
});

/** What quantities cost by a plan, before anybody is on it. */
@ApiTags('billing')
@Controller('api/v1/billing/plans')
export class SimulateController {
  constructor(@Inject(BillingHost) private readonly host: BillingHost) {}

  /**
   * By the functions that price invoices, with the steps of every line, before discounts and taxes; nothing is stored. Rounding is that of the settings in force now. Refuses with `plan_not_found`,
   * `currency_mismatch`, `phase_not_found`, `charge_not_found`, `window_not_found`, `events_expected`, `end_before_start`, `period_too_long`.
   */
  @Post(':key/simulate')
  @HttpCode(200)
  @Allow('billing:read')
  @ApiBody({ schema: simulation.json })
  @Answers(SIMULATED)
  simulate(@Param('key') key: string, @Body() body: unknown, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
    const asked = wanted(readAll(simulation, body));
    const { service } = this.host;
    return service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
      const plan = wantedVersion(await wantedPlan(tx, key), asked.version);
      const { currency = plan.currency, phaseKey } = asked;
      const own = asked.overrides === undefined ? undefined : wanted(readAll(overrides(plan, currency), asked.overrides, '/overrides'));
      const terms = planTerms(plan, { currency, ...(phaseKey === undefined ? {} : { phaseKey }), ...(own === undefined ? {} : { overrides: own }) });
      refuseFaults(simulationFaults(asked, terms.charges));
      const { rounding } = await settingsAt(tx, tenant, service.clock.now());
      const meters = await knownMetersOf(tx, tenant, terms.charges.flatMap(({ meterKey }) => meterKey ?? []));
      const aggregations = new Map([...meters].flatMap(([meterKey, { aggregation }]) => (aggregation === null ? [] : [[meterKey, aggregation] as const])));
      return { planKey: key, version: plan.version, rounding, ...simulate({ plan, terms, asked, rounding, aggregations }) };
    });
  }
}
