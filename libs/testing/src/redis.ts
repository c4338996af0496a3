import { askForPart } from './ask-for-part';
import { noteNotRun } from './not-run';

/** The Redis of this run, or the reason why there is none on this machine. */
export type RedisForTests =
  | { readonly available: true; readonly url: string }
  | { readonly available: false; readonly reason: string };

const START_TIMEOUT_MS = 60_000;

/**
 * A real Redis: `REDIS_URL`, else a local server, else one in Docker; started for the first spec that asks, and shared by all of them:
 * use keys of your own. Throws when one was found and does not start: that is a fault, not an absence.
 */
export async function redisForTests(): Promise<RedisForTests> {
  const reason = process.env['VV_TEST_REDIS'];
  if (reason) return { available: false, reason };
  return { available: true, url: (await askForPart<{ url: string }>('/redis')).url };
}

/** `describe` for specs that need a Redis; `url()` is known inside tests. Where there is none, one test says so and the run counts it as not run. */
export function describeOnRedis(name: string, specs: (url: () => string) => void): void {
  const reason = process.env['VV_TEST_REDIS'];
  describe(name, () => {
    if (reason) {
      test('is not run on this machine', () => noteNotRun(name, reason));
      return;
    }
    let known = '';
    beforeAll(async () => {
      const redis = await redisForTests();
      if (redis.available) known = redis.url;
    }, START_TIMEOUT_MS);
    specs(() => known);
  });
}
