import { type CallHandler, type ExecutionContext, Inject, Injectable, type NestInterceptor } from '@nestjs/common';
import { redact, requestContext, type Service } from '@valueverse/platform';
import type { FastifyRequest } from 'fastify';
import { from, type Observable, switchMap, tap, throwError, catchError } from 'rxjs';
import { recordAct, type OperatorAct } from './acts';
import { OPERATED, type Operated } from './operated';

const DETAILS_LENGTH_MAX = 4_000;
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
const PREFIX = '/api/v1/operator/';

/**
 * Writes down what operators do before it is done, and how it ended: in the service that it is done to. What cannot be written down is not done. A beginning
 * without an end is an act whose process ended.
 */
@Injectable()
export class ActsInterceptor implements NestInterceptor {
  constructor(@Inject(OPERATED) private readonly operated: Operated) {}

  intercept(execution: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = execution.switchToHttp().getRequest<FastifyRequest>();
    if (SAFE_METHODS.has(request.method) || !request.url.startsWith(PREFIX)) return next.handle();
    const { traceId = '', actor = 'unknown' } = requestContext() ?? {};
    const parameters = request.params as Readonly<Record<string, string>>;
    const act = {
      actor, act: `${request.method} ${request.routeOptions.url ?? request.url}`, subject: Object.values(parameters).join(' '), trace: traceId,
      details: JSON.stringify(redact(request.body ?? {})).slice(0, DETAILS_LENGTH_MAX),
    };
    const service = this.serviceOf(parameters['service']);
    const note = (outcome: string): Promise<void> => recordAct(service, { ...act, outcome } satisfies OperatorAct);
    const ended = (outcome: string): void => { void note(outcome).catch((error: unknown) => service.logger.error({ err: error, act: act.act }, 'the end of an act could not be written down')); };
    return from(note('begun')).pipe(
      switchMap(() => next.handle().pipe(tap({ complete: () => ended('done') }), catchError((error: unknown) => {
        ended(`refused: ${(error as { code?: string }).code ?? (error as Error).name}`);
        return throwError(() => error);
      }))),
    );
  }

  private serviceOf(name: string | undefined): Service {
    const { services } = this.operated;
    return services.find((service) => service.name === name) ?? services.find((service) => service.name === 'billing') ?? services[0]!;
  }
}
