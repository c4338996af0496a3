import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { decimal, flag, instant, nullable, object, text } from '@valueverse/contracts';
import { Allow, CurrentCaller, type Caller } from '@valueverse/auth';
import { Answers, AnswersPage, Cursors, Flag, type Page, PageQuery, Problem, Text } from '@valueverse/platform';
import { UsageHost } from '../usage-host';
import { sessionById, sessionsAfter, type ListedSession, type SessionPosition } from './session-list';

export class SessionsQuery extends PageQuery {
  @Flag({ optional: true, fromText: true, description: 'Only those that go on, or only those that have ended' }) live?: boolean;
  @Text({ optional: true, description: 'The NAS as it calls itself' }) nas?: string;
  @Text({ optional: true }) subject?: string;
}

const SESSION = object({
  id: text(), sessionId: text(), nas: text(), clientId: text(), subject: text(), live: flag(), startedAt: instant(), updatedAt: instant(), endedAt: nullable(instant()), cause: nullable(text()),
  inputOctets: decimal(), outputOctets: decimal(), totalOctets: decimal(), inputPackets: decimal(), outputPackets: decimal(), sessionSeconds: decimal(), framedAddress: nullable(text()), callingStation: nullable(text()),
});

/** The sessions that NAS have reported by RADIUS accounting. */
@ApiTags('usage')
@Controller('api/v1/usage/sessions')
export class SessionsController {
  constructor(@Inject(UsageHost) private readonly host: UsageHost, @Inject(Cursors) private readonly cursors: Cursors) {}

  @Get()
  @Allow('usage:read')
  @AnswersPage(SESSION)
  async list(@Query() query: SessionsQuery, @CurrentCaller() { tenant }: Caller): Promise<Page<ListedSession>> {
    const { live, nas, subject } = query;
    const list = JSON.stringify(['radius sessions', tenant, live, nas, subject]);
    const after = this.cursors.read(query.cursor, list) as SessionPosition | undefined;
    const rows = await this.host.read(tenant, (tx) => sessionsAfter(tx, tenant, { live, nas, subject }, after, query.limit + 1));
    return this.cursors.page(rows, query, list, ({ position }) => position, ({ session }) => session);
  }

  /** Refuses with 404 `session_not_found`. */
  @Get(':id')
  @Allow('usage:read')
  @Answers(SESSION)
  async get(@Param('id') id: string, @CurrentCaller() { tenant }: Caller): Promise<ListedSession> {
    const session = await this.host.read(tenant, (tx) => sessionById(tx, tenant, id));
    if (session === undefined) throw new Problem(404, 'session_not_found', `there is no session ${id}`);
    return session;
  }
}
