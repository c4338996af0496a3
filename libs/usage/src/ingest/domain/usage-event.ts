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

/** Why an event was refused: a stable code, and a sentence for people. */
export class ItemFault {
  constructor(readonly code: string, readonly detail: string) {}
}
