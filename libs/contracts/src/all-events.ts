import { BILLING_EVENTS } from './billing';
import { CLOCK_EVENTS } from './clocks';
import type { EventDefinition } from './event-definition';
import { IDENTITY_EVENTS } from './identity';
import { NOTIFICATION_EVENTS } from './notifications';
import { PAYMENT_EVENTS } from './payments';
import { StatementsRequested, USAGE_EVENTS } from './usage';

/** Every fact that a service of this release may append. */
export const ALL_EVENTS: readonly EventDefinition[] = [
  ...USAGE_EVENTS, StatementsRequested, ...BILLING_EVENTS, ...CLOCK_EVENTS, ...IDENTITY_EVENTS, ...PAYMENT_EVENTS, ...NOTIFICATION_EVENTS,
];
