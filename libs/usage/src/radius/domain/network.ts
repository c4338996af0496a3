import { ipv6Text } from './attributes';

/** An IP network; of a single address the prefix is all of its bits. */
export interface Network { readonly bits: 32 | 128; readonly base: bigint; readonly prefix: number }

const IPV4_BITS = 32;
const IPV6_BITS = 128;
const GROUP_BITS = 16n;
const GROUPS = 8;
/** IPv4 inside IPv6, as a socket for both says it: `::ffff:192.0.2.1`. */
const MAPPED = 0xffffn;

const ipv4 = (text: string): bigint | undefined => {
  const parts = text.split('.');
  if (parts.length !== 4 || parts.some((part) => !/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255)) return undefined;
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n);
};

/** The groups of one side of `::`; the last may be an IPv4 address. */
const groupsOf = (text: string): bigint[] | undefined => {
  if (text === '') return [];
  const groups: bigint[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    const tail = index === parts.length - 1 && part.includes('.') ? ipv4(part) : undefined;
    if (tail !== undefined) groups.push(tail >> GROUP_BITS, tail & 0xffffn);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(BigInt(`0x${part}`));
    else return undefined;
  }
  return groups;
};

const ipv6 = (text: string): bigint | undefined => {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [left, right] = [groupsOf(halves[0]!), groupsOf(halves[1] ?? '')];
  if (left === undefined || right === undefined) return undefined;
  const missing = GROUPS - left.length - right.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  return [...left, ...Array<bigint>(missing).fill(0n), ...right].reduce((value, group) => (value << GROUP_BITS) | group, 0n);
};

const addressOf = (text: string): Network | undefined => {
  const four = ipv4(text);
  if (four !== undefined) return { bits: IPV4_BITS, base: four, prefix: IPV4_BITS };
  // The zone of a link-local address says which wire, not which address.
  const six = ipv6(text.split('%')[0]!);
  if (six === undefined) return undefined;
  if (six >> BigInt(IPV4_BITS) === MAPPED) return { bits: IPV4_BITS, base: six & 0xffffffffn, prefix: IPV4_BITS };
  return { bits: IPV6_BITS, base: six, prefix: IPV6_BITS };
};

/** An address, or a network in CIDR notation, whose bits behind the prefix are dropped; undefined for what is neither. */
export const parseNetwork = (text: string): Network | undefined => {
  const [address = '', length, ...more] = text.split('/');
  const found = addressOf(address);
  if (found === undefined || more.length > 0) return undefined;
  if (length === undefined) return found;
  if (!/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > found.bits) return undefined;
  const hostBits = BigInt(found.bits - Number(length));
  return { bits: found.bits, base: (found.base >> hostBits) << hostBits, prefix: Number(length) };
};

/** Whether an address is in a network. */
export const contains = (network: Network, address: Network): boolean => {
  const hostBits = BigInt(network.bits - network.prefix);
  return network.bits === address.bits && network.base >> hostBits === address.base >> hostBits;
};

/** The one text of a network: `192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32`. */
export const networkText = ({ bits, base, prefix }: Network): string => {
  const bytes = Uint8Array.from({ length: bits / 8 }, (_, index) => Number((base >> BigInt(bits - 8 * (index + 1))) & 0xffn));
  const address = bits === IPV4_BITS ? bytes.join('.') : ipv6Text(bytes);
  return prefix === bits ? address : `${address}/${prefix}`;
};
