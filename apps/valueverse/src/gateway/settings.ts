import { defineConfig, list, port, text, whole } from '@valueverse/platform';

const DEFAULT_PORT = 8000;
const PORT_MAX = 65_535;
const targets = (of: string) => list({ default: [], description: `The addresses of the replicas of ${of}` });
const inner = (of: string) => whole(1, PORT_MAX)({ optional: true, description: `A port on 127.0.0.1 that leads to ${of} alone` });

/** The settings of the gateway as a process of its own. */
export const gatewayConfig = defineConfig({
  PORT: port(DEFAULT_PORT, { description: 'The port that all services are behind' }),
  ADDRESS: text({ default: '127.0.0.1', description: 'The address to listen on' }),
  USAGE_TARGETS: targets('usage'), BILLING_TARGETS: targets('billing'), PAYMENTS_TARGETS: targets('payments'), NOTIFICATIONS_TARGETS: targets('notifications'), INBOX_TARGETS: targets('the inbox'),
  USAGE_PORT: inner('usage'), BILLING_PORT: inner('billing'), PAYMENTS_PORT: inner('payments'), NOTIFICATIONS_PORT: inner('notifications'),
});
