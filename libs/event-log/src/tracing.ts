import { microsBetween } from '@valueverse/kernel';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Attributes, type Context, type Link, type Span, type SpanContext } from '@opentelemetry/api';
import type { Fact } from './codec/codec';
import type { CommandContext } from './execute/execute';
import type { FeedRecord, NewRecord, TopicPartition } from './feed/feed';
import { contextAfter, partsOf, runInContext, workContext, type WorkContext } from './work-context';

export { SpanKind, SpanStatusCode, type Span } from '@opentelemetry/api';

/** The causes that one span names by links. Of more the latest are named, and `valueverse.links.omitted` counts the others. */
export const LINKS_MAX = 64;
/** Facts of a stream that a decision on it names. */
const STREAM_LINKS_MAX = 16;
const HEX = 16;
/** Where a fact or an envelope says its trace: before its data. */
const HEAD_LENGTH_MAX = 2_048;
const LATER = 'later:';
const LATER_MICROS = 60_000_000n;

const tracer = trace.getTracer('valueverse');
let isOn = false;

/** Whether spans are made. Off, nothing of what is below costs more than a look at this. */
export const tracingIsOn = (): boolean => isOn;
export const switchTracing = (on: boolean): void => { isOn = on; };

export interface SpanOptions {
  readonly kind?: SpanKind;
  readonly attributes?: Attributes;
  /** The trace context of the parent. Absent: that of the work at hand. */
  readonly parent?: string | undefined;
  /** What this is made of, as trace contexts. Where all are of one trace the first is the parent; where not, this is a trace of its own. Each is a link. */
  readonly causes?: readonly (string | undefined)[];
  /** A trace of its own, linked to its causes, also where they are of one. */
  readonly isOwnTrace?: boolean;
}

const spanContextOf = (traceparent: string | undefined): SpanContext | undefined => {
  const parts = partsOf(traceparent);
  return parts === undefined ? undefined : { traceId: parts.traceId, spanId: parts.spanId, traceFlags: Number.parseInt(parts.flags, HEX), isRemote: true };
};
const traceparentOf = ({ traceId, spanId, traceFlags }: SpanContext): string => `00-${traceId}-${spanId}-${traceFlags.toString(HEX).padStart(2, '0')}`;

const linksTo = (causes: readonly (string | undefined)[], most = LINKS_MAX): { links: Link[]; attributes: Attributes } => {
  const distinct = [...new Set(causes)].flatMap((cause) => { const context = spanContextOf(cause); return context === undefined ? [] : [{ context }]; });
  return { links: distinct.slice(-most), attributes: distinct.length > most ? { 'valueverse.links.omitted': distinct.length - most } : {} };
};

const parentOf = ({ parent, causes, isOwnTrace }: SpanOptions, links: readonly Link[]): Context => {
  if (parent !== undefined || causes === undefined) {
    const context = spanContextOf(parent ?? workContext()?.traceparent);
    return context === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, context);
  }
  if (isOwnTrace) return ROOT_CONTEXT;
  const [first] = links;
  const isOneTrace = first !== undefined && links.every(({ context }) => context.traceId === first.context.traceId);
  return isOneTrace ? trace.setSpanContext(ROOT_CONTEXT, first.context) : ROOT_CONTEXT;
};

/** Begins a span; the one who gets it ends it. Only where `tracingIsOn`. */
export const beginSpan = (name: string, options: SpanOptions): { readonly span: Span; readonly context: WorkContext } => {
  const { links, attributes } = linksTo(options.causes ?? []);
  const span = tracer.startSpan(name, { kind: options.kind ?? SpanKind.INTERNAL, attributes: { ...options.attributes, ...attributes }, links }, parentOf(options, links));
  const { traceId } = span.spanContext();
  return { span, context: { traceId, traceparent: traceparentOf(span.spanContext()) } };
};

/** A failure is told by the kind of its error alone: messages may hold what is nobody's business. */
export const failSpan = (span: Span, error: unknown): void => {
  span.setAttribute('error.type', (error as { code?: unknown }).code?.toString() ?? (error instanceof Error ? error.name : 'unknown'));
  span.setStatus({ code: SpanStatusCode.ERROR });
};

/** Tells the span of a failure that its work deals with by itself. */
export type FailSpan = (error: unknown) => void;

/** Does work inside a span: what it appends, sends and asks for is part of it. */
export const inSpan = async <T>(name: string, options: SpanOptions, work: (fail: FailSpan) => Promise<T>): Promise<T> => {
  if (!isOn) return work(() => undefined);
  const { span, context } = beginSpan(name, options);
  try {
    return await runInContext({ ...workContext(), ...context }, () => work((error) => failSpan(span, error)));
  } catch (error) {
    failSpan(span, error);
    throw error;
  } finally {
    span.end();
  }
};

/** A moment as a span: answers the trace context to pass on, or the one of the only cause where nothing is traced. */
export const markSpan = (name: string, options: SpanOptions & { readonly causes: readonly (string | undefined)[] }): string | undefined => {
  if (!isOn) return options.causes[0];
  const { span, context } = beginSpan(name, options);
  span.end();
  return context.traceparent;
};

const inHead = (text: string, name: string): string | undefined => {
  const start = text.indexOf(`"${name}":"`);
  if (start < 0 || start > HEAD_LENGTH_MAX) return undefined;
  const from = start + name.length + 4;
  return text.slice(from, text.indexOf('"', from));
};

