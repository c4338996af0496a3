import { Controller, Get, Inject, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, CurrentCaller } from '@valueverse/auth';
import { Money } from '@valueverse/kernel';
import { AnswersPage, Cursors, type Page, PageQuery } from '@valueverse/platform';
import { decimal, instant, object, optional, text } from '@valueverse/contracts';
import { type BookEntry, SandboxBank } from './sandbox-bank';

/** A line of the sandbox's book as it is answered; the amount is a decimal of major units. */
interface BookLine {
  readonly key: string; readonly reference: string; readonly amount: string; readonly currency: string; readonly token: string;
  readonly status: BookEntry['status']; readonly declineCode?: string; readonly createdAt: string;
}

const BOOK_LINE = object({ key: text(), reference: text(), amount: decimal(), currency: text(3), token: text(), status: text(), declineCode: optional(text()), createdAt: instant() });

const toLine = (entry: BookEntry): BookLine => ({
  key: entry.key, reference: entry.reference, amount: Money.of(entry.amountMinor, entry.currency).toString(), currency: entry.currency, token: entry.token,
  status: entry.status, ...(entry.declineCode === null ? {} : { declineCode: entry.declineCode }), createdAt: entry.createdAt,
});

/** What the sandbox says it did: the other side of every payment, to compare with. */
@ApiTags('payments')
@Controller('api/v1/payments/sandbox')
export class SandboxBookController {
  constructor(@Inject(SandboxBank) private readonly bank: SandboxBank, @Inject(Cursors) private readonly cursors: Cursors) {}

  /** The book, newest line first. */
  @Get('book')
  @Allow('payments:read')
  @AnswersPage(BOOK_LINE)
  async book(@CurrentCaller() { tenant }: Caller, @Query() query: PageQuery): Promise<Page<BookLine>> {
    const list = JSON.stringify(['sandbox_book', tenant]);
    const after = this.cursors.read(query.cursor, list)?.[0];
    const entries = await this.bank.book(tenant, query.limit + 1, after === undefined ? undefined : BigInt(after));
    return this.cursors.page(entries, query, list, ({ nth }) => [String(nth)], toLine);
  }
}
