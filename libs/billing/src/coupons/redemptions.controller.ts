import { Body, Controller, Delete, Get, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { instant, nullable, object, oneOf, text, whole, type CouponCreated } from '@valueverse/contracts';
import { instruct, type Tx } from '@valueverse/event-log';
import type { IdSource } from '@valueverse/kernel';
import { Allow, contextOfCaller, CurrentCaller, type Caller } from '@valueverse/auth';
import { answerOnce, Answers, AnswersPage, created, Cursors, IDS, Key, listRows, ok, type Page, PageQuery, Problem, rowOf, type StoredAnswer } from '@valueverse/platform';
import { accountsModel, type AccountRow } from '../accounts/account.model';
import { BillingHost } from '../billing-host';
import { wantedItem } from '../catalog/items.controller';
import { clockTime } from '../clocks/clock-time';
import { subscriptionsOf } from '../subscriptions/subscription.model';
import type { RedemptionCommand } from './domain/redemption.decider';
import { countRedemption, redemptionDecider, redemptionsModel, usesOf, type RedemptionRow } from './redemptions';

class RedeemCouponDto {
  @Key() couponKey!: string;
}
const REDEMPTION = object({
  id: text(), accountId: text(), couponKey: text(), name: text(), status: oneOf('active', 'used_up', 'removed'), invoices: whole(), invoicesLeft: nullable(whole()), redeemedAt: instant(), removedAt: nullable(instant()),
});
const ROUTE = '/api/v1/billing/accounts/{id}/coupons';

/** The coupons that an account has redeemed. */
@ApiTags('billing')
@Controller('api/v1/billing/accounts/:id/coupons')
export class RedemptionsController {
  constructor(@Inject(BillingHost) private readonly host: BillingHost, @Inject(Cursors) private readonly cursors: Cursors, @Inject(IDS) private readonly ids: IdSource) {}

  /** From now on it lowers the account's invoices. Refuses with the codes of `countRedemption`. */
  @Post()
  @Allow('billing:write')
  @Answers(REDEMPTION, 201)
  redeem(@Param('id') accountId: string, @Body() { couponKey }: RedeemCouponDto, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { tenant } = caller;
    return answerOnce(this.host.service, { tenant, route: `POST ${ROUTE}`, request, reply }, async (tx) => {
      const account = await wantedAccount(tx, accountId);
      const at = await clockTime(tx, this.host.service.clock, account.testClockId);
      const currencies = [...new Set([account.currency, ...(await subscriptionsOf(tx, tenant, accountId)).map(({ started }) => started.currency)])];
      await countRedemption(tx, tenant, { couponKey, accountId, currencies, at });
      const redemptionId = this.ids.next('cpr');
      return this.change(tx, caller, account, { type: 'RedeemCoupon', redemptionId, couponKey, accountId, at }, (body) => created(`/api/v1/billing/accounts/${accountId}/coupons/${redemptionId}`, body));
    });
  }

  @Get()
  @Allow('billing:read')
  @AnswersPage(REDEMPTION)
  list(@Param('id') accountId: string, @Query() query: PageQuery, @CurrentCaller() { tenant }: Caller): Promise<Page<unknown>> {
    return this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
      await wantedAccount(tx, accountId);
      const page = await listRows<RedemptionRow, RedemptionRow>(tx, { model: redemptionsModel, query, cursors: this.cursors, filters: { account_id: accountId }, toApi: (row) => row });
      return { ...page, data: await Promise.all(page.data.map((row) => toApi(tx, row))) };
    });
  }

  @Get(':redemptionId')
  @Allow('billing:read')
  @Answers(REDEMPTION)
  get(@Param('id') accountId: string, @Param('redemptionId') redemptionId: string, @CurrentCaller() { tenant }: Caller): Promise<unknown> {
    return this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => toApi(tx, await wantedRedemption(tx, accountId, redemptionId)));
  }

  /** It lowers no further invoice, and still counts as redeemed. */
  @Delete(':redemptionId')
  @Allow('billing:write')
  @Answers(REDEMPTION)
  remove(@Param('id') accountId: string, @Param('redemptionId') redemptionId: string, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return answerOnce(this.host.service, { tenant: caller.tenant, route: `DELETE ${ROUTE}/{redemptionId}`, request, reply }, async (tx) => {
      await wantedRedemption(tx, accountId, redemptionId);
      const account = await wantedAccount(tx, accountId);
      return this.change(tx, caller, account, { type: 'RemoveCoupon', redemptionId, at: await clockTime(tx, this.host.service.clock, account.testClockId) }, ok);
    });
  }

  private async change(tx: Tx, caller: Caller, { accountId, testClockId }: AccountRow, command: RedemptionCommand, answered: (body: unknown) => StoredAnswer): Promise<StoredAnswer> {
    await this.host.service.log.execute(tx, [instruct(redemptionDecider, command, contextOfCaller(caller, command.at, testClockId))]);
    return answered(await toApi(tx, await wantedRedemption(tx, accountId, command.redemptionId)));
  }
}

const wantedAccount = async (tx: Tx, accountId: string): Promise<AccountRow> => {
  const row = await rowOf<AccountRow>(tx, accountsModel, accountId);
  if (row === undefined) throw new Problem(404, 'account_not_found', `there is no account ${accountId}`);
  return row;
};
const wantedRedemption = async (tx: Tx, accountId: string, redemptionId: string): Promise<RedemptionRow> => {
  const row = await rowOf<RedemptionRow>(tx, redemptionsModel, redemptionId);
  if (row?.accountId !== accountId) throw new Problem(404, 'redemption_not_found', `the account has no redemption ${redemptionId}`);
  return row;
};
const toApi = async (tx: Tx, { redemptionId: id, couponKey, accountId, redeemedAt, removedAt }: RedemptionRow): Promise<unknown> => {
  const { name, said: { periods } } = await wantedItem<CouponCreated>(tx, 'coupon', couponKey);
  const invoices = (await usesOf(tx, tx.tenant!, [id])).get(id) ?? 0;
  const status = removedAt !== null ? 'removed' : periods !== undefined && invoices >= periods ? 'used_up' : 'active';
  return { id, accountId, couponKey, name, status, invoices, invoicesLeft: periods === undefined ? null : Math.max(0, periods - invoices), redeemedAt, removedAt };
};
