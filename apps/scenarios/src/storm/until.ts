import { setTimeout as pause } from 'node:timers/promises';

const LOOK_EVERY_MS = 200;

/** The storm waited in vain. */
export class Waited extends Error {}

/** Looks until nothing is missing any more: `missing` says what is, or undefined. What it throws is missing too. */
export const until = async (what: string, missing: () => Promise<string | undefined>, timeoutMs: number): Promise<void> => {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const still = await missing().catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
    if (still === undefined) return;
    if (performance.now() > deadline) throw new Waited(`waited ${timeoutMs / 1_000} s for ${what}: ${still}`);
    await pause(LOOK_EVERY_MS);
  }
};
