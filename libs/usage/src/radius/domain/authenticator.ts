import { ATTRIBUTE } from './attributes';
import { AUTHENTICATOR_AT, AUTHENTICATOR_BYTES, CODE, encodePacket, HEADER_BYTES, type Attribute, type Packet } from './packet';

/** MD5 over the parts one after the other. It comes from outside: the domain does no cryptography of its own. */
export type Md5 = (...parts: readonly Uint8Array[]) => Uint8Array;

const NOTHING = new Uint8Array(AUTHENTICATOR_BYTES);

/** MD5 over the packet with an authenticator of zeros, and the secret (RFC 2866, section 3). */
export const requestAuthenticatorOf = (bytes: Uint8Array, secret: Uint8Array, md5: Md5): Uint8Array =>
  md5(bytes.subarray(0, AUTHENTICATOR_AT), NOTHING, bytes.subarray(HEADER_BYTES), secret);

/** A request as a NAS sends it. */
export const encodeRequest = (identifier: number, attributes: readonly Attribute[], secret: Uint8Array, md5: Md5): Uint8Array =>
  encodePacket(CODE.ACCOUNTING_REQUEST, identifier, requestAuthenticatorOf(encodePacket(CODE.ACCOUNTING_REQUEST, identifier, NOTHING, attributes), secret, md5), attributes);

/**
 * The answer that says: it is recorded. Its authenticator is MD5 over the answer with the authenticator of the request, and the secret (RFC 2866, section 3);
 * Proxy-State goes back as it came, in its order (RFC 2865, section 5.33).
 */
export const encodeResponse = (request: Packet, secret: Uint8Array, md5: Md5): Uint8Array => {
  const attributes = request.attributes.filter(({ type }) => type === ATTRIBUTE.PROXY_STATE);
  const unsigned = encodePacket(CODE.ACCOUNTING_RESPONSE, request.identifier, request.authenticator, attributes);
  return encodePacket(CODE.ACCOUNTING_RESPONSE, request.identifier, md5(unsigned, secret), attributes);
};
