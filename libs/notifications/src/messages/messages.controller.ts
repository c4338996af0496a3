import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, CurrentCaller } from '@valueverse/auth';
import { Refused } from '@valueverse/kernel';
import type { MessageQueued } from '@valueverse/contracts';
import { streamName, type Tx } from '@valueverse/event-log';
import { Answers, AnswersPage, Cursors, listRows, type Page, PageQuery, rowOf, Service, Text } from '@valueverse/platform';
import { instant, object, oneOf, optional, text } from '@valueverse/contracts';
import { NOTIFICATIONS_SERVICE } from '../tokens';
import { type MessageRow, messageView, streamOf } from './messages';

class MessagesQuery extends PageQuery {
  @Text({ optional: true }) accountId?: string;
}
/** A message as it is answered. `to` and `subject` read `[erased]` when the customer was erased. */
interface MessageAnswer extends MessageRow { readonly to: string; readonly subject: string }

const MESSAGE = object({
  id: text(), accountId: text(), template: text(), to: text(), subject: text(), status: oneOf('queued', 'sent', 'failed'), invoiceId: optional(text()), creditNoteId: optional(text()), queuedAt: instant(), sentAt: optional(instant()),
  reason: optional(text()),
});

/** What was written to customers. */
@ApiTags('notifications')
@Controller('api/v1/notifications/messages')
@Allow('notifications:read')
export class MessagesController {
  constructor(@Inject(NOTIFICATIONS_SERVICE) private readonly service: Service, @Inject(Cursors) private readonly cursors: Cursors) {}

  /** Newest first. */
  @Get()
  @AnswersPage(MESSAGE)
  list(@CurrentCaller() { tenant }: Caller, @Query() query: MessagesQuery): Promise<Page<MessageAnswer>> {
    return this.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
      const page = await listRows<MessageRow, MessageRow>(tx, {
        model: messageView, query, cursors: this.cursors, toApi: (row) => row, ...(query.accountId === undefined ? {} : { filters: { account_id: query.accountId } }),
      });
      return { ...page, data: await this.withWords(tx, tenant, page.data) };
    });
  }

  /** Refuses with `message_not_found`. */
  @Get(':id')
  @Answers(MESSAGE)
  one(@CurrentCaller() { tenant }: Caller, @Param('id') id: string): Promise<MessageAnswer> {
    return this.service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => {
      const row = await rowOf<MessageRow>(tx, messageView, id);
      if (row === undefined) throw new Refused('message_not_found', 'there is no message with this id');
      return (await this.withWords(tx, tenant, [row]))[0]!;
    });
  }

  private async withWords(tx: Tx, tenant: string, rows: readonly MessageRow[]): Promise<MessageAnswer[]> {
    const facts = await this.service.log.store.readMany(tx, rows.map(({ id }) => ({ tenant, stream: streamOf(id) })));
    return rows.map((row) => {
      const { to, subject } = facts.get(streamName({ tenant, stream: streamOf(row.id) }))![0]!.event as MessageQueued;
      return { ...row, to, subject };
    });
  }
}
