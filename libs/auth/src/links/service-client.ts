import { inSpan, SpanKind, workContext } from '@valueverse/event-log';
import { Problem } from '@valueverse/platform';

const DEADLINE_MS = 5_000;

/** Asks another service, with the service credential and a deadline. Queries only: commands never cross. */
export class ServiceClient {
  constructor(private readonly baseUrl: string, private readonly serviceToken: string) {}

  /** The JSON of an answer; `undefined` for 404. Refuses with 503 `service_unavailable` when the other service does not answer. */
  async get<T>(path: string): Promise<T | undefined> { return (await this.send('GET', path))?.json() as Promise<T | undefined>; }
  async post<T>(path: string, body: unknown): Promise<T | undefined> { return (await this.send('POST', path, body))?.json() as Promise<T | undefined>; }
  async bytes(path: string): Promise<{ content: Buffer; headers: Headers } | undefined> {
    const response = await this.send('GET', path);
    return response === undefined ? undefined : { content: Buffer.from(await response.arrayBuffer()), headers: response.headers };
  }

  /** Paths hold ids and what was asked for, so a span names the host alone. */
  private send(method: string, path: string, body?: unknown): Promise<Response | undefined> {
    const { hostname, port } = new URL(this.baseUrl);
    return inSpan(method, { kind: SpanKind.CLIENT, attributes: { 'http.request.method': method, 'server.address': hostname, 'server.port': Number(port) } }, () => this.exchange(method, path, body));
  }

  private async exchange(method: string, path: string, body?: unknown): Promise<Response | undefined> {
    const traceparent = workContext()?.traceparent;
    let response: Response;
    try {
      response = await fetch(new URL(path, this.baseUrl), {
        method, signal: AbortSignal.timeout(DEADLINE_MS), redirect: 'error',
        headers: { authorization: `Bearer ${this.serviceToken}`, ...(traceparent === undefined ? {} : { traceparent }), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (cause) {
      throw new Problem(503, 'service_unavailable', 'another service does not answer', { retryAfterSeconds: 1, cause });
    }
    if (response.status === 404) return undefined;
    if (!response.ok) throw new Problem(503, 'service_unavailable', `another service answered ${response.status}`, { retryAfterSeconds: 1 });
    return response;
  }
}
