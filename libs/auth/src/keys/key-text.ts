import { createHmac, hkdfSync, randomBytes } from 'node:crypto';

export type Environment = 'test' | 'live';
export type KeyKind = 'secret' | 'ingest' | 'publishable';

const KIND_LETTERS = { secret: 'sk', ingest: 'ik', publishable: 'pk' } as const satisfies Record<KeyKind, string>;
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const PREFIX_LENGTH = 8;
/** 43 characters of 62 are more than 256 bits. */
const SECRET_LENGTH = 43;
const KEY = /^vv_(test|live)_(sk|ik|pk)_([0-9A-Za-z]{8})_[0-9A-Za-z]{43}$/;

const randomText = (length: number): string => {
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      // 248 is the greatest multiple of 62 in a byte: above it the letters would not be equally likely.
      if (byte < 248 && text.length < length) text += ALPHABET[byte % ALPHABET.length];
    }
  }
  return text;
};

/** A new key as its owner sees it, once: `vv_test_sk_<8>_<43>`. */
export const newKeyText = (environment: Environment, kind: KeyKind): { text: string; prefix: string } => {
  const prefix = `vv_${environment}_${KIND_LETTERS[kind]}_${randomText(PREFIX_LENGTH)}`;
  return { text: `${prefix}_${randomText(SECRET_LENGTH)}`, prefix };
};

/** The public part of a key, by which it is looked up; `undefined` for what is not a key of ours. */
export const prefixOf = (text: string): string | undefined => (KEY.test(text) ? text.slice(0, text.lastIndexOf('_')) : undefined);

/** The key of the digests, derived from the master key: a copy of the database alone cannot even be searched for weak secrets. */
export const digestKeyOf = (masterKey: Buffer): Buffer => Buffer.from(hkdfSync('sha256', masterKey, '', 'valueverse credential digests', 32));

/** HMAC-SHA256 of the whole key, in hex: all that is kept of it. */
export const digestOf = (digestKey: Buffer, text: string): string => createHmac('sha256', digestKey).update(text).digest('hex');
