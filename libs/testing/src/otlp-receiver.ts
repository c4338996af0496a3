import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A span as it came over the wire. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly service: string;
  readonly startNanos: bigint;
  readonly endNanos: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly isFailed: boolean;
}
export interface OtlpReceiver {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`; the protocol is `http/json`. */
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** Every body as it came: what must not be in it is looked for here. */
  readonly bodies: readonly string[];
  stop(): Promise<void>;
}

interface Value { stringValue?: string; intValue?: string | number; boolValue?: boolean; doubleValue?: number; arrayValue?: { values?: Value[] } }
interface Attribute { key: string; value: Value }
interface WireSpan {
  traceId: string; spanId: string; parentSpanId?: string; name: string; startTimeUnixNano: string; endTimeUnixNano: string;
  attributes?: Attribute[]; links?: { traceId: string; spanId: string }[]; status?: { code?: number };
}
interface Body { resourceSpans?: { resource?: { attributes?: Attribute[] }; scopeSpans?: { spans?: WireSpan[] }[] }[] }

const FAILED = 2;
const valueOf = ({ stringValue, intValue, boolValue, doubleValue, arrayValue }: Value): unknown =>
  stringValue ?? (intValue === undefined ? undefined : Number(intValue)) ?? boolValue ?? doubleValue ?? arrayValue?.values?.map(valueOf);
const attributesOf = (list: readonly Attribute[] = []): Record<string, unknown> => Object.fromEntries(list.map(({ key, value }) => [key, valueOf(value)]));

const spansOf = ({ resourceSpans = [] }: Body): ReceivedSpan[] => resourceSpans.flatMap(({ resource, scopeSpans = [] }) => {
  const service = String(attributesOf(resource?.attributes)['service.name']);
  return scopeSpans.flatMap(({ spans = [] }) => spans.map((span) => ({
    traceId: span.traceId, spanId: span.spanId, parentSpanId: span.parentSpanId || undefined, name: span.name, service,
    startNanos: BigInt(span.startTimeUnixNano), endNanos: BigInt(span.endTimeUnixNano), attributes: attributesOf(span.attributes),
    links: (span.links ?? []).map(({ traceId, spanId }) => ({ traceId, spanId })), isFailed: span.status?.code === FAILED,
  })));
});

/** Receives traces by OTLP over HTTP as JSON. */
export const startOtlpReceiver = async (): Promise<OtlpReceiver> => {
  const spans: ReceivedSpan[] = [];
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      bodies.push(body);
      spans.push(...spansOf(JSON.parse(body) as Body));
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans, bodies,
    stop: async () => { server.closeAllConnections(); await new Promise((resolve) => { server.close(resolve); }); },
  };
};
