import type { Instant } from '@valueverse/kernel';
import { Problem } from '@valueverse/platform';
import { RAW_FAULT_DETAILS } from '../ingest/cloud-events';
import { rawFaults } from '../ingest/domain/raw-json';
import { readEvent } from '../ingest/domain/read-event';
import { ItemFault, type UsageEvent } from '../ingest/domain/usage-event';
import { type Environment, EVENT_CHARACTERS_MAX, latestMicrosOf } from '../ingest/ingest';

/** What is put in the place of an event's time and data; what is absent stays. */
export interface Amendment { readonly time?: Instant | undefined; readonly data?: Readonly<Record<string, unknown>> | undefined }

const refused = (code: string, detail: string, pointer: string): Problem => new Problem(400, code, detail, { errors: [{ pointer, code, detail }] });

/** Refuses a body whose text holds a key twice or a number that was changed on its way: `duplicate_key`, `unsafe_number`. What was parsed of it does not show that any more. */
export const assertExactText = (body: Buffer | undefined): void => {
  const fault = rawFaults((body ?? '').toString(), false).get(0);
  if (fault !== undefined) throw refused(fault.code, RAW_FAULT_DETAILS[fault.code], fault.pointer);
};

/** The event as it should have come, held to the rules of any that is sent. Refuses with their codes. */
export const amended = ({ extensions, correction: _earlier, ...kept }: UsageEvent, { time, data }: Amendment, environment: Environment, receivedAt: Instant): UsageEvent => {
  // A time that stays was held against its own receipt.
  const latestMicros = time === undefined ? Infinity : latestMicrosOf(environment, receivedAt);
  const event = readEvent({ specversion: '1.0', ...kept, ...extensions, time: time ?? kept.time, ...(data === undefined ? {} : { data }) }, { receivedAt, latestMicros });
  if (event instanceof ItemFault) throw refused(event.code, event.detail, event.pointer);
  if (JSON.stringify(event).length > EVENT_CHARACTERS_MAX) throw refused('too_large', `an event has at most ${EVENT_CHARACTERS_MAX} characters`, '/data');
  return event;
};
