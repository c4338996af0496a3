import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@valueverse/platform';
import { eventually, noteNotRun } from '@valueverse/testing';

const START_TIMEOUT_MS = 30_000;
const ABSENT = 'there is no stripe-mock: set STRIPE_MOCK to its program, or install it by `go install github.com/stripe/stripe-mock@latest`';

/** The program, where it is: by `STRIPE_MOCK`, in Go's folder, or on the path. */
const program = (): string | undefined => {
  const named = process.env['STRIPE_MOCK'];
  if (named !== undefined) return named;
  const ofGo = join(process.env['GOBIN'] ?? join(process.env['GOPATH'] ?? join(homedir(), 'go'), 'bin'), 'stripe-mock');
  if (existsSync(ofGo)) return ofGo;
  try { return execFileSync('which', ['stripe-mock'], { encoding: 'utf8' }).trim() || undefined; } catch { return undefined; }
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
