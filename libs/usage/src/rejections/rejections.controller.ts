import { Controller, Get, Inject, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { instant, nullable, object, oneOf, text } from '@valueverse/contracts';
import { instantFromMicros } from '@valueverse/kernel';
import { Allow, CurrentCaller, type Caller } from '@valueverse/auth';
import { AnswersPage, Cursors, OneOf, type Page, PageQuery, Text } from '@valueverse/platform';
import { UsageHost } from '../usage-host';
import { REJECTED_VIA, type RejectedVia } from './rejections';

class RejectionsQuery extends PageQuery {
  @OneOf(REJECTED_VIA, { optional: true }) via?: RejectedVia;
  @Text({ optional: true, description: 'Why it was refused' }) code?: string;
}
const REJECTION = object({
  receivedAt: instant(), via: oneOf(...REJECTED_VIA), code: text(), detail: text(), pointer: text(), eventId: nullable(text()), sender: nullable(text()), shown: nullable(text()),
});

/** `shown` is how it began, as it came; `sender` the address of a NAS. */
export interface ListedRejection {
  readonly receivedAt: string; readonly via: RejectedVia; readonly code: string; readonly detail: string; readonly pointer: string; readonly eventId: string | null; readonly sender: string | null; readonly shown: string | null;
}
interface Row { nth: bigint; received_at: bigint; via: RejectedVia; code: string; detail: string; pointer: string; event_id: string | null; sender: string | null; shown: string | null }
const BEFORE_ALL = String(2n ** 63n - 1n);

const listed = (row: Row): ListedRejection => ({
  receivedAt: instantFromMicros(row.received_at), via: row.via, code: row.code, detail: row.detail, pointer: row.pointer, eventId: row.event_id, sender: row.sender, shown: row.shown,
});

/** Usage that was refused when it came over HTTP or by RADIUS. */
@ApiTags('usage')
@Controller('api/v1/usage/rejections')
export class RejectionsController {
  constructor(@Inject(UsageHost) private readonly host: UsageHost, @Inject(Cursors) private readonly cursors: Cursors) {}

  /** The latest first: 10,000 of a tenant at most, of 30 days. It is a moment behind the answers; of a request with very many faults the first 100 are listed. */
  @Get()
  @Allow('usage:read')
  @AnswersPage(REJECTION)
  async list(@Query() query: RejectionsQuery, @CurrentCaller() { tenant }: Caller): Promise<Page<ListedRejection>> {
    const { via, code } = query;
    const list = JSON.stringify(['usage rejections', tenant, via, code]);
    const [before = BEFORE_ALL] = this.cursors.read(query.cursor, list) ?? [];
    const { rows } = await this.host.read(tenant, (tx) => tx.query<Row & Record<string, unknown>>(
      `SELECT * FROM usage_rejections WHERE tenant = $1 AND nth < $2::bigint AND ($3::text IS NULL OR via = $3) AND ($4::text IS NULL OR code = $4) ORDER BY nth DESC LIMIT $5`, [tenant, before, via ?? null, code ?? null, query.limit + 1]));
    return this.cursors.page(rows, query, list, ({ nth }) => [String(nth)], listed);
  }
}