/** The header that says which trace a fact is part of, from its text. */
export const traceHeader = (body: string): Record<string, string> => {
  const traceparent = inHead(body, 'traceparent');
  return traceparent === undefined ? {} : { traceparent };
};

/** A topic, and the partition where there is only one. */
type Place = Pick<TopicPartition, 'topic'> & Partial<TopicPartition>;

const messaging = (system: string, operation: string, { topic, partition }: Place, records: readonly unknown[]): Attributes => ({
  'messaging.system': system, 'messaging.operation.name': operation, 'messaging.operation.type': operation, 'messaging.destination.name': topic,
  ...(partition === undefined ? {} : { 'messaging.destination.partition.id': String(partition) }), 'messaging.batch.message_count': records.length,
});

/** Hands records to the feed: one span for all of them, linked to what each is part of. */
export const sending = <T>(system: string, partition: Place, records: readonly NewRecord[], work: () => Promise<T>): Promise<T> => {
  if (!isOn) return work();
  return inSpan(`send ${partition.topic}`, { kind: SpanKind.PRODUCER, attributes: messaging(system, 'send', partition, records), causes: records.map(({ headers }) => headers['traceparent']) }, work);
};

/** Handles records: log lines meanwhile say whose they are. */
export const withRecords = <T>(records: readonly FeedRecord[], work: () => Promise<T>): Promise<T> => {
  const [first] = records;
  if (first === undefined) return work();
  const tenant = first.headers['ce_tenant'];
  const known = isOn ? workContext() : undefined;
  return runInContext({
    ...(known ?? contextAfter(first.headers['traceparent'])),
    ...(records.every(({ headers }) => headers['ce_tenant'] === tenant) ? { tenant } : {}),
    ...(records.length === 1 ? { correlationId: inHead(first.value, 'correlationid') } : {}),
  }, work);
};

/** Handles a run of records, of one partition or of several, by one consumer: one span for all of them, linked to what each is part of. */
export const processing = <T>(reader: { readonly system: string; readonly group: string; readonly consumer: string }, partition: Place, records: readonly FeedRecord[], work: () => Promise<T>): Promise<T> => {
  if (records.length === 0) return work();
  if (!isOn) return withRecords(records, work);
  const attributes = { ...messaging(reader.system, 'process', partition, records), 'messaging.consumer.group.name': reader.group, 'valueverse.consumer': reader.consumer };
  return inSpan(`process ${partition.topic}`, { kind: SpanKind.CONSUMER, attributes, causes: records.map(({ headers }) => headers['traceparent']) }, () => withRecords(records, work));
};

/** What one fact is handled in: its own trace and correlation, also where it came with others. */
export const contextOfFact = ({ tenant, correlationId, traceparent }: Pick<Fact, 'tenant' | 'correlationId' | 'traceparent'>): WorkContext => ({ ...contextAfter(traceparent), tenant, correlationId });

/** Begins the span of one decision. Answers the trace context that its facts carry. */
export type BeginAppend = (decider: string, context: CommandContext, stream: readonly Fact[]) => string | undefined;

/**
 * The spans of one append, one for each decision, ended together. A decision is part of the trace of its cause; what it rests on beside that is linked: the facts
 * of its stream, what its command says it is made of, and the batch that it was found in.
 */
export const appending = async <T>(work: (begin: BeginAppend) => Promise<T>): Promise<T> => {
  if (!isOn) return work((_decider, { traceparent }) => traceparent);
  const spans: Span[] = [];
  const begin: BeginAppend = (decider, { tenant, traceparent, madeOf = [] }, stream) => {
    const others = [...stream.slice(-STREAM_LINKS_MAX).map((fact) => fact.traceparent), ...madeOf, workContext()?.traceparent].filter((other) => other !== traceparent);
    const { links, attributes } = linksTo(others);
    const parent = spanContextOf(traceparent ?? workContext()?.traceparent);
    const span = tracer.startSpan(`append ${decider}`, { attributes: { 'valueverse.tenant': tenant, ...attributes }, links }, parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent));
    spans.push(span);
    return traceparentOf(span.spanContext());
  };
  try {
    return await work(begin);
  } catch (error) {
    for (const span of spans) failSpan(span, error);
    throw error;
  } finally {
    for (const span of spans) span.end();
  }
};

/** Facts are made under the correlation of what they follow from; a request has that of the first one that it makes. */
export const noteCorrelation = (correlationId: string): void => {
  const known = workContext();
  if (known !== undefined) known.correlationId ??= correlationId;
};

/** What a job is kept with: one that falls due more than a minute after its cause begins a trace of its own, linked to it, or a subscription would be one trace for years. */
export const traceOfJob = (traceparent: string | undefined, causedAt: string, dueAt: string): string | undefined =>
  (traceparent === undefined ? undefined : microsBetween(causedAt, dueAt) > LATER_MICROS ? LATER + traceparent : traceparent);

/** What a job that was kept so is part of, or is linked to. */
export const readTraceOfJob = (kept: string | null): { readonly traceparent?: string; readonly startedBy?: string } =>
  (kept === null ? {} : kept.startsWith(LATER) ? { startedBy: kept.slice(LATER.length) } : { traceparent: kept });
