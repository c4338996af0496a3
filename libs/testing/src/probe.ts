import { inspect } from 'node:util';

/** How long to wait and how often to look, in milliseconds. */
export interface ProbeOptions {
  readonly timeoutMs?: number;
  /** At first soon and then less often, where it is not given. */
  readonly everyMs?: number;
}

const TIMEOUT_MS = 10_000;
/** A look costs whoever is looked at as much as any request: after a long wait it comes seldom, and at most a tenth of the wait is lost by that. */
const [EVERY_MS_MIN, EVERY_MS_MAX] = [5, 100];
const PART_LOST = 0.1;
const pauseAfter = (waitedMs: number): number => Math.min(Math.max(EVERY_MS_MIN, waitedMs * PART_LOST), EVERY_MS_MAX);

/**
 * Looks until `probe` gives something other than undefined, and gives it back. A probe that throws saw that error.
 * When the time is over it fails and says what it waited for and what it saw last. Nothing else in the specs waits.
 */
export async function eventually<T>(waitedFor: string, probe: (saw: (seen: unknown) => void) => Promise<T | undefined> | T | undefined, options: ProbeOptions = {}): Promise<T> {
  const { timeoutMs = TIMEOUT_MS, everyMs } = options;
  const began = performance.now();
  const deadline = began + timeoutMs;
  let last: unknown = 'nothing';
  let isLate = false;
  const saw = (seen: unknown) => { last = seen; };
  for (;;) {
    try {
      const found = await within(deadline, probe(saw));
      if (found !== undefined) return found;
    } catch (error) {
      // What was seen before says more than that the last look was cut off by the end of the time.
      if (error instanceof Late) isLate = true;
      else last = error;
    }
    if (performance.now() >= deadline) {
      throw new Error(`waited ${timeoutMs} ms for ${waitedFor}; saw last: ${last instanceof Error ? last.message : inspect(last, { depth: 6 })}${isLate ? '; the look after that did not answer' : ''}`);
    }
    await new Promise((resolve) => { setTimeout(resolve, everyMs ?? pauseAfter(performance.now() - began)); });
  }
}

class Late extends Error {}

/** A probe that hangs must not hide what was waited for. */
async function within<T>(deadline: number, looking: Promise<T> | T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Late()), Math.max(0, deadline - performance.now()));
  });
  try {
    return await Promise.race([looking, late]);
  } finally {
    clearTimeout(timer);
  }
}
