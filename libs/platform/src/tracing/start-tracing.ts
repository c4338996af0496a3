import { diag, DiagLogLevel } from '@opentelemetry/api';
import { switchTracing } from '@valueverse/event-log';
import type { Logger } from '../logging/logger';

/** Traces that are being sent. */
export interface Tracing {
  /** Sends what is not sent yet, and ends. */
  stop(): Promise<void>;
}

const ENDPOINTS = ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'];
/** Not the process or its host: a command line may hold what is secret. */
const RESOURCE_DETECTORS = 'env,serviceinstance';
const NO_TRACING: Tracing = { stop: async () => undefined };

/** Whether the settings of OpenTelemetry ask for traces: an endpoint or an exporter is named, and they are not switched off. */
export const tracingIsWanted = (env: NodeJS.ProcessEnv): boolean => {
  if (env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none') return false;
  return [...ENDPOINTS, 'OTEL_TRACES_EXPORTER'].some((name) => Boolean(env[name]));
};

/** The name in `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` goes before ours. */
const serviceNameOf = (service: string, env: NodeJS.ProcessEnv): { serviceName?: string } =>
  (env['OTEL_SERVICE_NAME'] || /(^|,)\s*service\.name=/.test(env['OTEL_RESOURCE_ATTRIBUTES'] ?? '') ? {} : { serviceName: service });

/**
 * Sends traces where `OTEL_*` asks for them, before the host is made. The SDK is loaded here and only then.
 */
export const startTracing = async (service: string, logger: Logger, env: NodeJS.ProcessEnv = process.env): Promise<Tracing> => {
  if (!tracingIsWanted(env)) return NO_TRACING;
  const { NodeSDK } = await import('@opentelemetry/sdk-node');
  env['OTEL_NODE_RESOURCE_DETECTORS'] ??= RESOURCE_DETECTORS;
  const say = (level: 'error' | 'warn') => (message: string, ...rest: unknown[]): void => logger[level]({ opentelemetry: rest }, message);
  const quiet = (): void => undefined;
  if (!env['OTEL_LOG_LEVEL']) diag.setLogger({ error: say('error'), warn: say('warn'), info: quiet, debug: quiet, verbose: quiet }, DiagLogLevel.WARN);
  const sdk = new NodeSDK({ ...serviceNameOf(service, env), metricReaders: [], logRecordProcessors: [] });
  sdk.start();
  switchTracing(true);
  return {
    stop: async () => {
      switchTracing(false);
      // A receiver that is away must not hold up the end.
      await sdk.shutdown().catch((error: unknown) => logger.warn({ err: error }, 'the last traces could not be sent'));
    },
  };
};
