import type { ToldTime } from './accounting';

/** A clock that was never set says some time after 1970; nothing was billed by RADIUS before this: 2000-01-01T00:00:00Z, in Unix seconds. */
export const TIMESTAMP_MIN = 946_684_800;
/** How far the clock of a NAS may be ahead of ours; usage that claims more is refused in `live`. */
export const AHEAD_MAX_MICROS = 300_000_000;
const MICROS = 1_000_000;

/** When a packet was sent, by our clock: its arrival less Acct-Delay-Time (RFC 2866, section 5.2). */
export const sentMicros = ({ delay }: ToldTime, arrivedAt: number): number => Math.max(0, arrivedAt - delay * MICROS);

/**
 * When it happened, in microseconds since 1970: Event-Timestamp where it is there (RFC 2869, section 5.3), else when it was sent.
 * A clock that cannot be right, before 2000 or far ahead of ours, is as good as none.
 */
export const eventMicros = (told: ToldTime, arrivedAt: number): number => {
  const { timestamp } = told;
  const isUsable = timestamp !== undefined && timestamp >= TIMESTAMP_MIN && timestamp * MICROS <= arrivedAt + AHEAD_MAX_MICROS;
  return isUsable ? timestamp * MICROS : sentMicros(told, arrivedAt);
};
