/** One event of a stream. */
export interface ServerEvent { readonly name: string; readonly data: string }

/** Reads server-sent events (HTML Living Standard, section 9.2) until the stream ends. */
export async function* readServerEvents(response: Response): AsyncGenerator<ServerEvent> {
  let text = '';
  let [name, data]: [string, string[]] = ['message', []];
  const decoder = new TextDecoder();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split('\n');
    text = lines.pop()!;
    for (const line of lines) {
      if (line.startsWith('event: ')) name = line.slice('event: '.length);
      else if (line.startsWith('data: ')) data.push(line.slice('data: '.length));
      else if (line === '' && data.length > 0) {
        yield { name, data: data.join('\n') };
        [name, data] = ['message', []];
      }
    }
  }
}
