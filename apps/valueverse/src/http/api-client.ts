/** An answer that is not a success: what the problem document said. */
export class ApiError extends Error {
  constructor(readonly status: number, readonly code: string, detail: string, readonly errors: readonly { pointer: string; code: string; detail: string }[]) {
    super(`${detail} (${status} ${code})${errors.map((fault) => `\n  ${fault.pointer}: ${fault.detail}`).join('')}`);
  }
}
/** Nobody answers at the address. */
export class Unreachable extends Error {
  constructor(readonly url: string, cause: unknown) { super(`nothing answers at ${url}`, { cause }); }
}

interface RequestOptions { readonly headers?: Readonly<Record<string, string>>; readonly contentType?: string; readonly isEndless?: boolean }

const DEADLINE_MS = 60_000;
const RETRIES_MAX = 20;
const RETRY_PAUSE_MS = 250;

/** The public interface over HTTP. 429 and 503 are tried again after the time that the answer names. */
export class ApiClient {
  constructor(readonly url: string, private readonly key: string) {}

  async get<T>(path: string): Promise<T> { return await (await this.send('GET', path)).json() as T; }
  /** Bytes go as they are, everything else as JSON. */
  async post<T>(path: string, body: unknown, options: RequestOptions = {}): Promise<T> { return await (await this.send('POST', path, body, options)).json() as T; }
  async put<T>(path: string, body: unknown): Promise<T> { return await (await this.send('PUT', path, body)).json() as T; }
  async patch<T>(path: string, body: unknown): Promise<T> { return await (await this.send('PATCH', path, body)).json() as T; }
  /** What was said of it; undefined where nothing was. */
  async delete<T>(path: string): Promise<T> {
    const text = await (await this.send('DELETE', path)).text();
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }
  /** An answer that is read as it comes, for as long as it takes. */
  stream(path: string, accept: string): Promise<Response> { return this.send('GET', path, undefined, { headers: { accept }, isEndless: true }); }
  async bytes(path: string): Promise<Buffer> { return Buffer.from(await (await this.send('GET', path)).arrayBuffer()); }

  private async send(method: string, path: string, body?: unknown, { headers = {}, contentType = 'application/json', isEndless = false }: RequestOptions = {}): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      const response = await this.once(method, path, body, { authorization: `Bearer ${this.key}`, ...(body === undefined ? {} : { 'content-type': contentType }), ...headers }, isEndless);
      if (response.ok) return response;
      if ((response.status === 503 || response.status === 429) && attempt < RETRIES_MAX) {
        await response.arrayBuffer();
        await new Promise((resolve) => { setTimeout(resolve, Math.max(RETRY_PAUSE_MS, Number(response.headers.get('retry-after') ?? 0) * 1_000)); });
        continue;
      }
      const problem = await response.json().catch(() => ({})) as { code?: string; detail?: string; title?: string; errors?: { pointer: string; code: string; detail: string }[] };
      throw new ApiError(response.status, problem.code ?? 'unknown', problem.detail ?? problem.title ?? response.statusText, problem.errors ?? []);
    }
  }

  private async once(method: string, path: string, body: unknown, headers: Record<string, string>, isEndless: boolean): Promise<Response> {
    try {
      return await fetch(new URL(path, this.url), { method, headers, ...(isEndless ? {} : { signal: AbortSignal.timeout(DEADLINE_MS) }), ...(body === undefined ? {} : { body: Buffer.isBuffer(body) ? body : JSON.stringify(body) }) });
    } catch (error) {
      throw new Unreachable(this.url, error);
    }
  }
}
