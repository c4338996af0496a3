import { hash } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, zstdCompressSync, zstdDecompress, zstdDecompressSync } from 'node:zlib';
import { Refused } from '@valueverse/kernel';
import type { Envelope } from '../ingest/domain/usage-event';

/**
 * The body of an envelope as a row of the copy has it. `body` is the text; null where retention has dropped it. Where `packed` is there, it holds the text as a frame of zstd, and `body` only the
 * beginning, which says the trace: whoever reads that alone finds no JSON, and not a part of the events.
 */
export interface KeptBody { readonly body: string | null; readonly packed: Buffer | null }

/** From so many characters on a body is packed here: PostgreSQL would do it with several times the work. Of less, to begin costs more than it saves. */
export const PACKED_FROM_CHARACTERS = 8_192;
/** So much of a packed body stays readable to SQL. */
export const HEAD_CHARACTERS = 512;
/** A frame that becomes more is none of ours: an envelope is closed at 250,000 characters, and one event has 5 MB at most. */
const UNPACKED_BYTES_MAX = 64 * 1024 * 1024;
/** Bytes that the decoder gives at a time: of its own 16 kB a body takes up to three times as long. Beside the thread each piece is a way there and back. */
const [PIECE_BYTES, PIECE_BYTES_BESIDE] = [64 * 1024, 256 * 1024];
/** The quickest level: usage repeats itself so much that the next ones save little more. With its checksum a frame of which one bit was changed is found where it is read. */
const PARAMS = { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 };
/** Node before 22.15 has no zstd: it keeps texts, which every other one reads. */
const CAN_PACK = (zstdCompressSync as unknown) !== undefined;

/** What is kept of a body cannot be read: it was changed in the database. */
class UnreadableBody extends Error {}

/** How a body is kept. */
export const keptBody = (body: string): KeptBody & { readonly body: string } =>
  (body.length < PACKED_FROM_CHARACTERS || !CAN_PACK ? { body, packed: null } : { body: body.slice(0, HEAD_CHARACTERS), packed: zstdCompressSync(Buffer.from(body), { params: PARAMS }) });

/** What the decoder says of no whole frame of ours; any other failure, as of memory, says nothing of the body. */
const isOfFrame = (code: unknown): boolean =>
  code === 'Z_BUF_ERROR' || code === 'ERR_BUFFER_TOO_LARGE' || (typeof code === 'string' && code.startsWith('ZSTD_error_') && code !== 'ZSTD_error_memory_allocation');
const told = (error: unknown): Error => (isOfFrame((error as { code?: unknown }).code) ? new UnreadableBody('the frame of its body is broken', { cause: error }) : error as Error);

/** The text of a body; null where retention has dropped it. Throws `UnreadableBody` where what is packed is no frame of zstd. */
export const bodyOf = ({ body, packed }: KeptBody): string | null => {
  if (body === null || packed === null) return body;
  try {
    return zstdDecompressSync(packed, { maxOutputLength: UNPACKED_BYTES_MAX, chunkSize: PIECE_BYTES }).toString();
  } catch (error) {
    throw told(error);
  }
};

/** The text of a packed body if all of these are in it, else null, and how many bytes it has. It is unpacked beside this thread, for whoever looks through many. */
export const packedBodyWith = async (packed: Buffer, parts: readonly string[]): Promise<{ readonly body: string | null; readonly bytes: number }> => {
  const bytes = await promisify(zstdDecompress)(packed, { maxOutputLength: UNPACKED_BYTES_MAX, chunkSize: PIECE_BYTES_BESIDE }).catch((error: unknown) => { throw told(error); });
  return { body: parts.every((part) => bytes.includes(part)) ? bytes.toString() : null, bytes: bytes.length };
};

/** The envelope that a row of the copy holds; null where retention has dropped it. */
export const envelopeIn = (kept: KeptBody): Envelope | null => {
  const body = bodyOf(kept);
  return body === null ? null : JSON.parse(body) as Envelope;
};

/** The hash of a body, which the chain goes over: of its text, however it is kept. */
export const bodyHashOf = (body: string): Buffer => hash('sha256', body, 'buffer');

/** The code of a refusal: the body of an envelope that is needed is gone, or no longer what its hash says. */
export const ENVELOPE_ALTERED = 'envelope_altered';
export const altered = (partition: number, position: number | bigint): Refused =>
  new Refused(ENVELOPE_ALTERED, `envelope ${partition}/${position} of the copy is not what its hash says: restore it from a backup (docs/ARCHITECTURE.md)`);

/** The envelope of a row by which somebody counts; null where retention has dropped it. Refuses with `envelope_altered` one that is not what its hash says. */
export const provenEnvelope = (kept: KeptBody & { readonly body_hash: Buffer }, partition: number, position: number | bigint): Envelope | null => {
  if (kept.body === null) return null;
  const { envelope, isIntact } = opened(kept);
  if (!isIntact) throw altered(partition, position);
  return envelope!;
};

/** The envelope of a row whose body is kept, and whether that is what its hash says; no envelope where it was changed so that nothing can be read any more. */
export const opened = (kept: KeptBody & { readonly body_hash: Buffer }): { readonly envelope: Envelope | undefined; readonly isIntact: boolean } => {
  try {
    const body = bodyOf(kept)!;
    return { envelope: JSON.parse(body) as Envelope, isIntact: bodyHashOf(body).equals(kept.body_hash) };
  } catch (error) {
    if (error instanceof UnreadableBody || error instanceof SyntaxError) return { envelope: undefined, isIntact: false };
    throw error;
  }
};
