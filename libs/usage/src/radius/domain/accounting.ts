import { ATTRIBUTE, Attributes } from './attributes';
import { PacketFault, type Packet } from './packet';

/** What a NAS counts of a session since its start. A counter that it does not send is absent, which is not zero. */
export const COUNTERS = ['inputOctets', 'outputOctets', 'inputPackets', 'outputPackets', 'seconds'] as const;
export type Counter = (typeof COUNTERS)[number];
export type Counters = Readonly<Partial<Record<Counter, bigint>>>;

/** The attributes that may name the subject of usage. */
export const SUBJECT_ATTRIBUTES = ['User-Name', 'Class', 'Calling-Station-Id', 'Called-Station-Id', 'Framed-IP-Address', 'NAS-Port-Id', 'Chargeable-User-Identity'] as const;
export type SubjectAttribute = (typeof SUBJECT_ATTRIBUTES)[number];

/** When a NAS says that something happened: Unix seconds of its own clock, and for how many seconds it has tried to tell. */
export interface ToldTime { readonly timestamp?: number | undefined; readonly delay: number }

/** A NAS has started or is about to stop: none of its sessions goes on (RFC 2866, section 5.1). */
export interface RestartReport extends ToldTime { readonly status: 'accounting_on' | 'accounting_off'; readonly nas: string }
/** A session began, goes on, or has ended. */
export interface SessionReport extends ToldTime {
  readonly status: 'start' | 'interim' | 'stop';
  readonly nas: string;
  readonly sessionId: string;
  /** Absent where the packet does not say it; the session may know. */
  readonly subject?: string | undefined;
  readonly counters: Counters;
  /** Why it ended, as RFC 2866, section 5.10 names it. */
  readonly cause?: string | undefined;
  readonly framedAddress?: string | undefined;
  readonly callingStation?: string | undefined;
}
export type AccountingReport = RestartReport | SessionReport;
export const isRestart = (report: AccountingReport): report is RestartReport => report.status === 'accounting_on' || report.status === 'accounting_off';

const STATUS: Readonly<Record<number, AccountingReport['status']>> = { 1: 'start', 2: 'stop', 3: 'interim', 7: 'accounting_on', 8: 'accounting_off' };
const CAUSES: readonly string[] = [
  'user_request', 'lost_carrier', 'lost_service', 'idle_timeout', 'session_timeout', 'admin_reset', 'admin_reboot', 'port_error', 'nas_error', 'nas_request', 'nas_reboot',
  'port_unneeded', 'port_preempted', 'port_suspended', 'service_unavailable', 'callback', 'user_error', 'host_request',
];
/** A subject of usage events has at most so many characters. */
export const SUBJECT_LENGTH_MAX = 256;
const GIGAWORD_BITS = 32n;

const SUBJECT_TYPE: Readonly<Record<SubjectAttribute, number>> = {
  'User-Name': ATTRIBUTE.USER_NAME, Class: ATTRIBUTE.CLASS, 'Calling-Station-Id': ATTRIBUTE.CALLING_STATION_ID, 'Called-Station-Id': ATTRIBUTE.CALLED_STATION_ID,
  'Framed-IP-Address': ATTRIBUTE.FRAMED_IP_ADDRESS, 'NAS-Port-Id': ATTRIBUTE.NAS_PORT_ID, 'Chargeable-User-Identity': ATTRIBUTE.CHARGEABLE_USER_IDENTITY,
};
/** The NAS by its own word (RFC 2866, section 4.1), or else by the address that it sent from. */
export const nasOf = (attributes: Attributes, source: string): string =>
  attributes.text(ATTRIBUTE.NAS_IDENTIFIER) ?? attributes.address(ATTRIBUTE.NAS_IP_ADDRESS) ?? attributes.address(ATTRIBUTE.NAS_IPV6_ADDRESS) ?? source;

const subjectOf = (attributes: Attributes, name: SubjectAttribute): string | PacketFault | undefined => {
  // In the normal form C, as the subject of every event.
  const subject = (name === 'Framed-IP-Address' ? attributes.address(SUBJECT_TYPE[name]) : attributes.text(SUBJECT_TYPE[name]))?.normalize('NFC');
  if (subject !== undefined && subject.length > SUBJECT_LENGTH_MAX) return new PacketFault('invalid_subject', `${name} has more than ${SUBJECT_LENGTH_MAX} characters`);
  return subject;
};

