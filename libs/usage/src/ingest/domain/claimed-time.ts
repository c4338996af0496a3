import { microsNumberOfText, Refused } from '@valueverse/kernel';

const ZERO = 0x30;
const NINE = 0x39;
const SECONDS_END = 19;

/** Microseconds since 1970 of the time that an event claims, or why it is none: nothing is thrown, because some senders are wrong in every event. */
export const claimedMicros = (text: string): number | Refused => {
  try {
    return microsNumberOfText(text);
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
};

/** Whether a text that is a time is written as instants are kept: in UTC, the fraction in 3 or 6 digits, and absent where it is nothing. */
export const isInstantText = (text: string): boolean => {
  const { length } = text;
  if (text[10] !== 'T' || text[length - 1] !== 'Z' || (text[17] === '6')) return false;
  if (length === SECONDS_END + 1) return true;
  if (length === 24) return !endsInZeros(text);
  return length === 27 && !endsInZeros(text);
};

/** Whether the last three digits before the Z say nothing. */
const endsInZeros = (text: string): boolean => {
  for (let at = text.length - 4; at < text.length - 1; at++) {
    const code = text.charCodeAt(at);
    if (code > ZERO && code <= NINE) return false;
  }
  return true;
};
