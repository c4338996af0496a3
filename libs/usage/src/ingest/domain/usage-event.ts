/** A usage event as it is kept: what was sent, checked, with its time in UTC. */
export interface UsageEvent {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly data?: Readonly<Record<string, unknown>>;
  /** Extension attributes of CloudEvents, as they were sent. */
  readonly extensions?: Readonly<Record<string, string | number | boolean>>;
  /** Of what takes the place of an event that was sent before. Never sent by a client. */
  readonly correction?: Correction;
}

/** Why an event no longer counts as it was sent: `void` takes it back, `amend` puts this one in its place. */
export interface Correction {
  readonly id: string;
  readonly kind: 'void' | 'amend';
  readonly reason: string;
}

/** Events of one tenant that travel and are kept together. */
export interface Envelope {
  readonly id: string;
  readonly tenant: string;
  /** Wall time of the receipt of its latest event. */
  readonly recordedAt: string;
  readonly traceparent?: string;
  readonly events: readonly UsageEvent[];
}

/** Why an event was refused: a stable code, a sentence for people, and where in the event it is (RFC 6901); empty where it is the whole. */
export class ItemFault {
  constructor(readonly code: string, readonly detail: string, readonly pointer = '') {}
}
