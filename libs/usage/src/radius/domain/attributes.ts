import { PacketFault, type Attribute } from './packet';

/** The attributes that are looked at. All others, those of vendors (26) among them, are passed over. RFC 2865, 2866, 2869, 3162, 4372 and 6911. */
export const ATTRIBUTE = {
  USER_NAME: 1, NAS_IP_ADDRESS: 4, FRAMED_IP_ADDRESS: 8, CLASS: 25, CALLED_STATION_ID: 30, CALLING_STATION_ID: 31, NAS_IDENTIFIER: 32, PROXY_STATE: 33,
  ACCT_STATUS_TYPE: 40, ACCT_DELAY_TIME: 41, ACCT_INPUT_OCTETS: 42, ACCT_OUTPUT_OCTETS: 43, ACCT_SESSION_ID: 44, ACCT_SESSION_TIME: 46, ACCT_INPUT_PACKETS: 47,
  ACCT_OUTPUT_PACKETS: 48, ACCT_TERMINATE_CAUSE: 49, ACCT_INPUT_GIGAWORDS: 52, ACCT_OUTPUT_GIGAWORDS: 53, EVENT_TIMESTAMP: 55, NAS_PORT_ID: 87,
  CHARGEABLE_USER_IDENTITY: 89, NAS_IPV6_ADDRESS: 95, FRAMED_IPV6_ADDRESS: 168,
} as const;

/** A NAS may send these once at most (RFC 2866, section 5.13): of two it would not be known which one is meant. */
const ONCE: ReadonlySet<number> = new Set([
  ATTRIBUTE.USER_NAME, ATTRIBUTE.NAS_IP_ADDRESS, ATTRIBUTE.NAS_IDENTIFIER, ATTRIBUTE.ACCT_STATUS_TYPE, ATTRIBUTE.ACCT_DELAY_TIME, ATTRIBUTE.ACCT_INPUT_OCTETS, ATTRIBUTE.ACCT_OUTPUT_OCTETS,
  ATTRIBUTE.ACCT_SESSION_ID, ATTRIBUTE.ACCT_SESSION_TIME, ATTRIBUTE.ACCT_INPUT_PACKETS, ATTRIBUTE.ACCT_OUTPUT_PACKETS, ATTRIBUTE.ACCT_TERMINATE_CAUSE, ATTRIBUTE.ACCT_INPUT_GIGAWORDS,
  ATTRIBUTE.ACCT_OUTPUT_GIGAWORDS, ATTRIBUTE.EVENT_TIMESTAMP,
]);

const INTEGER_BYTES = 4;
const IPV6_BYTES = 16;
const UTF8 = new TextDecoder('utf-8', { fatal: true });
/** Control characters, and what cannot be seen or turns the direction of a text. */
const UNUSUAL = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/;

/** The attributes of a packet by type. An empty one is as good as absent (RFC 2865, section 5). */
export class Attributes {
  private readonly byType = new Map<number, Uint8Array>();

  private constructor() { /* Made by `of`. */ }

  /** Fault: `repeated_attribute`. Of those that may be there several times, the first one counts. */
  static of(list: readonly Attribute[]): Attributes | PacketFault {
    const attributes = new Attributes();
    for (const { type, value } of list) {
      if (value.length === 0) continue;
      if (!attributes.byType.has(type)) attributes.byType.set(type, value);
      else if (ONCE.has(type)) return new PacketFault('repeated_attribute', `the attribute ${type} is there twice`);
    }
    return attributes;
  }

  /** Four octets, unsigned. Fault: `malformed_attribute` for any other length. */
  integer(type: number): number | PacketFault | undefined {
    const value = this.byType.get(type);
    if (value === undefined) return undefined;
    if (value.length !== INTEGER_BYTES) return new PacketFault('malformed_attribute', `the attribute ${type} has ${value.length} octets, not ${INTEGER_BYTES}`);
    return ((value[0]! << 24) | (value[1]! << 16) | (value[2]! << 8) | value[3]!) >>> 0;
  }

  /** Text in UTF-8; what is none is shown as `0x` and its octets. */
  text(type: number): string | undefined {
    const value = this.byType.get(type);
    return value === undefined ? undefined : readable(value);
  }

  /** An IPv4 or IPv6 address, by its length; of any other length as its octets. */
  address(type: number): string | undefined {
    const value = this.byType.get(type);
    if (value === undefined) return undefined;
    if (value.length === INTEGER_BYTES) return value.join('.');
    return value.length === IPV6_BYTES ? ipv6Text(value) : octets(value);
  }
}

const octets = (value: Uint8Array): string => `0x${[...value].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;

const readable = (value: Uint8Array): string => {
  try {
    const text = UTF8.decode(value);
    return UNUSUAL.test(text) ? octets(value) : text;
  } catch {
    return octets(value);
  }
};

/** The longest run of zeros is `::` (RFC 5952). */
export const ipv6Text = (value: Uint8Array): string => {
  const groups = Array.from({ length: IPV6_BYTES / 2 }, (_, index) => (value[2 * index]! << 8) | value[2 * index + 1]!);
  let [start, length] = [0, 0];
  for (let from = 0; from < groups.length; from++) {
    let to = from;
    while (to < groups.length && groups[to] === 0) to++;
    if (to - from > length) [start, length] = [from, to - from];
  }
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  return length < 2 ? text(groups) : `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
};
