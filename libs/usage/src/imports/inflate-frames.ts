import type { Readable } from 'node:stream';
import { constants, createZstdDecompress, type ZstdDecompress } from 'node:zlib';
import { ZSTD_WINDOW_LOG_MAX } from '../ingest/encoding';

/** Whoever sends a file of more frames than this has made it to be costly. */
const FRAMES_MAX = 10_000;

const write = (decoder: ZstdDecompress, chunk: Buffer): Promise<void> => new Promise((resolve, reject) => { decoder.write(chunk, (error) => { if (error) reject(error); else resolve(); }); });

/** Gives a decoder chunks until its frame ends; answers what is left of the last one, undefined where there is no more. */
const feed = async (decoder: ZstdDecompress, first: Buffer, chunks: AsyncIterator<Buffer>): Promise<Buffer | undefined> => {
  try {
    let fed = 0;
    for (let chunk = first; ;) {
      fed += chunk.length;
      await write(decoder, chunk);
      const left = fed - decoder.bytesWritten;
      if (left > 0) return chunk.subarray(chunk.length - left);
      const next = await chunks.next();
      if (next.done === true) break;
      chunk = next.value;
    }
    decoder.end();
    return undefined;
  } catch (error) {
    // Whoever reads of the decoder hears of it.
    decoder.destroy(error as Error);
    return undefined;
  }
};

/** A body in zstd as its file. It may be several frames in a row (RFC 8878, section 3); a decoder of Node ends with the first one. */
export async function* inflateFrames(body: Readable): AsyncGenerator<Buffer> {
  // A request that is taken for gone could not be answered.
  const chunks = body.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  const first = await chunks.next();
  let rest = first.done === true ? undefined : first.value;
  for (let frames = 0; rest !== undefined; frames++) {
    if (frames === FRAMES_MAX) throw Object.assign(new Error(`more than ${FRAMES_MAX} frames`), { code: 'ZSTD_FRAMES' });
    const decoder = createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX } });
    const feeding = feed(decoder, rest, chunks);
    yield* decoder as AsyncIterable<Buffer>;
    rest = await feeding;
  }
}
