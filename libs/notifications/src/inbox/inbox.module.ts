import { type CanActivate, Controller, type DynamicModule, type ExecutionContext, Get, Inject, Injectable, Module, Param, Res, UseGuards } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { Database } from '@valueverse/event-log';
import { notFound, Problem } from '@valueverse/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { listPage, mailPage, PAGE_POLICY } from './inbox-page';
import { type InboxMail, MailBook } from './mail-book';

const LINES_SHOWN = 200;
const MAILS_ANSWERED = 100;
const ID = /^[1-9]\d{0,17}$/;
const INDEX = /^\d{1,4}$/;
const LOOPBACK_ADDRESS = /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/;
const LOOPBACK_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i;

/** Lets in who sits at this machine. The name in the request is looked at too: a page of another site could have its name point here. */
@Injectable()
class LoopbackGuard implements CanActivate {
  canActivate(execution: ExecutionContext): boolean {
    const { headers: { host }, socket: { remoteAddress } } = execution.switchToHttp().getRequest<FastifyRequest>();
    if (!LOOPBACK_HOST.test(host ?? '') || !LOOPBACK_ADDRESS.test(remoteAddress ?? '')) throw new Problem(403, 'loopback_only', 'the inbox is shown on its own machine only, as localhost');
    return true;
  }
}

/** ASCII for every browser; the name as it was, percent-encoded, for those that read it. */
const dispositionOf = (fileName: string): string =>
  `attachment; filename="${fileName.replace(/[^A-Za-z0-9._ -]/g, '_')}"; filename*=UTF-8''${percentEncoded(fileName)}`;
// Half of a surrogate pair cannot be encoded: by way of bytes it becomes the sign for what cannot be shown.
const percentEncoded = (text: string): string => encodeURIComponent(Buffer.from(text).toString()).replace(/['()*]/g, (character) => `%${character.charCodeAt(0).toString(16)}`);

/** The mails that left this machine's services, to look at. */
@ApiExcludeController()
@Controller()
@UseGuards(LoopbackGuard)
class InboxController {
  constructor(@Inject(MailBook) private readonly book: MailBook) {}

  @Get('mail')
  async list(@Res() reply: FastifyReply): Promise<void> { this.show(reply, listPage(await this.book.list(LINES_SHOWN))); }

  @Get('mail.json')
  async json(): Promise<{ data: unknown[] }> {
    const mails = await this.book.read(MAILS_ANSWERED);
    return { data: mails.map(({ attachments, ...mail }) => ({ ...mail, attachments: attachments.map(({ fileName, bytes }) => ({ fileName, bytes })) })) };
  }

  @Get('mail/:id')
  async one(@Param('id') id: string, @Res() reply: FastifyReply): Promise<void> { this.show(reply, mailPage(await this.mail(id))); }

  @Get('mail/:id/attachments/:index')
  async attachment(@Param('id') id: string, @Param('index') index: string, @Res() reply: FastifyReply): Promise<void> {
    const found = INDEX.test(index) ? (await this.mail(id)).attachments[Number(index)] : undefined;
    if (found === undefined) throw notFound('there is no such attachment');
    await reply.header('Content-Disposition', dispositionOf(found.fileName)).type('application/octet-stream').send(found.content);
  }

  private async mail(id: string): Promise<InboxMail> {
    const mail = ID.test(id) ? await this.book.one(id) : undefined;
    if (mail === undefined) throw notFound('there is no such mail');
    return mail;
  }

  private show(reply: FastifyReply, html: string): void {
    void reply.header('Content-Security-Policy', PAGE_POLICY).type('text/html; charset=utf-8').send(html);
  }
}

/** The inbox's page at `/mail`, for a host that only its own machine can reach. */
@Module({})
export class InboxModule {
  /** `database` is that of the notifications service. */
  static of(database: Database): DynamicModule {
    return { module: InboxModule, controllers: [InboxController], providers: [{ provide: MailBook, useValue: new MailBook(database) }, LoopbackGuard] };
  }
}
