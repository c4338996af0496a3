import { Controller, Get, Inject, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, CurrentCaller } from '@valueverse/auth';
import { Money } from '@valueverse/kernel';
import { AnswersPage, Cursors, type Page, PageQuery, Service } from '@valueverse/platform';
import { decimal, instant, object, optional, text } from '@valueverse/contracts';
import { PAYMENTS_SERVICE } from '../../tokens';
import { type BookRow, SandboxBook } from './sandbox-book';
import { tokenOf } from './sandbox-tokens';
import type { Intent } from './sandbox-objects';

/** A line of the sandbox's book as it is answered; the amount is a decimal of major units. */
interface BookLine {
  readonly key: string; readonly reference: string; readonly amount: string; readonly currency: string; readonly token: string;
  readonly status: string; readonly declineCode?: string; readonly createdAt: string;
}

const BOOK_LINE = object({ key: text(), reference: text(), amount: decimal(), currency: text(3), token: text(), status: text(), declineCode: optional(text()), createdAt: instant() });
/** In the words of payments. */
const STATUS: Readonly<Record<Intent['status'], string>> = { succeeded: 'succeeded', requires_payment_method: 'declined', requires_action: 'requires_action', processing: 'processing', canceled: 'cancelled' };
const MILLISECONDS = 1_000;

const toLine = ({ body, key }: BookRow): BookLine => {
  const { id, amount, currency, payment_method: card, status, last_payment_error: failure, created } = JSON.parse(body) as Intent;
  const code = failure?.decline_code ?? failure?.code;
  return {
    key: key ?? '', reference: id, amount: Money.of(BigInt(amount), currency.toUpperCase()).toString(), currency: currency.toUpperCase(), token: tokenOf(card), status: STATUS[status], ...(code === undefined ? {} : { declineCode: code }),
    createdAt: new Date(created * MILLISECONDS).toISOString().replace('.000', ''),
  };
};

/** What the sandbox of this service says it did: the other side of every payment, to compare with. */
@ApiTags('payments')
@Controller('api/v1/payments/sandbox')
export class SandboxBookController {
  constructor(@Inject(PAYMENTS_SERVICE) private readonly service: Service, @Inject(Cursors) private readonly cursors: Cursors) {}

  /** The book, newest line first. */
  @Get('book')
  @Allow('payments:read')
  @AnswersPage(BOOK_LINE)
  async book(@CurrentCaller() { tenant }: Caller, @Query() query: PageQuery): Promise<Page<BookLine>> {
    const list = JSON.stringify(['sandbox_book', tenant]);
    const after = this.cursors.read(query.cursor, list)?.[0];
    const lines = await this.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => new SandboxBook(tx, tenant, this.service.clock.now()).lines(query.limit + 1, after === undefined ? undefined : BigInt(after)));
    return this.cursors.page(lines, query, list, ({ nth }) => [String(nth)], toLine);
  }
}
