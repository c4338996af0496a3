import { Body, Controller, HttpCode, Inject, Param, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { instant, list, object, oneOf, optional, text, whole } from '@valueverse/contracts';
import { Refused, type IdSource } from '@valueverse/kernel';
import type { Tx } from '@valueverse/event-log';
import { Allow, CurrentCaller, type Caller } from '@valueverse/auth';
import { accepted, answerOnce, Answers, IDS, ok, OneOf, rowOf, Whole } from '@valueverse/platform';
import { accountsModel, type AccountRow } from '../accounts/account.model';
import { BillingHost } from '../billing-host';
import { clockTime } from '../clocks/clock-time';
import { resolveChangeOf, type Subject } from './change-subscription';
import { yearlyPrice } from './domain/changes';
import { subscription as decider } from './domain/subscription.decider';
import { stretchAt, stretchesOf } from './domain/timeline';
import { movable, moveJobs, type Movable } from './moves';
import { wantedPlan } from './start-subscription';
import type { ChangeSpec } from './subscription-shapes';

class MoveDto {
  @Whole({ min: 1, description: 'The version that they come to be on' }) toVersion!: number;
  @Whole({ optional: true, min: 1, description: 'Only those on this version; all others than `toVersion` if not given' }) fromVersion?: number;
  @OneOf(['now', 'period_end'], { optional: true, description: 'When each of them is moved; at the end of its period if not given' }) at?: 'now' | 'period_end';
}
/** Subscriptions that a preview shows one by one. */
const SHOWN_MAX = 100;
const MOVE = object({ id: text(), planKey: text(), toVersion: whole(1), at: oneOf('now', 'period_end'), subscriptions: whole() });
const PREVIEW = object({
  planKey: text(), toVersion: whole(1), at: oneOf('now', 'period_end'), subscriptions: whole(),
  shown: list(object({ subscriptionId: text(), accountId: text(), currency: text(3), effectiveAt: optional(instant()), yearlyBefore: optional(text()), yearlyAfter: optional(text()), refused: optional(object({ code: text(), detail: text() })) })),
});

/** All subscriptions of a plan to one of its versions. */
@ApiTags('billing')
@Controller('api/v1/billing/plans/:key/moves')
export class MovesController {
  constructor(@Inject(BillingHost) private readonly host: BillingHost, @Inject(IDS) private readonly ids: IdSource) {}

  /** Moves them, each by a change of its own, one after the other in the background. Their runs are listed under `cycles`. Refuses with `plan_not_found`, `plan_archived`. */
  @Post()
  @HttpCode(202)
  @Allow('billing:write')
  @Answers(MOVE, 202)
  move(@Param('key') planKey: string, @Body() { toVersion, fromVersion, at = 'period_end' }: MoveDto, @CurrentCaller() { tenant }: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { service } = this.host;
    return answerOnce(service, { tenant, route: 'POST /api/v1/billing/plans/{key}/moves', request, reply }, async (tx) => {
      await wantedPlan(tx, planKey, toVersion);
      const id = this.ids.next('mov');
      const move = { planKey, toVersion, fromVersion, at };
      let subscriptions = 0;
      for await (const found of movable(tx, tenant, move, service.clock.now())) {
        if (found.length > 0) await service.jobs.schedule(tx, moveJobs(tenant, id, move, found));
        subscriptions += found.length;
      }
      return accepted({ id, planKey, toVersion, at, subscriptions });
    });
  }

  /** What a move would change, by the function that moves; nothing is stored. The first 100 are shown one by one; one that cannot be moved, as where the version has no price in its currency, says why. */
  @Post('preview')
  @HttpCode(200)
  @Allow('billing:read')
  @Answers(PREVIEW)
  preview(@Param('key') planKey: string, @Body() { toVersion, fromVersion, at = 'period_end' }: MoveDto, @CurrentCaller() { tenant }: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { service } = this.host;
    return answerOnce(service, { tenant, route: 'POST /api/v1/billing/plans/{key}/moves/preview', request, reply }, async (tx) => {
      await wantedPlan(tx, planKey, toVersion);
      const first: Movable[] = [];
      let subscriptions = 0;
      for await (const found of movable(tx, tenant, { planKey, toVersion, fromVersion }, service.clock.now())) {
        subscriptions += found.length;
        first.push(...found.slice(0, SHOWN_MAX - first.length));
      }
      const shown: unknown[] = [];
      for (const { row } of first) {
        const account = (await rowOf<AccountRow>(tx, accountsModel, row.started.accountId))!;
        const now = await clockTime(tx, service.clock, account.testClockId);
        const { subscriptionId, accountId, currency } = row.started;
        const moved = await this.movedTo(tx, tenant, { row, now, changeId: 'chg_preview' }, { planKey, planVersion: toVersion, at });
        shown.push({ subscriptionId, accountId, currency, ...moved });
      }
      return ok({ planKey, toVersion, at, subscriptions, shown });
    });
  }

  private async movedTo(tx: Tx, tenant: string, subject: Subject, spec: ChangeSpec): Promise<object> {
    try {
      const { row } = subject;
      const { command, catalogue, effectiveAt } = await resolveChangeOf(tx, tenant, subject, spec);
      decider.decide(command, row);
      const yearly = (subscription: Movable['row']): string => {
        const stretch = stretchAt(stretchesOf(subscription, catalogue.courses), effectiveAt);
        return stretch === undefined ? '0' : yearlyPrice(catalogue.chargesOf(stretch), stretch.terms.interval, stretch.terms.currency).toString();
      };
      const terms = command.type === 'ChangeSubscription' ? [{ changeId: '', at: effectiveAt, terms: command.terms }] : [];
      return { effectiveAt, yearlyBefore: yearly(row), yearlyAfter: yearly({ ...row, changes: [...row.changes, ...terms] }) };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return { refused: { code: error.code, detail: error.message } };
    }
  }
}
