import { Readable } from 'node:stream';
import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, StreamableFile } from '@nestjs/common';
import { ApiProduces, ApiTags } from '@nestjs/swagger';
import { Allow, CurrentCaller, type Caller } from '@valueverse/auth';
import { Answers, AnswersPage, Cursors, OneOf, type Page, PageQuery, Problem } from '@valueverse/platform';
import { listImports, type ImportStatus } from './import-table';
import { CompleteImportDto } from './imports.dto';
import { IMPORT } from './imports.openapi';
import { Imports, toApi, wantedImport, type Import } from './imports';

const STATUSES = ['receiving', 'reading', 'done', 'failed'] as const;
class ImportsQuery extends PageQuery {
  @OneOf(STATUSES, { optional: true }) status?: ImportStatus;
}

/** Files of usage: how far they are, and what of them was rejected. */
@ApiTags('usage')
@Controller('api/v1/usage/imports')
export class ImportsController {
  constructor(@Inject(Imports) private readonly imports: Imports, @Inject(Cursors) private readonly cursors: Cursors) {}

  @Get()
  @Allow('usage:read')
  @AnswersPage(IMPORT)
  async list(@Query() query: ImportsQuery, @CurrentCaller() { tenant }: Caller): Promise<Page<Import>> {
    const list = `imports ${tenant} ${query.status ?? ''}`;
    const after = this.cursors.read(query.cursor, list);
    const rows = await this.imports.read(tenant, (tx) => listImports(tx, tenant, { status: query.status, after, limit: query.limit + 1 }));
    return this.cursors.page(rows, query, list, ({ created_at: createdAt, id }) => [createdAt, id], toApi);
  }

  @Get(':id')
  @Allow('usage:read')
  @Answers(IMPORT)
  async get(@Param('id') id: string, @CurrentCaller() { tenant }: Caller): Promise<Import> {
    return toApi(await this.imports.read(tenant, (tx) => wantedImport(tx, tenant, id)));
  }

  /** The file has come as a whole. Refuses with `empty_file`, `import_incomplete`. */
  @Post(':id/complete')
  @Allow('usage:write')
  @HttpCode(202)
  @Answers(IMPORT, 202)
  async complete(@Param('id') id: string, @Body() body: CompleteImportDto, @CurrentCaller() { tenant }: Caller): Promise<Import> {
    return toApi(await this.imports.complete(tenant, id, body));
  }

  /** The rows that were rejected up to now, in the format of the file with the reason in its first column, to be mended and sent again. */
  @Get(':id/rejected')
  @Allow('usage:read')
  @ApiProduces('text/csv', 'application/x-ndjson')
  async rejected(@Param('id') id: string, @CurrentCaller() { tenant }: Caller): Promise<StreamableFile> {
    const row = await this.imports.read(tenant, (tx) => wantedImport(tx, tenant, id));
    if (row.columns === null) throw new Problem(409, 'nothing_read', 'no row of the file has been read');
    const isCsv = row.format === 'csv';
    return new StreamableFile(Readable.from(this.imports.rejectedFile(tenant, row)), { type: isCsv ? 'text/csv; charset=utf-8' : 'application/x-ndjson', disposition: `attachment; filename="rejected.${isCsv ? 'csv' : 'jsonl'}"` });
  }
}
