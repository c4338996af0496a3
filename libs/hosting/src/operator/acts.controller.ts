import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { object, text } from '@valueverse/contracts';
import { Allow } from '@valueverse/auth';
import { AnswersPage, Cursors, type Page, PageQuery } from '@valueverse/platform';
import { actsBefore, type ListedAct } from './acts';
import { OPERATED, operatedService, type Operated } from './operated';

/** What operators did to a service, the latest first. */
@ApiTags('operator')
@Controller('api/v1/operator/log/:service/acts')
@Allow('operator')
export class ActsController {
  constructor(@Inject(OPERATED) private readonly operated: Operated, @Inject(Cursors) private readonly cursors: Cursors) {}

  @Get()
  @AnswersPage(object({ nth: text(), at: text(), actor: text(), act: text(), subject: text(), details: text(), trace: text(), outcome: text() }))
  async list(@Param('service') name: string, @Query() query: PageQuery): Promise<Page<ListedAct>> {
    const service = operatedService(this.operated, name);
    const list = JSON.stringify(['acts', name]);
    const [before] = this.cursors.read(query.cursor, list) ?? [];
    const rows = await service.database.transaction({ role: 'worker', readOnly: true }, (tx) => actsBefore(tx, before, query.limit + 1));
    return this.cursors.page(rows, query, list, ({ nth }) => [nth], (act) => act);
  }
}
