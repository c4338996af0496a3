import { Body, Controller, Headers, HttpCode, Inject, Post, Req } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { derivedId, type IdSource, partitionOf } from '@valueverse/kernel';
import { nullable, object, oneOf, text, USAGE_PARTITIONS } from '@valueverse/contracts';
import { FeedTimeout, isTransient } from '@valueverse/event-log';
import { Allow, CurrentCaller, type Caller } from '@valueverse/auth';
import { Answers, Field, fingerprintOf, InstantField, objectRule, ok, Problem, readIdempotencyKey, requestContext, Text, withIdempotency } from '@valueverse/platform';
import type { UsageEvent } from '../ingest/domain/usage-event';
import { UsageHost } from '../usage-host';
import { amended, assertExactText } from './amendment';
import { correctionOf, standingEvent } from './standing-event';

const REASON_LENGTH_MAX = 512;
const RETRY_AFTER_SECONDS = 1;
const APPLIED_WITHIN_MS = 2_000;
const LOOK_EVERY_MS = 15;
/** The type of what takes an event back; it is never counted. */
const VOID_TYPE = 'dev.valueverse.usage.event.void';

export class VoidDto {
  @Text() subject!: string;
  @Text() source!: string;
  @Text() id!: string;
  @Text({ max: REASON_LENGTH_MAX, description: 'Why; it is shown wherever the event is' }) reason!: string;
}
export class AmendDto extends VoidDto {
  @InstantField({ optional: true, description: 'The time that it should have had; as it was where absent' }) time?: string;
  @Field(objectRule, { optional: true, description: 'The data that it should have had; as it was where absent' }, { type: 'object', additionalProperties: true }) data?: Record<string, unknown>;
}
const CORRECTION = object({ id: text(), status: oneOf('applied', 'pending'), position: nullable(text()) });
interface Answer { readonly id: string; readonly status: 'applied' | 'pending'; readonly position: string | null }

/**
 * Corrections of usage: new facts beside the old ones. What was stated before stays as it was; what is asked from now on is as if the event had come so.
 * 400 with the codes of events for what an amendment says; 404 `event_not_found`; 422 `idempotency_key_reused`; 409 `event_voided`, `event_dropped`; 503 `not_yet_known` while metering is behind what was sent before.
 */
@ApiTags('usage')
@Controller('api/v1/usage/events')
export class CorrectionsController {
  constructor(@Inject(UsageHost) private readonly host: UsageHost) {}

  /** Takes an event back. */
  @Post('void')
  @HttpCode(202)
  @Allow('usage:write')
  @Answers(CORRECTION, 202)
  void(@Body() body: VoidDto, @CurrentCaller() caller: Caller, @Headers('idempotency-key') key: string | undefined): Promise<Answer> {
    return this.correct('void', caller, body, key, (standing, correction, receivedAt) => ({ id: standing.id, source: standing.source, type: VOID_TYPE, subject: standing.subject, time: receivedAt, correction: { ...correction, kind: 'void' } }));
  }

  /** Puts another time or other data in the place of an event's. Its type stays. */
  @Post('amend')
  @HttpCode(202)
  @Allow('usage:write')
  @Answers(CORRECTION, 202)
  amend(@Body() body: AmendDto, @CurrentCaller() caller: Caller, @Headers('idempotency-key') key: string | undefined, @Req() { rawBody }: { readonly rawBody?: Buffer }): Promise<Answer> {
    if (body.time === undefined && body.data === undefined) throw new Problem(400, 'nothing_to_amend', 'send the time or the data that the event should have had');
    assertExactText(rawBody);
    return this.correct('amend', caller, body, key, (standing, correction, receivedAt) => ({ ...amended(standing, body, caller.environment, receivedAt), correction: { ...correction, kind: 'amend' } }));
  }

  private async correct(
    kind: 'void' | 'amend', caller: Caller, body: VoidDto, key: string | undefined, make: (standing: UsageEvent, correction: { id: string; reason: string }, receivedAt: string) => UsageEvent,
  ): Promise<Answer> {
    if (caller.kind !== 'secret') throw new Problem(403, 'permission_missing', 'this key sends usage and does nothing else');
    const { tenant } = caller;
    const { subject, source, id, reason } = body;
    const correction = await this.idOf(kind, tenant, body, readIdempotencyKey(key));
    const known = await this.applied(tenant, correction, 0);
    if (known !== undefined) return known;
    const standing = await this.wanted(tenant, { subject, source, id });
    const receivedAt = this.host.service.clock.now();
    try {
      await this.host.ingest.correct(tenant, make(standing, { id: correction, reason }, receivedAt), receivedAt, requestContext()?.traceparent);
    } catch (error) {
      if (error instanceof FeedTimeout || isTransient(error)) throw new Problem(503, 'log_unavailable', 'the log does not answer; send the same again with the same Idempotency-Key', { retryAfterSeconds: RETRY_AFTER_SECONDS, cause: error });
      throw error;
    }
    return (await this.applied(tenant, correction, APPLIED_WITHIN_MS)) ?? { id: correction, status: 'pending', position: null };
  }

  /** With an Idempotency-Key the same for the same request, so that metering knows it again. One that was sent with another request is refused, or that would be taken for done. */
  private async idOf(kind: 'void' | 'amend', tenant: string, body: VoidDto, key: string | undefined): Promise<string> {
    if (key === undefined) return this.ids.next('cor');
    const fingerprint = fingerprintOf({ method: 'POST', url: kind, rawBody: Buffer.from(JSON.stringify(body)) });
    await this.host.service.log.transact({ role: 'api', tenant, repeatable: true }, (tx) => withIdempotency(tx, { tenant, route: 'POST /api/v1/usage/events/corrections', key, fingerprint }, async () => ok({})));
    return derivedId('cor', tenant, key, fingerprint);
  }

  private get ids(): IdSource { return this.host.ids; }

  /** The event as it stands, when everything that was sent before is counted. */
  private async wanted(tenant: string, name: Pick<UsageEvent, 'subject' | 'source' | 'id'>): Promise<UsageEvent> {
    const { reader, service } = this.host;
    const isCaughtUp = await reader.caughtUp((await reader.horizon.look())[0]!, [partitionOf(tenant, name.subject, USAGE_PARTITIONS)]);
    const standing = await service.database.transaction({ role: 'worker', readOnly: true }, (tx) => standingEvent(tx, tenant, name));
    if (standing === undefined && !isCaughtUp) throw new Problem(503, 'not_yet_known', 'what was sent before is not counted yet', { retryAfterSeconds: RETRY_AFTER_SECONDS });
    if (standing === undefined) throw new Problem(404, 'event_not_found', 'there is no such event, or it came before the window in which events are told apart');
    if (standing.voided) throw new Problem(409, 'event_voided', 'the event was taken back already');
    if (standing.event === undefined) throw new Problem(409, 'event_dropped', 'the event is no longer kept; its buckets are sealed');
    return standing.event;
  }

  private async applied(tenant: string, correction: string, withinMs: number): Promise<Answer | undefined> {
    for (const deadline = performance.now() + withinMs; ;) {
      const found = await this.host.read(tenant, (tx) => correctionOf(tx, tenant, correction));
      if (found?.refused != null) throw new Problem(409, found.refused, 'the event was corrected meanwhile');
      if (found !== undefined) return { id: correction, status: 'applied', position: found.position };
      if (performance.now() >= deadline) return undefined;
      await new Promise((resolve) => { setTimeout(resolve, LOOK_EVERY_MS); });
    }
  }
}
