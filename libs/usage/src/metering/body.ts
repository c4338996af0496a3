import { hash } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
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
/** A frame that says it holds more is none of ours: the records of the feed are far smaller. */
const UNPACKED_BYTES_MAX = 256 * 1024 * 1024;
/** The quickest: usage repeats itself so much that the next levels save little more. */
const PARAMS = { [constants.ZSTD_c_compressionLevel]: 1 };

/** How a body is kept. */
export const keptBody = (body: string): KeptBody & { readonly body: string } =>
  (body.length < PACKED_FROM_CHARACTERS ? { body, packed: null } : { body: body.slice(0, HEAD_CHARACTERS), packed: zstdCompressSync(Buffer.from(body), { params: PARAMS }) });

/** The text of a body; null where retention has dropped it. Throws where what is packed is no frame of zstd, which is so only where it was changed by hand. */
export const bodyOf = ({ body, packed }: KeptBody): string | null => (body === null || packed === null ? body : zstdDecompressSync(packed, { maxOutputLength: UNPACKED_BYTES_MAX }).toString());

/** The envelope that a row of the copy holds; null where retention has dropped it. */
export const envelopeIn = (kept: KeptBody): Envelope | null => {
  const body = bodyOf(kept);
  return body === null ? null : JSON.parse(body) as Envelope;
};

/** The hash of a body, which the chain goes over: of its text, however it is kept. */
export const bodyHashOf = (body: string): Buffer => hash('sha256', body, 'buffer');

/** The envelope of a row whose body is kept, and whether that is what its hash says; no envelope where it was changed so that nothing can be read any more. */
export const opened = (kept: KeptBody & { readonly body_hash: Buffer }): { readonly envelope: Envelope | undefined; readonly isIntact: boolean } => {
  try {
    const body = bodyOf(kept)!;
    return { envelope: JSON.parse(body) as Envelope, isIntact: bodyHashOf(body).equals(kept.body_hash) };
  } catch {
    return { envelope: undefined, isIntact: false };
  }
};
