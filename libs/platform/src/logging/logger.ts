import type { LoggerService } from '@nestjs/common';
import { type DestinationStream, type Logger as PinoLogger, pino, stdSerializers, stdTimeFunctions } from 'pino';
import { workContext } from '@valueverse/event-log';

/** Writes one JSON line for each call: `logger.info({ invoiceId }, 'an invoice was finalized')`. */
export type Logger = PinoLogger;
export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'silent';

export interface LoggerOptions {
  readonly service: string;
  readonly level?: LogLevel;
  /** Standard output when it is not given. */
  readonly destination?: DestinationStream;
}

const REDACTED = '[redacted]';
const SECRET_NAMES = /^(authorization|proxy-authorization|cookie|set-cookie|password|passphrase|secret|.*[-_]?secret|token|.*[-_]?token|api-?key|.*signature|credential|credentials|master[-_]?key|database[-_]?url)$/i;
/** Our keys, webhook secrets, and the password inside a URL, wherever they stand in a text. */
const SECRET_TEXTS: readonly (readonly [RegExp, string])[] = [
  [/\bvv_(test|live)_(sk|ik|pk)_[A-Za-z0-9_]+/g, `vv_$1_$2_${REDACTED}`],
  [/\bwhsec_[A-Za-z0-9+/=_-]+/g, `whsec_${REDACTED}`],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]+/gi, `$1 ${REDACTED}`],
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]+):[^\s@/]+@/gi, `$1:${REDACTED}@`],
];
const DEPTH_MAX = 6;
const ENTRIES_MAX = 200;

/** Replaces secrets by their name and by their look, however deep they lie. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return SECRET_TEXTS.reduce((text, [pattern, by]) => text.replace(pattern, by), value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEPTH_MAX) return '[deeper]';
  if (value instanceof Error) return redact(stdSerializers.err(value), depth);
  if (Buffer.isBuffer(value)) return `[${value.length} bytes]`;
  if (Array.isArray(value)) return value.slice(0, ENTRIES_MAX).map((item) => redact(item, depth + 1));
  return Object.fromEntries(Object.entries(value).slice(0, ENTRIES_MAX)
    .map(([name, inner]) => [name, SECRET_NAMES.test(name) ? REDACTED : redact(inner, depth + 1)]));
}

/** A logger of one service; the trace id, tenant and correlation id of the work at hand stand in each line. */
export function createLogger({ service, level = 'info', destination }: LoggerOptions): Logger {
  const options = {
    level,
    base: { service },
    messageKey: 'message',
    timestamp: stdTimeFunctions.isoTime,
    mixin: () => {
      const { traceId, tenant, correlationId } = workContext() ?? {};
      return { ...(traceId === undefined ? {} : { traceId }), ...(tenant === undefined ? {} : { tenant }), ...(correlationId === undefined ? {} : { correlationId }) };
    },
    serializers: { err: (error: unknown) => error },
    formatters: {
      level: (label: string) => ({ level: label }),
      log: (fields: Record<string, unknown>) => redact(fields) as Record<string, unknown>,
    },
    hooks: {
      logMethod(this: PinoLogger, parameters: Parameters<PinoLogger['info']>, method: PinoLogger['info']) {
        const scrubbed = parameters.map((parameter: unknown) => (typeof parameter === 'string' ? redact(parameter) : parameter));
        return method.apply(this, scrubbed as Parameters<PinoLogger['info']>);
      },
    },
  };
  return destination ? pino(options, destination) : pino(options);
}

/** Lets Nest write through our logger, so that its lines look like all others. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, ...rest: unknown[]): void { this.write('debug', message, rest); }
  debug(message: unknown, ...rest: unknown[]): void { this.write('debug', message, rest); }
  verbose(message: unknown, ...rest: unknown[]): void { this.write('debug', message, rest); }
  warn(message: unknown, ...rest: unknown[]): void { this.write('warn', message, rest); }
  error(message: unknown, ...rest: unknown[]): void { this.write('error', message, rest); }
  fatal(message: unknown, ...rest: unknown[]): void { this.write('fatal', message, rest); }

  private write(level: 'debug' | 'warn' | 'error' | 'fatal', message: unknown, rest: unknown[]): void {
    const context = typeof rest.at(-1) === 'string' ? rest.at(-1) : undefined;
    const stack = rest.length > 1 && typeof rest[0] === 'string' ? rest[0] : undefined;
    const fields = { ...(context === undefined ? {} : { context }), ...(stack === undefined ? {} : { stack }) };
    if (message instanceof Error) this.logger[level]({ ...fields, err: message }, message.message);
    else this.logger[level](fields, typeof message === 'string' ? message : JSON.stringify(redact(message)));
  }
}
