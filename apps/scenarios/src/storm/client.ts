import { setTimeout as pause } from 'node:timers/promises';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a client of the public interface reads answers by name
export type Json = any;

export interface Sent { readonly body?: unknown; readonly idempotencyKey?: string; readonly contentType?: string }

const ATTEMPT_TIMEOUT_MS = 15_000;
const RETRY_PAUSE_MS = 200;
/** Answers of the moment: the request may be sent again as it is. */
const LATER = new Set(['idempotency_in_flight', 'rate_limited', 'clock_is_advancing']);

/** The interface said no to what it has to take. */
export class SaidNo extends Error {}
/** The storm is over and nobody waits for this any more. */
export class GivenUp extends Error {}

/** A customer who sends every request until it is answered with success, as the interface allows: with a key, or with ids that are his own. */
export class StormClient {
  requests = 0;
  repetitions = 0;
  private isOver = false;

  constructor(private readonly url: string, private readonly key: string) {}

  giveUp(): void { this.isOver = true; }

  get(path: string): Promise<Json> { return this.send('GET', path, {}); }
  post(path: string, sent: Sent): Promise<Json> { return this.send('POST', path, sent); }

  private async send(method: string, path: string, sent: Sent): Promise<Json> {
    this.requests++;
    for (;;) {
      if (this.isOver) throw new GivenUp(path);
      const answer = await this.attempt(method, path, sent);
      if (answer !== undefined) return answer;
      this.repetitions++;
      await pause(RETRY_PAUSE_MS);
    }
  }

  /** The body of a success; undefined where it is worth another attempt. */
  private async attempt(method: string, path: string, { body, idempotencyKey, contentType = 'application/json' }: Sent): Promise<Json> {
    let status: number;
    let text: string;
    try {
      const response = await fetch(this.url + path, {
        method, signal: AbortSignal.timeout(ATTEMPT_TIMEOUT_MS), ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        headers: { authorization: `Bearer ${this.key}`, ...(body === undefined ? {} : { 'content-type': contentType }), ...(idempotencyKey === undefined ? {} : { 'idempotency-key': `"${idempotencyKey}"` }) },
      });
      status = response.status;
      text = await response.text();
    } catch {
      return undefined;
    }
    if (status >= 200 && status < 300) return JSON.parse(text) as Json;
    if (status >= 500 || LATER.has((JSON.parse(text) as { code?: string }).code ?? '')) return undefined;
    throw new SaidNo(`${method} ${path}: ${status} ${text}`);
  }
}
