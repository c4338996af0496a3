/** One field at fault: where it is (RFC 6901), a stable code for programs, a sentence for people. */
export interface FieldFault {
  readonly pointer: string;
  readonly code: string;
  readonly detail: string;
}

/** What a problem may say beside its status and code. */
export interface ProblemOptions {
  readonly title?: string;
  readonly errors?: readonly FieldFault[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as `Retry-After`, in whole seconds. */
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
}

/** The body of `application/problem+json` (RFC 9457). */
export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly instance: string;
  readonly code: string;
  readonly traceId: string;
  readonly errors?: readonly FieldFault[];
}

/** An answer that is not what the client asked for: HTTP status, stable code, and a sentence that may be shown to anybody. */
export class Problem extends Error {
  readonly title: string;
  readonly errors: readonly FieldFault[] | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(readonly status: number, readonly code: string, readonly detail?: string, options: ProblemOptions = {}) {
    super(detail ?? code, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Problem';
    this.title = options.title ?? titleOf(code);
    this.errors = options.errors;
    this.headers = {
      ...options.headers,
      ...(options.retryAfterSeconds === undefined ? {} : { 'Retry-After': String(Math.max(1, Math.ceil(options.retryAfterSeconds))) }),
    };
  }

  /** The problem as it is sent for one request. */
  body(instance: string, traceId: string): ProblemBody {
    return {
      type: `/docs/problems#${this.code}`,
      title: this.title,
      status: this.status,
      ...(this.detail === undefined ? {} : { detail: this.detail }),
      instance,
      code: this.code,
      traceId,
      ...(this.errors === undefined ? {} : { errors: this.errors }),
    };
  }
}

/** `body_too_large` reads "Body too large". */
const titleOf = (code: string): string => code.charAt(0).toUpperCase() + code.slice(1).replaceAll('_', ' ');

/** The codes that the host itself answers with. */
export const notFound = (detail = 'there is nothing here'): Problem => new Problem(404, 'not_found', detail);
export const invalidRequest = (errors: readonly FieldFault[], detail = 'the request is not well formed'): Problem =>
  new Problem(400, 'invalid_request', detail, { errors });
