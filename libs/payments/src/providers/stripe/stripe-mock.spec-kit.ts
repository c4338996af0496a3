import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { answers, fetches, fetchOnce, freePort, partCache } from '@valueverse/platform';
import { eventually, noteNotRun } from '@valueverse/testing';

const START_TIMEOUT_MS = 30_000;
const VERSION = '0.203.0';
const MODULE = `github.com/stripe/stripe-mock@v${VERSION}`;
const ABSENT = `there is no stripe-mock: set STRIPE_MOCK to its program, or install Go, by which it is built from ${MODULE}`;

/** The program: by `STRIPE_MOCK`, on the path, or built once for this machine where Go is. */
const program = (): string | undefined => {
  const named = process.env['STRIPE_MOCK'];
  if (named !== undefined) return named;
  if (answers('stripe-mock', ['-version'])) return 'stripe-mock';
  const home = partCache(`stripe-mock-${VERSION}`);
  const isThere = existsSync(home) || (answers('go', ['version']) && fetchOnce(home, (folder) => fetches('go', ['install', MODULE], folder, { ...process.env, GOBIN: folder })));
  return isThere ? join(home, 'stripe-mock') : undefined;
};

/** `describe` against a stripe-mock on loopback; where there is none one test says so, and the run counts the group as not run. */
export const describeOnStripeMock = (name: string, specs: (url: () => string) => void): void => {
  describe(name, () => {
    const path = program();
    if (path === undefined) {
      test('is not run on this machine', () => noteNotRun(name, ABSENT));
      return;
    }
    let url = '';
    let mock: ChildProcess | undefined;
    beforeAll(async () => {
      const port = await freePort();
      url = `http://127.0.0.1:${port}`;
      mock = spawn(path, ['-http-addr', `127.0.0.1:${port}`, '-https-addr', '127.0.0.1:0'], { stdio: 'ignore' });
      await eventually('stripe-mock to answer', () => fetch(url).then(() => true, () => undefined), { timeoutMs: START_TIMEOUT_MS });
    }, START_TIMEOUT_MS);
    afterAll(() => { mock?.kill('SIGTERM'); });
    specs(() => url);
  });
};
