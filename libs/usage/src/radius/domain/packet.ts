/** Why a packet is not answered: a stable code, and a sentence for people. */
export class PacketFault {
  constructor(readonly code: PacketFaultCode, readonly detail: string) {}
}
export type PacketFaultCode =
  | 'too_short' | 'too_long' | 'length_mismatch' | 'wrong_code' | 'malformed_attribute' | 'repeated_attribute' | 'unknown_client' | 'wrong_secret'
  | 'status_missing' | 'unknown_status' | 'session_id_missing' | 'subject_missing' | 'invalid_subject';

export interface Attribute {
  readonly type: number;
  /** Empty where the attribute has no value. */
  readonly value: Uint8Array;
}
export interface Packet {
  readonly code: number;
  /** Matches an answer with its question; a NAS uses it again after 256 packets. */
  readonly identifier: number;
  readonly authenticator: Uint8Array;
  readonly attributes: readonly Attribute[];
  /** The packet without what followed it in the datagram. */
  readonly bytes: Uint8Array;
}

/** RFC 2866, section 3. */
export const CODE = { ACCOUNTING_REQUEST: 4, ACCOUNTING_RESPONSE: 5 } as const;
export const HEADER_BYTES = 20;
/** RFC 2865, section 3: no packet is longer. */
export const PACKET_BYTES_MAX = 4_096;
export const AUTHENTICATOR_AT = 4;
export const AUTHENTICATOR_BYTES = 16;
const LENGTH_AT = 2;
const ATTRIBUTE_HEADER_BYTES = 2;

/**
 * Takes a datagram apart (RFC 2865, sections 3 and 5); what the attributes mean is not asked here. Octets beyond the packet's own length are padding and left out. Faults:
 * `too_short`, `too_long`, `length_mismatch`, `wrong_code` for anything but an Accounting-Request, `malformed_attribute` for one whose length is 0 or 1 or reaches beyond the packet.
 */
export const decodePacket = (datagram: Uint8Array): Packet | PacketFault => {
  if (datagram.length < HEADER_BYTES) return new PacketFault('too_short', `${datagram.length} octets; the header alone has ${HEADER_BYTES}`);
  if (datagram.length > PACKET_BYTES_MAX) return new PacketFault('too_long', `${datagram.length} octets; a packet has at most ${PACKET_BYTES_MAX}`);
  const length = (datagram[LENGTH_AT]! << 8) | datagram[LENGTH_AT + 1]!;
  if (length < HEADER_BYTES || length > datagram.length) return new PacketFault('length_mismatch', `it says that it has ${length} octets, and ${datagram.length} came`);
  if (datagram[0] !== CODE.ACCOUNTING_REQUEST) return new PacketFault('wrong_code', `the code is ${datagram[0]}, not ${CODE.ACCOUNTING_REQUEST} (Accounting-Request)`);
  const bytes = datagram.subarray(0, length);
  const attributes = attributesOf(bytes);
  if (attributes instanceof PacketFault) return attributes;
  return { code: bytes[0]!, identifier: bytes[1]!, authenticator: bytes.subarray(AUTHENTICATOR_AT, HEADER_BYTES), attributes, bytes };
};

const attributesOf = (bytes: Uint8Array): Attribute[] | PacketFault => {
  const attributes: Attribute[] = [];
  for (let at = HEADER_BYTES; at < bytes.length;) {
    const length = at + 1 < bytes.length ? bytes[at + 1]! : 0;
    if (length < ATTRIBUTE_HEADER_BYTES || at + length > bytes.length) return new PacketFault('malformed_attribute', `the attribute at octet ${at} says that it has ${length} octets`);
    attributes.push({ type: bytes[at]!, value: bytes.subarray(at + ATTRIBUTE_HEADER_BYTES, at + length) });
    at += length;
  }
  return attributes;
};

/** Puts a packet together; its authenticator is whatever was given. */
export const encodePacket = (code: number, identifier: number, authenticator: Uint8Array, attributes: readonly Attribute[]): Uint8Array => {
  const length = attributes.reduce((sum, { value }) => sum + ATTRIBUTE_HEADER_BYTES + value.length, HEADER_BYTES);
  if (length > PACKET_BYTES_MAX) throw new RangeError(`a packet of ${length} octets`);
  const bytes = new Uint8Array(length);
  bytes.set([code, identifier, length >> 8, length & 0xff]);
  bytes.set(authenticator, AUTHENTICATOR_AT);
  let at = HEADER_BYTES;
  for (const { type, value } of attributes) {
    bytes.set([type, ATTRIBUTE_HEADER_BYTES + value.length], at);
    bytes.set(value, at + ATTRIBUTE_HEADER_BYTES);
    at += ATTRIBUTE_HEADER_BYTES + value.length;
  }
  return bytes;
};
