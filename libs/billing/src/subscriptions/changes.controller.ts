import { Body, Controller, Delete, HttpCode, Inject, Param, Post, Req, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { instant, object, optional } from '@valueverse/contracts';
import { instruct, type Instruction, type Tx } from '@valueverse/event-log';
import { derivedId, laterOf, Money, type IdSource } from '@valueverse/kernel';
import { Allow, contextOfCaller, CurrentCaller, type Caller } from '@valueverse/auth';
import { answerOnce, Answers, created, IDS, ok, Problem, rowOf } from '@valueverse/platform';
import { BillingHost } from '../billing-host';
import { wanted } from '../catalog/items.controller';
import { readAll, type Shape } from '../catalog/domain/shape';
import { billSubscriptions, type Bill } from '../invoicing/bill-subscription';
import { interimBill, interimReaction } from '../invoicing/interim';
import { invoiceToApi } from '../invoicing/invoice-api';
import { INVOICE, UPCOMING_INVOICE } from '../invoicing/invoice-schema';
import { invoicesModel, type InvoiceRow } from '../invoicing/invoice.model';
import { previewDraft, previewToApi } from '../invoicing/preview';
import { resolveCancelOf, resolveChangeOf, resolvePauseOf, resolveReactivateOf, resolveResumeOf, type Resolved, type Subject } from './change-subscription';
import { foreseen } from './domain/foreseen';
import { heldSubscription, knownSubscription } from './known-subscription';
import { SUBSCRIPTION, subscriptionToApi } from './subscription-api';
import { cancelShape, changeShape, pauseShape, resumeShape } from './subscription-shapes';
import { subscriptionDecider } from './subscription.model';

/** What the change comes to: the subscription as it would be, and the invoice of the moment of the change. */
const CHANGE_PREVIEW = object({ effectiveAt: instant(), subscription: SUBSCRIPTION, invoice: optional(UPCOMING_INVOICE) });

type Resolve<Spec> = (tx: Tx, tenant: string, subject: Subject, spec: Spec) => Promise<Resolved>;
interface Asked<Spec> { readonly id: string; readonly body: unknown; readonly shape: Shape<Spec>; readonly resolve: Resolve<Spec> }
const NOTHING: Shape<Record<string, never>> = { json: { type: 'object' }, read: () => ({}) };

/** What happens to a subscription after its start. Each change and its preview are the same function. */
@ApiTags('billing')
@Controller('api/v1/billing/subscriptions/:id')
export class ChangesController {
  constructor(@Inject(BillingHost) private readonly host: BillingHost, @Inject(IDS) private readonly ids: IdSource) {}

  /**
   * Another plan or version, quantity, add-ons, overrides, anchor or zone. Without `at` a higher yearly price comes now, a lower one at the end of the period. Refuses with `nothing_changes`, `before_start`, `too_far_ahead`, `before_last_change`,
   * `usage_billed`, `period_closed`, `after_cancellation`, `currency_mismatch`, `plan_not_found`, `add_on_not_found`.
   */
  @Post('change')
  @HttpCode(200)
  @Allow('billing:write')
  @ApiBody({ schema: changeShape.json })
  @Answers(SUBSCRIPTION)
  change(@Param('id') id: string, @Body() body: unknown, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return this.execute('change', { id, body, shape: changeShape, resolve: resolveChangeOf }, caller, request, reply);
  }

  @Post('change/preview')
  @HttpCode(200)
  @Allow('billing:read')
  @ApiBody({ schema: changeShape.json })
  @Answers(CHANGE_PREVIEW)
  previewChange(@Param('id') id: string, @Body() body: unknown, @CurrentCaller() caller: Caller): Promise<unknown> { return this.preview({ id, body, shape: changeShape, resolve: resolveChangeOf }, caller); }

  /** A change that has not come yet will not come. Refuses with `change_not_found` and `change_has_come`. */
  @Delete('changes/:changeId')
  @Allow('billing:write')
  @Answers(SUBSCRIPTION)
  drop(@Param('id') id: string, @Param('changeId') changeId: string, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const resolve: Resolve<unknown> = async (tx, tenant, { row, now }) => ({ ...(await resolveReactivateOf(tx, tenant, { row, now, changeId })), command: { type: 'DropChange', subscriptionId: id, changeId, at: now } });
    return this.execute('changes/drop', { id, body: {}, shape: NOTHING, resolve }, caller, request, reply);
  }

  /** Ends it: at the end of the period where nothing is said, and then nothing is given back; `now` gives back what is unused. Refuses with `subscription_ended`, `before_start`, `too_far_ahead`, `before_last_change`, `usage_billed`, `period_closed`. */
  @Post('cancel')
  @HttpCode(200)
  @Allow('billing:write')
  @ApiBody({ schema: cancelShape.json })
  @Answers(SUBSCRIPTION)
  cancel(@Param('id') id: string, @Body() body: unknown, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return this.execute('cancel', { id, body, shape: cancelShape, resolve: resolveCancelOf }, caller, request, reply);
  }

  @Post('cancel/preview')
  @HttpCode(200)
  @Allow('billing:read')
  @ApiBody({ schema: cancelShape.json })
  @Answers(CHANGE_PREVIEW)
  previewCancel(@Param('id') id: string, @Body() body: unknown, @CurrentCaller() caller: Caller): Promise<unknown> { return this.preview({ id, body, shape: cancelShape, resolve: resolveCancelOf }, caller); }

  /** Takes a cancellation back, or goes on from now where it has ended. Refuses with `not_cancelled`. */
  @Post('reactivate')
  @HttpCode(200)
  @Allow('billing:write')
  @Answers(SUBSCRIPTION)
  reactivate(@Param('id') id: string, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return this.execute('reactivate', { id, body: {}, shape: NOTHING, resolve: resolveReactivateOf }, caller, request, reply);
  }

  /** Until it is resumed, or `until` comes: not billed (`stop`), or billed on (`continue`). Refuses with `already_paused`, `end_before_start`, `before_start`, `too_far_ahead`, `usage_billed`, `period_closed`, `after_cancellation`. */
  @Post('pause')
  @HttpCode(200)
  @Allow('billing:write')
  @ApiBody({ schema: pauseShape.json })
  @Answers(SUBSCRIPTION)
  pause(@Param('id') id: string, @Body() body: unknown, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return this.execute('pause', { id, body, shape: pauseShape, resolve: resolvePauseOf }, caller, request, reply);
  }

  @Post('pause/preview')
  @HttpCode(200)
  @Allow('billing:read')
  @ApiBody({ schema: pauseShape.json })
  @Answers(CHANGE_PREVIEW)
  previewPause(@Param('id') id: string, @Body() body: unknown, @CurrentCaller() caller: Caller): Promise<unknown> { return this.preview({ id, body, shape: pauseShape, resolve: resolvePauseOf }, caller); }

  /** Refuses with `not_paused`. */
  @Post('resume')
  @HttpCode(200)
  @Allow('billing:write')
  @ApiBody({ schema: resumeShape.json })
  @Answers(SUBSCRIPTION)
  resume(@Param('id') id: string, @Body() body: unknown, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return this.execute('resume', { id, body, shape: resumeShape, resolve: resolveResumeOf }, caller, request, reply);
  }

  @Post('resume/preview')
  @HttpCode(200)
  @Allow('billing:read')
  @ApiBody({ schema: resumeShape.json })
  @Answers(CHANGE_PREVIEW)
  previewResume(@Param('id') id: string, @Body() body: unknown, @CurrentCaller() caller: Caller): Promise<unknown> { return this.preview({ id, body, shape: resumeShape, resolve: resolveResumeOf }, caller); }

  /** Bills the usage of the present period so far, by an invoice of its own; the invoice of the period charges the whole less that. Refuses with `nothing_to_bill`. */
  @Post('interim-invoice')
  @Allow('billing:write')
  @Answers(INVOICE, 201)
  interim(@Param('id') id: string, @CurrentCaller() caller: Caller, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { service } = this.host;
    const { tenant } = caller;
    const invoiceId = this.ids.next('inv');
    return answerOnce(service, { tenant, route: 'POST /api/v1/billing/subscriptions/{id}/interim-invoice', request, reply }, async (tx) => {
      const { row, account, catalogue, now } = await heldSubscription(this.host, tx, tenant, id);
      const bill = await interimBill(tx, tenant, row, catalogue, now, invoiceId);
      if (bill === undefined) throw new Problem(409, 'nothing_to_bill', 'no usage is charged in the present period');
      const { commands, jobs } = interimReaction(tenant, bill, now);
      const context = contextOfCaller(caller, now, account.testClockId);
      await service.log.execute(tx, commands.map(({ decider, command }): Instruction => ({ decider, command, context })));
      await service.jobs.schedule(tx, jobs.map((job) => ({ ...job, ...(account.testClockId === undefined ? {} : { clockId: account.testClockId }) })));
      return created(`/api/v1/billing/invoices/${invoiceId}`, await invoiceToApi(this.host, (await rowOf<InvoiceRow>(tx, invoicesModel, invoiceId))!, tenant, undefined, now, tx));
    });
  }

  private execute<Spec>(name: string, { id, body, shape, resolve }: Asked<Spec>, caller: Caller, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const spec = wanted(readAll(shape, body ?? {}));
    const { tenant } = caller;
    return answerOnce(this.host.service, { tenant, route: `POST /api/v1/billing/subscriptions/{id}/${name}`, request, reply }, async (tx) => {
      const { row, account, now } = await heldSubscription(this.host, tx, tenant, id);
      const { command } = await resolve(tx, tenant, { row, now, changeId: this.ids.next('chg') }, spec);
      await this.host.service.log.execute(tx, [instruct(subscriptionDecider, command, contextOfCaller(caller, now, account.testClockId))]);
      const changed = await knownSubscription(this.host, tx, tenant, id);
      return ok(subscriptionToApi(changed.row, changed.catalogue, now));
    });
  }

  private async preview<Spec>({ id, body, shape, resolve }: Asked<Spec>, { tenant }: Caller): Promise<unknown> {
    const spec = wanted(readAll(shape, body ?? {}));
    const { bill, effectiveAt, shown, started } = await this.host.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
      const { row, now } = await knownSubscription(this.host, tx, tenant, id);
      const resolved = await resolve(tx, tenant, { row, now, changeId: 'chg_preview' }, spec);
      const changed = foreseen(row, resolved.catalogue, resolved.command, resolved.effectiveAt, now);
      const { bills } = await billSubscriptions(tx, tenant, [changed], { at: resolved.effectiveAt, now: laterOf(now, resolved.effectiveAt), invoiceIdOf: (currency) => derivedId('inv', 'preview', id, currency) }, resolved.catalogue);
      return { bill: bills[0] as Bill | undefined, effectiveAt: resolved.effectiveAt, shown: subscriptionToApi(changed, resolved.catalogue, now), started: row.started };
    });
    if (bill === undefined) return { effectiveAt, subscription: shown };
    const { accountId, subscriptionId, currency } = started;
    const preview = await previewDraft(this.host, tenant, bill.draft, effectiveAt);
    return { effectiveAt, subscription: shown, invoice: { accountId, subscriptionId, currency, issuesAt: effectiveAt, ...previewToApi(preview, Money.zero(currency).toString()) } };
  }
}
