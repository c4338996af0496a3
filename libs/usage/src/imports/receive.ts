import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Problem, type Service } from '@valueverse/platform';
import { decoderOf } from '../ingest/encoding';
import { storePiece } from './import-table';
import { inflateFrames } from './inflate-frames';

/** The largest file. Larger ones are cut into several. */
export const IMPORT_BYTES_MAX = 1024 * 1024 * 1024;
/** Bytes that are stored at once: what a cut upload loses at most. */
export const PIECE_BYTES_MAX = 1024 * 1024;

/** A body as its file: decompressed on its way, never held as a whole. */
export const plainBody = (body: Readable, encoding: string | undefined): Readable => {
  if (decoderOf(encoding) === undefined) return body;
  if (encoding!.trim().toLowerCase() === 'zstd') return Readable.from(inflateFrames(body), { objectMode: false });
  const decoder = createGunzip();
  // A body that was cut off ends its decoder too. Whoever reads hears of it; nobody else has to.
  decoder.on('error', () => undefined);
  body.once('error', (error) => decoder.destroy(error));
  body.once('close', () => { if (!body.readableEnded) decoder.destroy(new Error('the body was cut off')); });
  return body.pipe(decoder);
};

/** Whoever sent has gone away. */
const isCutOff = (error: unknown): boolean => ['ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'].includes((error as { code?: string }).code ?? '');
const isEncodingFault = (error: unknown): boolean => /^(Z_|ZSTD_)/.test((error as { code?: string }).code ?? '');

/**
 * Stores a body as the next bytes of a file, piece by piece, each at once durable: of an upload that is cut off what was stored stays. Answers where the file
 * ends. Refuses with 409 `wrong_offset` where it does not end at `start`, with 413 `body_too_large`, and with 400 `malformed_encoding` and `upload_cut_off`.
 */
export const receive = async (service: Service, tenant: string, id: string, start: number, open: () => Readable): Promise<number> => {
  let end = start;
  let waiting: Buffer[] = [];
  let bytes = 0;
  const store = async (): Promise<void> => {
    if (bytes === 0) return;
    const piece = Buffer.concat(waiting);
    [waiting, bytes] = [[], 0];
    if (!(await service.database.transaction({ role: 'api', tenant }, (tx) => storePiece(tx, tenant, id, end, piece)))) {
      throw new Problem(409, 'wrong_offset', 'the file does not end here any more: somebody else sends it too, or it was completed');
    }
    end += piece.length;
  };
  try {
    for await (const chunk of open() as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length;) {
        const part = chunk.subarray(at, at + PIECE_BYTES_MAX - bytes);
        if (end + bytes + part.length > IMPORT_BYTES_MAX) throw new Problem(413, 'body_too_large', `a file has at most ${IMPORT_BYTES_MAX} bytes`);
        waiting.push(part);
        bytes += part.length;
        at += part.length;
        if (bytes === PIECE_BYTES_MAX) await store();
      }
    }
  } catch (error) {
    // What has come is kept, so that the sender goes on behind it.
    if (!(error instanceof Problem)) await store();
    if (isCutOff(error)) throw new Problem(400, 'upload_cut_off', 'the body ended before its end; what had come is kept', { cause: error });
    if (isEncodingFault(error)) throw new Problem(400, 'malformed_encoding', 'the body is not what its Content-Encoding says, or it was cut off', { cause: error });
    throw error;
  }
  await store();
  return end;
};
