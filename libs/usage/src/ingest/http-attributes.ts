import { ItemFault } from './domain/usage-event';

const PREFIX = 'ce-';
/** Of the data, which is the body; its type is the content type of the request. */
const OF_DATA = new Set(['ce-datacontenttype', 'ce-data', 'ce-data_base64']);
const PRINTABLE = /^[\x20-\x7e]*$/;

/**
 * The attributes of an event in the `ce-` headers of a request, percent-encoded once (CloudEvents HTTP binding, 3.1.3.2). `headers` has each value that a
 * header was sent with; one that was sent twice, or cannot be read, is `invalid_header`.
 */
export const httpAttributes = (headers: Readonly<Record<string, readonly string[] | undefined>>): Readonly<Record<string, string>> | ItemFault | undefined => {
  const attributes: Record<string, string> = {};
  let found = false;
  for (const [name, values] of Object.entries(headers)) {
    if (!name.startsWith(PREFIX) || values === undefined) continue;
    found = true;
    if (values.length !== 1) return new ItemFault('invalid_header', `${name} is there twice`, `/${name}`);
    if (OF_DATA.has(name)) return new ItemFault('invalid_header', `${name} is no attribute of the binary mode`, `/${name}`);
    const text = decoded(values[0]!);
    if (text === undefined) return new ItemFault('invalid_header', `${name} is not percent-encoded UTF-8`, `/${name}`);
    Object.defineProperty(attributes, name.slice(PREFIX.length), { value: text, enumerable: true });
  }
  return found ? attributes : undefined;
};

const decoded = (text: string): string | undefined => {
  if (!PRINTABLE.test(text)) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
};
