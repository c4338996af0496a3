import { promisify } from 'node:util';
import { constants, gunzip, zstdDecompress } from 'node:zlib';
import { Problem } from '@valueverse/platform';

/** The largest body, as it was sent and when it is decompressed. */
export const EVENTS_BYTES_MAX = 5 * 1024 * 1024;
/** 2^23 bytes, the largest window of zstd as a content encoding (RFC 9659): what needs more would make this process hold it. */
export const ZSTD_WINDOW_LOG_MAX = 23;
/** How Node says that more came out than was allowed. */
const TOO_LARGE = 'ERR_BUFFER_TOO_LARGE';

/** Who sends a body of more frames than this has made it to be costly. */
const ZSTD_FRAMES_MAX = 1_000;

type Decode = (body: Buffer) => Promise<Buffer>;
const inflate = promisify(gunzip);

/** The first frame of a body, and how many bytes of the body it is. */
const inflateFrame = (body: Buffer, maxOutputLength: number): Promise<{ buffer: Buffer; engine: { bytesWritten: number } }> => new Promise((resolve, reject) => {
  const done = (error: Error | null, result: unknown): void => { if (error === null) resolve(result as { buffer: Buffer; engine: { bytesWritten: number } }); else reject(error); };
  zstdDecompress(body, { maxOutputLength, info: true, params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX } }, done);
});

/** A body may be several frames in a row (RFC 8878, section 3); the decoder of Node ends with the first one. */
const inflateFrames = async (body: Buffer): Promise<Buffer> => {
  const parts: Buffer[] = [];
  let [left, rest] = [EVENTS_BYTES_MAX, body];
  while (rest.length > 0) {
    if (parts.length === ZSTD_FRAMES_MAX) throw new Error(`more than ${ZSTD_FRAMES_MAX} frames`);
    // The decoder takes no limit of nothing; what is one byte too many is found below.
    const { buffer, engine } = await inflateFrame(rest, left + 1);
    if ((left -= buffer.length) < 0) throw Object.assign(new Error('too large'), { code: TOO_LARGE });
    parts.push(buffer);
    rest = rest.subarray(engine.bytesWritten);
  }
  return Buffer.concat(parts);
};

/** Node before 22 has no zstd: it is told like any encoding that is not there. */
const DECODERS: ReadonlyMap<string, Decode> = new Map<string, Decode>([
  ['gzip', (body) => inflate(body, { maxOutputLength: EVENTS_BYTES_MAX })],
  ...((zstdDecompress as unknown) === undefined ? [] : [['zstd', inflateFrames] as const]),
]);
const ACCEPTED = [...DECODERS.keys()].join(', ');

/** How a body with this header is decoded; undefined where it comes as it is. Refuses with 415 `unsupported_encoding`, also encodings in a row. */
export const decoderOf = (header: string | undefined): Decode | undefined => {
  const name = header?.trim().toLowerCase() ?? '';
  if (name === '' || name === 'identity') return undefined;
  const decode = DECODERS.get(name);
  if (decode === undefined) throw new Problem(415, 'unsupported_encoding', `bodies are read as they are, or with one of ${ACCEPTED}`, { headers: { 'Accept-Encoding': ACCEPTED } });
  return decode;
};

/** Decodes a body, holding no more than `EVENTS_BYTES_MAX` of it. Refuses what is larger with 413 `body_too_large`, and what cannot be decoded with 400 `malformed_encoding`. */
export const decoded = async (body: Buffer, decode: Decode): Promise<Buffer> => {
  try {
    return await decode(body);
  } catch (cause) {
    if ((cause as { code?: string }).code === TOO_LARGE) throw new Problem(413, 'body_too_large', `a body has at most ${EVENTS_BYTES_MAX} bytes when it is decompressed`, { cause });
    throw new Problem(400, 'malformed_encoding', 'the body is not what its Content-Encoding says, or it was cut off', { cause });
  }
};
