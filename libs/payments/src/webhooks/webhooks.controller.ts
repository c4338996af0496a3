import { Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, CurrentCaller } from '@valueverse/auth';
import { derivedId, type IdSource, parseInstant, Refused } from '@valueverse/kernel';
import { Answers, AnswersPage, Cursors, IDS, OneOf, type Page, PageQuery, Service } from '@valueverse/platform';
import { instant, nullable, object, oneOf, text, whole } from '@valueverse/contracts';
import { PAYMENTS_SERVICE } from '../tokens';
import { HANDLE_WEBHOOK, WEBHOOK_STATUSES, type WebhookPayload, type WebhookRow, type WebhookStatus } from './inbox';

class WebhooksQuery extends PageQuery {
  @OneOf([...WEBHOOK_STATUSES], { optional: true }) status?: WebhookStatus;
}
const HEAD = { id: text(), provider: text(), eventId: text(), type: text(), status: oneOf(...WEBHOOK_STATUSES), reason: nullable(text()), receivedAt: instant(), times: whole(1) };
const WEBHOOK = object(HEAD);
const WHOLE = object({ ...HEAD, body: text(), raw: nullable(text()), signature: text() });
interface Answer { readonly id: string; readonly provider: string; readonly eventId: string; readonly type: string; readonly status: WebhookStatus; readonly reason: string | null; readonly receivedAt: string; readonly times: number }
const toAnswer = ({ id, provider, event_id: eventId, type, status, reason, received_at: receivedAt, times }: WebhookRow): Answer => ({ id, provider, eventId, type, status, reason, receivedAt: parseInstant(receivedAt), times });

/** What providers announced, as it came, and what has come of it. */
@ApiTags('payments')
@Controller('api/v1/payments/webhook-events')
export class WebhooksController {
  constructor(@Inject(PAYMENTS_SERVICE) private readonly service: Service, @Inject(Cursors) private readonly cursors: Cursors, @Inject(IDS) private readonly ids: IdSource) {}

  /** The latest first. */
  @Get()
  @Allow('payments:read')
  @AnswersPage(WEBHOOK)
  async list(@CurrentCaller() { tenant }: Caller, @Query() query: WebhooksQuery): Promise<Page<Answer>> {
    const list = JSON.stringify(['webhooks', tenant, query.status]);
    const after = this.cursors.read(query.cursor, list)?.[0];
    const { rows } = await this.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => tx.query<WebhookRow>(
      `SELECT id, nth, provider, event_id, type, status, reason, times, to_char(received_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS received_at FROM webhook_inbox
       WHERE tenant = $1 AND ($3::text IS NULL OR status = $3) AND ($4::bigint IS NULL OR nth < $4) ORDER BY nth DESC LIMIT $2`, [tenant, query.limit + 1, query.status ?? null, after ?? null]));
    return this.cursors.page(rows, query, list, ({ nth }) => [String(nth)], toAnswer);
  }

  /** With the body and the signature that came. Where the body is no text, `raw` is all of it, in base64. Refuses with `webhook_not_found`. */
  @Get(':id')
  @Allow('payments:read')
  @Answers(WHOLE)
  async one(@CurrentCaller() { tenant }: Caller, @Param('id') id: string): Promise<unknown> {
    const row = await this.find(tenant, id);
    return { ...toAnswer(row), body: row.body, raw: row.raw?.toString('base64') ?? null, signature: row.signature };
  }

  /** Handles it again: after an upgrade that knows its type, or when its payment has come. Refuses with `webhook_not_found`. */
  @Post(':id/replay')
  @Allow('payments:write')
  @HttpCode(202)
  @Answers(object({ id: text(), status: text() }), 202)
  async replay(@CurrentCaller() { tenant }: Caller, @Param('id') id: string): Promise<unknown> {
    await this.find(tenant, id);
    await this.service.database.transaction({ role: 'api', tenant }, (tx) => this.service.jobs.schedule(tx, [{
      id: derivedId('job', HANDLE_WEBHOOK, tenant, id, this.ids.next('again')), kind: HANDLE_WEBHOOK, tenant, dueAt: this.service.clock.now(), payload: { webhookId: id } satisfies WebhookPayload,
    }]));
    return { id, status: 'received' };
  }

  private async find(tenant: string, id: string): Promise<WebhookRow> {
    const { rows: [row] } = await this.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => tx.query<WebhookRow>(
      `SELECT id, nth, provider, event_id, type, status, reason, times, body, raw, signature, to_char(received_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS received_at FROM webhook_inbox WHERE tenant = $1 AND id = $2`, [tenant, id]));
    if (row === undefined) throw new Refused('webhook_not_found', 'no webhook with this id has come in');
    return row;
  }
}
