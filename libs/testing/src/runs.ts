/** At night there are this many times more runs, and other ones than by day. */
const NIGHTLY_FACTOR = 20;

export const isNightly = (): boolean => process.env['VV_NIGHTLY'] === '1';

/**
 * The settings of a seeded property for fast-check: the same runs each day, and in `npm run test:nightly` many more of a seed that
 * `npm run test:nightly` chooses, or that is given in `VV_SEED`. A failure prints its seed.
 */
export const runs = (seed: number, count: number): { seed: number; numRuns: number } => {
  if (!isNightly()) return { seed, numRuns: count };
  return { seed: Number(process.env['VV_SEED'] ?? seed), numRuns: count * NIGHTLY_FACTOR };
};

/** How long a test of such a property may take, in milliseconds: at night as many times longer as it has more runs. */
export const timeForRuns = (milliseconds: number): number => (isNightly() ? milliseconds * NIGHTLY_FACTOR : milliseconds);
