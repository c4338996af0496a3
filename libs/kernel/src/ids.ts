import { hash } from 'node:crypto';

/** Makes new ids. The implementation, which reads a clock and a source of randomness, lives with the host. */
export interface IdSource {
  next(prefix: string): string;
}

/** Crockford's base32 in lower case, as the TypeID specification 0.3 has it: without i, l, o and u. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const SUFFIX_LENGTH = 26;
const UUID_BYTES = 16;
const RANDOM_BYTES = 10;
const PREFIX_LENGTH_MAX = 63;
const UNIX_MILLIS_MAX = 2 ** 48 - 1;
const SEPARATOR = '\u0000';

const isPrefix = (prefix: string): boolean => prefix.length <= PREFIX_LENGTH_MAX && /^[a-z](?:[a-z_]*[a-z])?$/.test(prefix);

/** Five bits a character, from the front; two zero bits before the first byte make the 128 bits a whole number of them. */
const encode = (bytes: Uint8Array): string => {
  let [suffix, held, bits] = ['', 0, 2];
  for (const byte of bytes) {
    held = ((held & 0xf) << 8) | byte;
    for (bits += 8; bits >= 5;) suffix += ALPHABET[(held >> (bits -= 5)) & 31]!;
  }
  return suffix;
};

const decode = (suffix: string): bigint | undefined => {
  // 26 characters hold 130 bits, a UUID 128: a first character above 7 would be an overflow.
  if (suffix.length !== SUFFIX_LENGTH || suffix[0]! > '7') return undefined;
  let value = 0n;
  for (const character of suffix) {
    const digit = ALPHABET.indexOf(character);
    if (digit === -1) return undefined;
    value = (value << 5n) | BigInt(digit);
  }
  return value;
};

/** Version and variant bits of RFC 9562, section 4. */
const shaped = (bytes: Uint8Array, version: number): Uint8Array => {
  bytes[6] = (version << 4) | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  return bytes;
};

/** `prefix_` and the 16 bytes of a UUID in 26 characters (TypeID). Ids of one prefix sort as their bytes do. */
export const typeId = (prefix: string, uuid: Uint8Array): string => {
  if (!isPrefix(prefix)) throw new RangeError(`"${prefix}" is not a prefix of an id`);
  if (uuid.length !== UUID_BYTES) throw new RangeError(`a UUID of ${uuid.length} bytes`);
  return `${prefix}_${encode(uuid)}`;
};

/** A time-ordered id: UUID version 7 of a Unix time in milliseconds and 10 random bytes, of which 74 bits are used. */
export const newIdFrom = (prefix: string, unixMillis: number, random: Uint8Array): string => {
  if (!Number.isInteger(unixMillis) || unixMillis < 0 || unixMillis > UNIX_MILLIS_MAX) throw new RangeError(`${unixMillis} ms`);
  if (random.length !== RANDOM_BYTES) throw new RangeError(`${random.length} random bytes`);
  const bytes = new Uint8Array(UUID_BYTES);
  for (let index = 5, rest = unixMillis; index >= 0; index--, rest = Math.floor(rest / 256)) bytes[index] = rest % 256;
  bytes.set(random, UUID_BYTES - RANDOM_BYTES);
  return typeId(prefix, shaped(bytes, 7));
};

/**
 * An id that is a function of its parts, so that the same cause makes the same thing again: the first 16 bytes of the
 * SHA-256 of the parts, joined by U+0000, shaped as UUID version 8. The prefix is not hashed. A part that holds U+0000
 * is a mistake of the caller (`RangeError`), because two lists of parts could then make one id.
 */
export const derivedId = (prefix: string, ...parts: readonly string[]): string => {
  if (parts.length === 0 || parts.some((part) => part.includes(SEPARATOR))) throw new RangeError('the parts of a derived id');
  return typeId(prefix, shaped(hash('sha256', parts.join(SEPARATOR), 'buffer').subarray(0, UUID_BYTES), 8));
};

/** Whether the text is an id of this kind. */
export const isId = (prefix: string, text: unknown): text is string =>
  typeof text === 'string' && text.startsWith(`${prefix}_`) && decode(text.slice(prefix.length + 1)) !== undefined;

/** SHA-256 of a text in UTF-8, as 64 hexadecimal digits. */
export const sha256Hex = (text: string): string => hash('sha256', text, 'hex');
