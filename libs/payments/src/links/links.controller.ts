import { Body, Controller, Inject, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Allow, type Caller, CurrentCaller } from '@valueverse/auth';
import { addDuration, Refused } from '@valueverse/kernel';
import { Answers, Service, Text, Whole } from '@valueverse/platform';
import { instant, object, text } from '@valueverse/contracts';
import { invoiceIn } from '../accounts/known-invoices';
import { PAYMENTS_SERVICE } from '../tokens';
import { linkToken, PAY_PATH } from './link-token';

/** The key that links are signed with. */
export const LINK_KEY = Symbol('LinkKey');
const DAYS_DEFAULT = 30;
const DAYS_MAX = 365;
const HOURS = 24;
class NewLink {
  @Text({ description: 'The invoice that is to be paid' }) invoiceId!: string;
  @Whole({ optional: true, min: 1, max: DAYS_MAX, description: `For how many days it is valid; ${DAYS_DEFAULT} when it is not given` }) days?: number;
}

/** Links by which customers pay. */
@ApiTags('payments')
@Controller('api/v1/payments/links')
export class LinksController {
  constructor(@Inject(PAYMENTS_SERVICE) private readonly service: Service, @Inject(LINK_KEY) private readonly key: Buffer) {}

  /** `path` is the page behind the address of this installation. Whoever has it sees what is due of the invoice and pays it, and nothing else. Refuses with `invoice_not_found`. */
  @Post()
  @Allow('payments:write')
  @Answers(object({ path: text(), expiresAt: instant() }), 201)
  async make(@CurrentCaller() { tenant }: Caller, @Body() { invoiceId, days = DAYS_DEFAULT }: NewLink): Promise<{ path: string; expiresAt: string }> {
    const invoice = await this.service.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => invoiceIn(tx, tenant, invoiceId));
    if (invoice === undefined) throw new Refused('invoice_not_found', 'there is no issued invoice with this id', '/invoiceId');
    const expiresAt = addDuration(this.service.clock.now(), `PT${days * HOURS}H`);
    return { path: `${PAY_PATH}/${linkToken({ tenant, invoiceId, expiresAt }, this.key)}`, expiresAt };
  }
}
