import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, CurrentCaller } from '@valueverse/auth';
import { derivedId, Refused } from '@valueverse/kernel';
import { Answers, DecimalString, OneOf, rowOf, Service, Text, Whole } from '@valueverse/platform';
import { list, object, optional, text } from '@valueverse/contracts';
import { clockOfAccount } from '../../accounts/known-accounts';
import { FOLLOW_ATTEMPT, type FollowPayload } from '../../collection/attempt-jobs';
import { type PaymentRow, paymentView } from '../../collection/payments';
import { PAYMENTS_SERVICE } from '../../tokens';
import { Sandbox, SandboxRefusal } from './sandbox';
import { OPERATIONS, REQUEST_FAULTS, WEBHOOK_FAULTS } from './sandbox-faults';
import { SANDBOX_TOKENS } from './sandbox-tokens';
import { isEndpoint } from './sandbox-webhooks';

const TIMES_MAX = 1_000_000;
const DAYS_MAX = 365;
const LATE_MAX_MS = 3_600_000;
const ACTIONS = ['complete', 'fail', 'dispute', 'inquire', 'win_dispute', 'lose_dispute', 'refund'] as const;
class NewFault {
  @OneOf([...REQUEST_FAULTS, ...WEBHOOK_FAULTS], { description: 'What goes wrong' }) fault!: (typeof REQUEST_FAULTS)[number] | (typeof WEBHOOK_FAULTS)[number];
  @OneOf([...OPERATIONS], { optional: true, description: 'With which requests; with all of them when it is not given' }) operation?: (typeof OPERATIONS)[number];
  @OneOf([...SANDBOX_TOKENS], { optional: true, description: 'Only with requests that pay with this token' }) token?: string;
  @Whole({ optional: true, min: 1, max: TIMES_MAX, description: 'So often, then no more' }) times?: number;
  @DecimalString({ optional: true, min: '0', max: '1', description: 'With this chance; the seed decides' }) chance?: string;
  @Whole({ optional: true, min: 0, max: TIMES_MAX }) seed?: number;
  @Text({ optional: true, max: 64, description: 'The code of a decline' }) code?: string;
  @Whole({ optional: true, min: 0, max: DAYS_MAX, description: 'After so many days, for what happens later' }) days?: number;
  @Whole({ optional: true, min: 1, max: LATE_MAX_MS, description: 'So long, for what hangs or is late' }) milliseconds?: number;
}
class NewEndpoint {
  @Text({ description: 'Where webhooks are sent: the URL of an endpoint of ours' }) url!: string;
  @Text({ description: 'The secret that the endpoint was given' }) secret!: string;
  @Text({ optional: true, description: 'A second one, as in the time of a change' }) secondSecret?: string;
}
const DONE = object({ id: optional(text()) });
/** What the sandbox has made, without what it was told. */
const named = (made: unknown): object => { const { id } = made as { readonly id?: string }; return id === undefined ? {} : { id }; };

/** What the sandbox can be told to do, so that everything that a provider does to us can be seen. */
@ApiTags('payments')
@Controller('api/v1/payments/sandbox')
@Allow('payments:write')
export class SandboxController {
  constructor(@Inject(PAYMENTS_SERVICE) private readonly service: Service, @Inject(Sandbox) private readonly sandbox: Sandbox) {}

  /** Switches a fault on, until `times` is used up or faults are switched off. */
  @Post('faults')
  @Answers(DONE, 201)
  async fault(@CurrentCaller() { tenant }: Caller, @Body() { chance, ...body }: NewFault): Promise<unknown> {
    return named(await this.sandbox.control(tenant, 'faults', { ...body, ...(chance === undefined ? {} : { chance: Number(chance) }) }));
  }

  /** Switches all faults off. */
  @Delete('faults')
  @HttpCode(204)
  async none(@CurrentCaller() { tenant }: Caller): Promise<void> { await this.sandbox.control(tenant, 'faults/none', {}); }

  /** Has webhooks sent to an endpoint: the `webhookPath` of a provider behind the address of an installation. Refuses anything else with `not_an_endpoint`. */
  @Post('endpoints')
  @Answers(DONE, 201)
  async endpoint(@CurrentCaller() { tenant }: Caller, @Body() { url, secret, secondSecret }: NewEndpoint): Promise<unknown> {
    if (!isEndpoint(url)) throw new Refused('not_an_endpoint', 'the address of an installation and the webhookPath of a provider are expected', '/url');
    return named(await this.sandbox.control(tenant, 'endpoints', { url, secrets: [secret, ...(secondSecret === undefined ? [] : [secondSecret])] }));
  }

  @Get('tokens')
  @Answers(object({ tokens: list(text()) }))
  tokens(): { tokens: readonly string[] } { return { tokens: SANDBOX_TOKENS }; }

  /** Does what a customer or a bank would do with a payment: `complete` or `fail` one that waits, `dispute` one that was paid, `inquire` about it, decide about its dispute (`win_dispute`, also one that was lost, or `lose_dispute`), or `refund` all of it at the provider's own page. Refuses with `payment_not_found`, `unknown_action` and `not_at_sandbox`. */
  @Post('actions/:paymentId/:action')
  @HttpCode(204)
  async act(@CurrentCaller() { tenant }: Caller, @Param('paymentId') id: string, @Param('action') action: string): Promise<void> {
    if (!(ACTIONS as readonly string[]).includes(action)) throw new Refused('unknown_action', `there are the actions ${ACTIONS.join(', ')}`);
    const { payment, now, clockId } = await this.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
      const found = await rowOf<PaymentRow>(tx, paymentView, id);
      if (found === undefined) throw new Refused('payment_not_found', 'there is no payment with this id');
      return { payment: found, ...await clockOfAccount(tx, this.service, tenant, found.accountId) };
    });
    const attempt = payment.attempts.findLast(({ providerReference }) => providerReference !== undefined);
    if (attempt?.providerReference === undefined) throw new Refused('not_at_sandbox', 'the sandbox has nothing of this payment yet');
    await this.sandbox.control(tenant, `intents/${attempt.providerReference}/${action}`, {}, now).catch((error: unknown) => {
      if (error instanceof SandboxRefusal) throw new Refused('not_at_sandbox', error.message);
      throw error;
    });
    // Looked at at once, also where no webhook says so.
    const payload: FollowPayload = { paymentId: id, attempt: attempt.number, look: null };
    await this.service.database.transaction({ role: 'api', tenant }, (tx) =>
      this.service.jobs.schedule(tx, [{ id: derivedId('job', 'sandbox-action', id, String(attempt.number), action), kind: FOLLOW_ATTEMPT, tenant, clockId, dueAt: '1970-01-01T00:00:00Z', payload }]));
  }
}
