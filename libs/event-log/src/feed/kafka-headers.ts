import Decoder from 'kafkajs/src/protocol/decoder';

interface Header { readonly key: string; readonly value: Buffer | null }
type Headers = Record<string, unknown>;

/**
 * The headers of a record, put together one by one. kafkajs copies all that it has for each one more, in `reduce` of this list: a record of 20,000 headers, which anybody may write who may write
 * to a topic at all, would hold up its reader and everything else in the process for minutes.
 */
class HeaderList extends Array<Header> {
  override reduce<T>(): T {
    const headers: Headers = {};
    for (const { key, value } of this) {
      const before = Object.hasOwn(headers, key) ? headers[key] : undefined;
      if (Array.isArray(before)) before.push(value);
      else Object.defineProperty(headers, key, { value: before === undefined ? value : [before, value], enumerable: true, writable: true, configurable: true });
    }
    return headers as T;
  }
}

/** From now on kafkajs reads headers in time that grows with their number, and not with its square. */
export const readHeadersInOnePass = (): void => {
  const { readVarIntArray } = Decoder.prototype;
  // It reads headers, and nothing else is a list of this kind.
  Decoder.prototype.readVarIntArray = function read<T>(this: Decoder, item: (decoder: Decoder) => T): T[] { return HeaderList.from(readVarIntArray.call(this, item) as Header[]) as unknown as T[]; };
};
