import { Controller, Get, Inject, Param, Query, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Allow } from '@valueverse/auth';
import type { IssuedDocument } from '@valueverse/contracts';
import { notFound, Text } from '@valueverse/platform';
import { Documents } from './documents';

class DocumentQuery {
  @Text({ max: 128 }) tenant!: string;
}

const send = async (reply: FastifyReply, document: IssuedDocument | undefined): Promise<void> => {
  if (document === undefined) throw notFound();
  await reply.type('application/pdf').header('Content-Disposition', `attachment; filename="${document.fileName}"`).send(document.content);
};

/** For the other services, in the distributed edition. */
@ApiExcludeController()
@Controller('internal/v1')
@Allow('service')
export class DocumentsController {
  constructor(@Inject(Documents) private readonly documents: Documents) {}

  @Get('invoices/:id/pdf')
  async pdf(@Param('id') id: string, @Query() { tenant }: DocumentQuery, @Res() reply: FastifyReply): Promise<void> { await send(reply, await this.documents.pdf(tenant, id)); }

  @Get('credit-notes/:id/pdf')
  async creditNote(@Param('id') id: string, @Query() { tenant }: DocumentQuery, @Res() reply: FastifyReply): Promise<void> { await send(reply, await this.documents.creditNotePdf(tenant, id)); }
}
