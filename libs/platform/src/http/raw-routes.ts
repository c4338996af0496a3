import type { OpenAPIObject } from '@nestjs/swagger';
import type { FastifyInstance } from 'fastify';
import type { PlatformParts } from '../platform.module';
import type { ProblemFilter } from '../problem/problem.filter';

/** Routes that stand on Fastify itself, beside Nest: for what comes so often, or is so large, that pipes, guards and interceptors would cost more than the work. */
export interface RawRoutes {
  /**
   * Adds the routes to a scope that has no parser of bodies yet. Context, spans, metrics and headers are those of every route of the host, and so is the
   * answer to what is thrown; who may ask is theirs to check.
   */
  readonly register: (scope: FastifyInstance, parts: PlatformParts) => void;
  /** The same in the words of OpenAPI, because Nest does not know of them. */
  readonly paths: OpenAPIObject['paths'];
}

export const addRawRoutes = (instance: FastifyInstance, all: readonly RawRoutes[], parts: PlatformParts, filter: ProblemFilter): void => {
  for (const { register } of all) {
    void instance.register((scope, _options, done) => {
      scope.removeAllContentTypeParsers();
      scope.setErrorHandler((error, request, reply) => filter.answer(error, request, reply));
      register(scope, parts);
      done();
    });
  }
};

/** The paths of raw routes for the document of their host. */
export const pathsOf = (all: readonly RawRoutes[]): OpenAPIObject['paths'] => Object.assign({}, ...all.map(({ paths }) => paths)) as OpenAPIObject['paths'];
