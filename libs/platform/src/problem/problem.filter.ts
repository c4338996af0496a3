import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '../logging/logger';
import { contextOf } from '../http/request-context';
import { Problem } from './problem';
import { problemOf } from './problem-of';

/** Renders every error of every route as `application/problem+json`, and writes those that nobody foresaw into the log. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger, private readonly methodsOf: (path: string) => readonly string[]) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.answer(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }

  /** Also called for what fails before Nest has a say. */
  answer(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const { traceId } = contextOf(request);
    const path = pathOf(request);
    const { problem, unexpected } = problemOf(this.wrongMethod(error, request, path) ?? error);
    if (unexpected) this.logger.error({ err: error, path, traceId }, 'a request failed unexpectedly');
    if (reply.sent) return;
    void reply.code(problem.status).headers(problem.headers).type('application/problem+json')
      .serializer((text: unknown) => text as string).send(JSON.stringify(problem.body(path, traceId)));
  }

  /** A path that exists for another method is not a path that does not exist. */
  private wrongMethod(error: unknown, request: FastifyRequest, path: string): Problem | undefined {
    // Only Nest's own "no such route" carries this message: a controller's 404 is left as it is.
    if (!(error instanceof HttpException) || error.getStatus() !== 404 || !error.message.startsWith('Cannot ')) return undefined;
    const methods = this.methodsOf(path);
    if (methods.length === 0) return new Problem(404, 'not_found', 'there is no such path');
    const allow = [...methods].sort().join(', ');
    return new Problem(405, 'method_not_allowed', `${request.method} is not served here, ${allow} is`, { headers: { Allow: allow } });
  }
}

/** The path without its query, which may hold what the log must not. */
export const pathOf = (request: { url: string }): string => request.url.split('?', 1)[0] ?? '/';
