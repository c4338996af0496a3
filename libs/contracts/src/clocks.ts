import { defineEvent, type EventOf } from './event-definition';
import { instant, object, text } from './schema';

/** A test clock was made; it stands still until it is advanced. */
export const ClockCreated = defineEvent({ name: 'ClockCreated', topic: 'platform.clocks', fact: 'clock.created', data: object({ clockId: text(), name: text(256), now: instant() }) });
export const ClockAdvanceRequested = defineEvent({ name: 'ClockAdvanceRequested', topic: 'platform.clocks', fact: 'clock.advance_requested', data: object({ clockId: text(), to: instant() }) });
/** The clock stands at `now`; every service fires what is due up to it. */
export const ClockStepped = defineEvent({ name: 'ClockStepped', topic: 'platform.clocks', fact: 'clock.stepped', data: object({ clockId: text(), now: instant() }) });
/** The target is reached and nothing that the move caused is still on its way. */
export const ClockAdvanced = defineEvent({ name: 'ClockAdvanced', topic: 'platform.clocks', fact: 'clock.advanced', data: object({ clockId: text(), now: instant() }) });

export type ClockCreated = EventOf<typeof ClockCreated>;
export type ClockAdvanceRequested = EventOf<typeof ClockAdvanceRequested>;
export type ClockStepped = EventOf<typeof ClockStepped>;
export type ClockAdvanced = EventOf<typeof ClockAdvanced>;
export type ClockEvent = ClockCreated | ClockAdvanceRequested | ClockStepped | ClockAdvanced;

export const CLOCK_EVENTS = [ClockCreated, ClockAdvanceRequested, ClockStepped, ClockAdvanced] as const;
