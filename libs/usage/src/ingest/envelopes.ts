import { isBefore, type IdSource } from '@valueverse/kernel';
import { markSpan, SpanKind, type NewRecord } from '@valueverse/event-log';

/** Events of one request for one partition of `usage.events`, as text. */
export interface Parcel {
  readonly partition: number;
  readonly tenant: string;
  readonly receivedAt: string;
  readonly traceparent?: string | undefined;
  /** JSON of the events. */
  readonly events: readonly string[];
}
interface Draft { readonly tenant: string; recordedAt: string; readonly requests: Set<string>; readonly events: string[]; characters: number }

/** A record stays well below the megabyte that brokers take. */
const ENVELOPE_CHARACTERS_MAX = 250_000;
export const ENVELOPE_EVENTS_MAX = 1_000;

/** Puts parcels of one partition into envelopes, in their order: one for each tenant among them, more where that would be too large. */
export const envelopesOf = (parcels: readonly Parcel[], ids: IdSource): NewRecord[] => {
  const drafts: Draft[] = [];
  const latest = new Map<string, Draft>();
  for (const { tenant, receivedAt, traceparent, events } of parcels) {
    for (const event of events) {
      let draft = latest.get(tenant);
      if (draft === undefined || draft.events.length >= ENVELOPE_EVENTS_MAX || draft.characters + event.length > ENVELOPE_CHARACTERS_MAX) {
        draft = { tenant, recordedAt: receivedAt, requests: new Set(), events: [], characters: 0 };
        drafts.push(draft);
        latest.set(tenant, draft);
      }
      if (draft.recordedAt !== receivedAt && isBefore(draft.recordedAt, receivedAt)) draft.recordedAt = receivedAt;
      if (traceparent !== undefined) draft.requests.add(traceparent);
      draft.events.push(event);
      draft.characters += event.length;
    }
  }
  return drafts.map((draft) => envelopeOf(draft, ids));
};

const envelopeOf = ({ tenant, recordedAt, requests, events }: Draft, ids: IdSource): NewRecord => {
  const id = ids.next('env');
  // Of many requests: where they are not of one trace, the envelope has its own and is linked to each.
  const traceparent = markSpan('create usage.events', { kind: SpanKind.PRODUCER, attributes: { 'valueverse.tenant': tenant, 'valueverse.usage.events': events.length }, causes: [...requests] });
  const head = JSON.stringify({ id, tenant, recordedAt, traceparent });
  return {
    key: id,
    value: `${head.slice(0, -1)},"events":[${events.join(',')}]}`,
    headers: { ce_tenant: tenant, 'content-type': 'application/json', ...(traceparent === undefined ? {} : { traceparent }) },
  };
};
