import type { Schema, TypeOf } from './schema';

/** The topics of the log, by name. The record key is the stream id; of a usage envelope, which holds many subjects of one partition, its own id. */
export const TOPICS = {
  'usage.meters': { owner: 'usage', kind: 'facts' },
  'usage.events': { owner: 'usage', kind: 'transport' },
  'usage.ingress': { owner: 'usage', kind: 'transport', from: 'clients' },
  'usage.ingress.rejected': { owner: 'usage', kind: 'transport' },
  'usage.statements': { owner: 'usage', kind: 'facts' },
  'billing.accounts': { owner: 'billing', kind: 'facts' },
  'billing.plans': { owner: 'billing', kind: 'facts' },
  'billing.subscriptions': { owner: 'billing', kind: 'facts' },
  'billing.statement-requests': { owner: 'billing', kind: 'facts' },
  'billing.invoices': { owner: 'billing', kind: 'facts' },
  'payments.methods': { owner: 'payments', kind: 'facts' },
  'payments.payments': { owner: 'payments', kind: 'facts' },
  'notifications.messages': { owner: 'notifications', kind: 'facts' },
  'identity.credentials': { owner: 'billing', kind: 'facts' },
  'identity.personal-keys': { owner: 'billing', kind: 'keys' },
  'platform.clocks': { owner: 'billing', kind: 'facts' },
} as const satisfies Record<string, { owner: ServiceName; kind: TopicKind; from?: 'clients' }>;

export type Topic = keyof typeof TOPICS;
export type ServiceName = 'usage' | 'billing' | 'payments' | 'notifications';
/** `facts` are kept for ever, `transport` a week, of `keys` the latest record of each key. */
export type TopicKind = 'facts' | 'transport' | 'keys';

export const SERVICES: readonly ServiceName[] = ['usage', 'billing', 'payments', 'notifications'];

/** Partitions of a topic of facts: those of the store it comes from. They never change. */
export const FACT_PARTITIONS = 16;
/** Where every accepted usage event is, in envelopes. */
export const USAGE_TOPIC = 'usage.events' satisfies Topic;
/** Partitions of the topics of usage. They never change. */
export const USAGE_PARTITIONS = 32;
/** Whether clients write a topic: anything may be in it, offsets have holes where they used transactions, and what is read of it is for its reader to check. */
export const isFromClients = (topic: Topic): boolean => 'from' in TOPICS[topic];
export const partitionsOf = (topic: Topic): number => (TOPICS[topic].kind === 'transport' ? USAGE_PARTITIONS : FACT_PARTITIONS);

export interface EventDefinition<Name extends string = string, Data = unknown> {
  /** The name in the code, such as `InvoiceFinalized`. */
  readonly name: Name;
  /** The type on the wire, such as `dev.valueverse.billing.invoice.finalized.v1`. */
  readonly type: string;
  readonly version: number;
  readonly topic: Topic;
  readonly schema: Schema<Data>;
  /** The field of the data that names the owner of the personal fields. */
  readonly personalKey?: string;
  /** Older versions of this event, oldest first, each with the step to the next one. */
  readonly history?: readonly OlderVersion[];
}
export interface OlderVersion {
  readonly version: number;
  readonly upcast: (data: Record<string, unknown>) => Record<string, unknown>;
}

/** The event as the domain sees it: its name as `type`, its data beside it. */
export type EventOf<D> = D extends EventDefinition<infer Name, infer Data> ? { readonly type: Name } & Data : never;

const pascal = (text: string): string => text.split(/[._-]/).map((part) => part.charAt(0).toUpperCase() + part.slice(1)).join('');

/**
 * Declares a fact. `fact` is `entity.past_participle`, such as `invoice.finalized`; the context comes from the topic.
 * Within a version optional fields may be added; anything else is a new version with an upcaster from the old one.
 */
export const defineEvent = <Name extends string, S extends Schema<unknown>>(definition: {
  name: Name; topic: Topic; fact: string; version?: number; data: S; personalKey?: string; history?: readonly OlderVersion[];
}): EventDefinition<Name, TypeOf<S>> => {
  const { name, topic, fact, data, personalKey, history } = definition;
  const version = definition.version ?? 1;
  if (pascal(fact) !== name) throw new Error(`${name} is not the name of ${fact}`);
  const context = topic.slice(0, topic.indexOf('.'));
  return {
    name, topic, version, type: `dev.valueverse.${context}.${fact}.v${version}`, schema: data as Schema<TypeOf<S>>,
    ...(personalKey === undefined ? {} : { personalKey }), ...(history === undefined ? {} : { history }),
  };
};
