import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, scratchFolder } from '@valueverse/platform';
import { createEmptyDatabase, eventually } from '@valueverse/testing';
import { jsonOf, run, type Running } from './process.spec-kit';

const START = 'apps/valueverse/dist/main.js';
const START_TIMEOUT_MS = 60_000;
const CLOCK_TIMEOUT_MS = 120_000;
/** What a clock waits for every service is asked about: only where it takes long, so that the looks of a scenario do not take the time of what it waits for. */
const PATIENCE_MS = 10_000;

/** What came back: the status, the body read as JSON where it is some, and the headers. */
export interface Answer { readonly status: number; readonly headers: Headers; readonly body: Json }
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a scenario reads answers as any client does: by name
export type Json = any;
export interface Ask { readonly method?: string; readonly key?: string | undefined; readonly body?: unknown; readonly raw?: string | Uint8Array; readonly headers?: Readonly<Record<string, string>> }

/**
 * The embedded edition as a process of its own, with a data folder and a database that go with it. The database is one of the server of the run, unless `DATABASE_URL` names another:
 * a PostgreSQL for each edition, as `npm start` has it, takes longer to begin and waits for the disk at every commit. Who starts it by itself tests that.
 */
export class Edition {
  private constructor(readonly url: string, readonly secretKey: string, readonly publishableKey: string, readonly operatorToken: string, private readonly process_: Running, private readonly drop: () => Promise<void>) {}

  static async start(env: Readonly<Record<string, string>> = {}): Promise<Edition> {
    const folder = scratchFolder('scenario');
    const database = env['DATABASE_URL'] === undefined ? await createEmptyDatabase() : undefined;
    const drop = async (): Promise<void> => {
      await database?.drop();
      rmSync(folder, { recursive: true, force: true });
    };
    const process_ = run(START, ['--data', folder, '--port', String(await freePort()), '--json'], { LOG_LEVEL: 'error', ...(database === undefined ? {} : { DATABASE_URL: database.url }), ...env });
    const started = eventually('the edition to start', (saw) => {
      saw(process_.output());
      return process_.output().includes('secretKey') ? jsonOf<{ url: string; secretKey: string; publishableKey: string; dataDir: string }>(process_) : undefined;
    }, { timeoutMs: START_TIMEOUT_MS });
    // A process that ends before it is ready is not waited for.
    const died = process_.ended.then((code): never => { throw new Error(`the edition ended with ${code}:\n${process_.output()}`); });
    died.catch(() => undefined);
    started.catch(() => undefined);
    const { url, secretKey, publishableKey, dataDir } = await Promise.race([started, died]);
    const { operatorToken } = JSON.parse(readFileSync(join(dataDir, 'secrets.json'), 'utf8')) as { operatorToken: string };
    return new Edition(url, secretKey, publishableKey, operatorToken, process_, drop);
  }

  async stop(): Promise<void> {
    await this.process_.stop();
    await this.drop();
  }

  /** One request as it is, whatever comes of it. `key: undefined` sends none; a body goes as JSON, `raw` as it stands. */
  async ask(path: string, { method, body, raw, headers = {}, ...rest }: Ask = {}): Promise<Answer> {
    const key = 'key' in rest ? rest.key : this.secretKey;
    const sent = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await fetch(this.url + path, {
      method: method ?? (sent === undefined ? 'GET' : 'POST'),
      headers: { ...(key === undefined ? {} : { authorization: `Bearer ${key}` }), ...(sent === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(sent === undefined ? {} : { body: sent }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: /json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) as Json : text };
  }

  /** What succeeds. */
  async get(path: string, key = this.secretKey): Promise<Json> { return this.succeed(path, await this.ask(path, { key })); }
  async post(path: string, body: unknown, key = this.secretKey): Promise<Json> { return this.succeed(path, await this.ask(path, { body, key })); }

  async send(events: readonly unknown[], key = this.secretKey): Promise<Json> {
    const path = '/api/v1/usage/events';
    return this.succeed(path, await this.ask(path, { body: events, key, headers: { 'content-type': 'application/cloudevents-batch+json' } }));
  }

  /** Moves a test clock and waits until nothing that this caused is on its way. */
  async advance(clockId: string, to: string, key = this.secretKey): Promise<void> {
    await this.post(`/api/v1/billing/clocks/${clockId}/advance`, { to }, key);
    const began = performance.now();
    await eventually(`the clock to stand at ${to}`, async (saw) => {
      const listed = performance.now() - began > PATIENCE_MS ? undefined : (await this.get('/api/v1/billing/clocks', key)).data.find((one: Json) => one.id === clockId);
      const clock = listed ?? await this.get(`/api/v1/billing/clocks/${clockId}`, key);
      saw(clock);
      return clock.status === 'ready' ? true : undefined;
    }, { timeoutMs: CLOCK_TIMEOUT_MS });
  }

  /** Another organization: its test and live secret keys. */
  async organization(name: string): Promise<{ id: string; secretKey: string; liveKey: string }> {
    const made = await this.post('/api/v1/operator/organizations', { name }, this.operatorToken);
    const keyOf = (environment: string): string => made.keys.find((key: Json) => key.environment === environment && key.kind === 'secret').key as string;
    return { id: made.id as string, secretKey: keyOf('test'), liveKey: keyOf('live') };
  }

  output(): string { return this.process_.output(); }

  private succeed(path: string, { status, body }: Answer): Json {
    if (status < 200 || status > 299) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`);
    return body as Json;
  }
}
