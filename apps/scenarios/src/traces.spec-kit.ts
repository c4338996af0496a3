import type { ReceivedSpan } from '@valueverse/testing';

/** The spans on the way from a usage request to the e-mail. */
export const SPINE = [
  'POST /api/v1/usage/events', 'create usage.events', 'append statement', 'process usage.statements', 'append invoice', 'job billing.finalize-invoice',
  'process billing.invoices', 'append payment', 'job payments.run-attempt', 'provider charge', 'append message', 'job notifications.send', 'smtp send',
];

/** Settings that send traces to a receiver soon, and drop none. */
export const sendingTo = (url: string): Record<string, string> =>
  ({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', OTEL_BSP_SCHEDULE_DELAY: '100', OTEL_BSP_MAX_QUEUE_SIZE: '65536' });

const nameOf = ({ traceId, spanId }: { traceId: string; spanId: string }): string => `${traceId}/${spanId}`;

/** Everything that follows from a span: its children, what is linked to it, and so on. */
export const following = (spans: readonly ReceivedSpan[], start: ReceivedSpan): ReceivedSpan[] => {
  const next = new Map<string, ReceivedSpan[]>();
  for (const span of spans) {
    const causes = [...(span.parentSpanId === undefined ? [] : [{ traceId: span.traceId, spanId: span.parentSpanId }]), ...span.links];
    for (const cause of causes) next.set(nameOf(cause), [...(next.get(nameOf(cause)) ?? []), span]);
  }
  const seen = new Map([[nameOf(start), start]]);
  for (const span of seen.values()) for (const follower of next.get(nameOf(span)) ?? []) seen.set(nameOf(follower), follower);
  return [...seen.values()];
};