/** Octets above 32 bits are counted in gigawords (RFC 2869, sections 5.1 and 5.2). Gigawords alone are half of a number, which is none: taken as one, the counter would seem to have gone back. */
const octetsOf = (attributes: Attributes, low: number, high: number): bigint | PacketFault | undefined => {
  const [octets, gigawords] = [attributes.integer(low), attributes.integer(high)];
  if (octets instanceof PacketFault) return octets;
  if (gigawords instanceof PacketFault) return gigawords;
  return octets === undefined ? undefined : (BigInt(gigawords ?? 0) << GIGAWORD_BITS) | BigInt(octets);
};

const countersOf = (attributes: Attributes): Counters | PacketFault => {
  const inputOctets = octetsOf(attributes, ATTRIBUTE.ACCT_INPUT_OCTETS, ATTRIBUTE.ACCT_INPUT_GIGAWORDS);
  const outputOctets = octetsOf(attributes, ATTRIBUTE.ACCT_OUTPUT_OCTETS, ATTRIBUTE.ACCT_OUTPUT_GIGAWORDS);
  const whole = (type: number): bigint | PacketFault | undefined => {
    const value = attributes.integer(type);
    return typeof value === 'number' ? BigInt(value) : value;
  };
  const [inputPackets, outputPackets, seconds] = [whole(ATTRIBUTE.ACCT_INPUT_PACKETS), whole(ATTRIBUTE.ACCT_OUTPUT_PACKETS), whole(ATTRIBUTE.ACCT_SESSION_TIME)];
  const counters: Partial<Record<Counter, bigint>> = {};
  for (const [name, value] of [['inputOctets', inputOctets], ['outputOctets', outputOctets], ['inputPackets', inputPackets], ['outputPackets', outputPackets], ['seconds', seconds]] as const) {
    if (value instanceof PacketFault) return value;
    if (value !== undefined) counters[name] = value;
  }
  return counters;
};

/**
 * What a packet reports. `source` is the address that it came from. Faults: `status_missing`, `unknown_status`, `session_id_missing`, `invalid_subject`,
 * `malformed_attribute`, `repeated_attribute`.
 */
export const readAccounting = ({ attributes: list }: Pick<Packet, 'attributes'>, source: string, subjectAttribute: SubjectAttribute): AccountingReport | PacketFault => {
  const attributes = Attributes.of(list);
  if (attributes instanceof PacketFault) return attributes;
  const [type, timestamp, delay = 0] = [attributes.integer(ATTRIBUTE.ACCT_STATUS_TYPE), attributes.integer(ATTRIBUTE.EVENT_TIMESTAMP), attributes.integer(ATTRIBUTE.ACCT_DELAY_TIME)];
  if (type instanceof PacketFault) return type;
  if (timestamp instanceof PacketFault) return timestamp;
  if (delay instanceof PacketFault) return delay;
  if (type === undefined) return new PacketFault('status_missing', 'Acct-Status-Type (40) is missing');
  const status = STATUS[type];
  if (status === undefined) return new PacketFault('unknown_status', `Acct-Status-Type is ${type}; there are 1, 2, 3, 7 and 8`);
  const told = { timestamp, delay, nas: nasOf(attributes, source) };
  if (status === 'accounting_on' || status === 'accounting_off') return { status, ...told };
  const sessionId = attributes.text(ATTRIBUTE.ACCT_SESSION_ID);
  if (sessionId === undefined) return new PacketFault('session_id_missing', 'Acct-Session-Id (44) is missing');
  const [subject, counters, cause] = [subjectOf(attributes, subjectAttribute), countersOf(attributes), attributes.integer(ATTRIBUTE.ACCT_TERMINATE_CAUSE)];
  if (subject instanceof PacketFault) return subject;
  if (counters instanceof PacketFault) return counters;
  if (cause instanceof PacketFault) return cause;
  return {
    status, ...told, sessionId, subject, counters, cause: cause === undefined ? undefined : CAUSES[cause - 1] ?? `cause_${cause}`,
    framedAddress: attributes.address(ATTRIBUTE.FRAMED_IP_ADDRESS) ?? attributes.address(ATTRIBUTE.FRAMED_IPV6_ADDRESS), callingStation: attributes.text(ATTRIBUTE.CALLING_STATION_ID),
  };
};
