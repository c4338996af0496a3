import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';

/** What the document says of the service. */
export interface OpenApiOptions {
  readonly title: string;
  readonly version: string;
  readonly description?: string;
}

interface Operation {
  responses?: Record<string, unknown>;
  security?: unknown[];
}

const METHODS = ['get', 'put', 'post', 'delete', 'patch'] as const;
const PROBLEM_REFERENCE = '#/components/schemas/Problem';
const FIELD_FAULT_SCHEMA = {
  type: 'object',
  required: ['pointer', 'code', 'detail'],
  properties: {
    pointer: { type: 'string', description: 'The field at fault (RFC 6901)', example: '/lines/0/unitAmount' },
    code: { type: 'string', example: 'decimal_string_expected' },
    detail: { type: 'string' },
  },
};
const PROBLEM_SCHEMA = {
  type: 'object',
  description: 'What went wrong (RFC 9457). `code` is stable and made for programs.',
  required: ['type', 'title', 'status', 'instance', 'code', 'traceId'],
  properties: {
    type: { type: 'string', format: 'uri-reference' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    instance: { type: 'string' },
    code: { type: 'string', example: 'invalid_request' },
    traceId: { type: 'string' },
    errors: { type: 'array', items: FIELD_FAULT_SCHEMA },
  },
};

/**
 * The OpenAPI 3.1 document of an application: operation ids are `<controller><Method>` and so stay as long as the names in
 * the code do, every operation can answer with a problem, and paths and schemas are in order, so that the file is stable. `more` are paths that
 * Nest does not know of.
 */
export function buildOpenApi(app: INestApplication, options: OpenApiOptions, more: OpenAPIObject['paths'] = {}): OpenAPIObject {
  const builder = new DocumentBuilder().setOpenAPIVersion('3.1.0').setTitle(options.title).setVersion(options.version)
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'A secret, ingest or publishable key, or the access token of a user' }, 'bearer')
    .addSecurityRequirements('bearer');
  if (options.description !== undefined) builder.setDescription(options.description);
  const document = SwaggerModule.createDocument(app, builder.build(), { operationIdFactory });
  const schemas = { ...document.components?.schemas, Problem: PROBLEM_SCHEMA };
  const paths = { ...document.paths };
  // A path may have operations on both sides.
  for (const [path, operations] of Object.entries(more)) paths[path] = { ...paths[path], ...structuredClone(operations) };
  for (const path of Object.values(paths)) {
    for (const method of METHODS) {
      const operation = path[method] as Operation | undefined;
      if (operation) operation.responses = { ...operation.responses, default: { description: 'What went wrong', content: { 'application/problem+json': { schema: { $ref: PROBLEM_REFERENCE } } } } };
    }
  }
  return { ...document, paths: sorted(paths), components: { ...document.components, schemas: sorted(schemas) as never } };
}

/** `InvoicesController.finalize` becomes `invoicesFinalize`. */
function operationIdFactory(controller: string, method: string): string {
  const subject = controller.replace(/Controller$/, '');
  return subject.charAt(0).toLowerCase() + subject.slice(1) + method.charAt(0).toUpperCase() + method.slice(1);
}

const sorted = <T>(record: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(record).sort(([left], [right]) => (left < right ? -1 : 1)));

/** Serves the document at `/docs/openapi.json` and a page to try it at `/docs`. It is built for the first who asks: a start does not wait for it. */
export function serveDocs(app: INestApplication, options: OpenApiOptions, more: OpenAPIObject['paths']): void {
  SwaggerModule.setup('docs', app, () => buildOpenApi(app, options, more), { jsonDocumentUrl: 'docs/openapi.json', customSiteTitle: options.title, raw: ['json'] });
}
