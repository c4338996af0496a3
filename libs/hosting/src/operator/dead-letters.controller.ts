import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { nullable, object, oneOf, text, whole } from '@valueverse/contracts';
import { Allow } from '@valueverse/auth';
import { AnswersPage, Cursors, type Page, PageQuery, Text } from '@valueverse/platform';
import { discardLetter, lettersAfter, recordsOf, retryLetter, type Letter, type LetterRecord } from './dead-letters';
import { OPERATED, operatedService, type Operated } from './operated';

const REASON_MAX = 500;
class DiscardBody {
  @Text({ min: 1, max: REASON_MAX, description: 'Why it may be given up; kept in the audit' }) reason!: string;
}
const LETTER = object({ id: text(), kind: oneOf('stream', 'record'), consumer: text(), tenant: nullable(text()), stream: text(), code: text(), reason: text(), records: whole(), since: text() });

/** What could not be handled: streams that were parked, and records that are no facts of ours. */
@ApiTags('operator')
@Controller('api/v1/operator/log/:service/dead-letters')
@Allow('operator')
export class DeadLettersController {
  constructor(@Inject(OPERATED) private readonly operated: Operated, @Inject(Cursors) private readonly cursors: Cursors) {}

  @Get()
  @AnswersPage(LETTER)
  async list(@Param('service') name: string, @Query() query: PageQuery): Promise<Page<Letter>> {
    const service = operatedService(this.operated, name);
    const list = JSON.stringify(['dead-letters', name]);
    const [after = ''] = this.cursors.read(query.cursor, list) ?? [];
    const rows = await service.database.transaction({ role: 'worker', readOnly: true }, (tx) => lettersAfter(tx, after, query.limit + 1));
    return this.cursors.page(rows, query, list, ({ sort }) => [sort], ({ sort: _sort, ...letter }) => letter);
  }

  /** The records behind it, as they were read. Long texts are cut. */
  @Get(':id')
  async show(@Param('service') name: string, @Param('id') id: string): Promise<{ id: string; records: LetterRecord[] }> {
    const records = await operatedService(this.operated, name).database.transaction({ role: 'worker', readOnly: true }, (tx) => recordsOf(tx, id));
    return { id, records };
  }

  /** Handles it again, in order and in one transaction. 409 `still_failing` says why it still cannot be. */
  @Post(':id/retry')
  @HttpCode(200)
  async retry(@Param('service') name: string, @Param('id') id: string): Promise<{ id: string; handled: number }> {
    return { id, handled: await retryLetter(operatedService(this.operated, name), id) };
  }

  /** Gives it up for ever. What it would have caused never happens, so the reason is kept. */
  @Post(':id/discard')
  @HttpCode(200)
  async discard(@Param('service') name: string, @Param('id') id: string, @Body() _body: DiscardBody): Promise<{ id: string; discarded: number }> {
    const discarded = await operatedService(this.operated, name).database.transaction({ role: 'worker' }, (tx) => discardLetter(tx, id));
    return { id, discarded };
  }
}
