import { createHash, timingSafeEqual } from 'node:crypto';
import { microsNumberOfText, type IdSource, type Instant } from '@valueverse/kernel';
import type { Database } from '@valueverse/event-log';
import type { KnownClient, KnownClients } from './clients';
import type { Deliveries } from './deliveries';
import { isRestart, readAccounting, type RestartReport } from './domain/accounting';
import { ATTRIBUTE, Attributes } from './domain/attributes';
import { encodeResponse, requestAuthenticatorOf, type Md5 } from './domain/authenticator';
import { eventMicros } from './domain/event-time';
import { decodePacket, PacketFault, type Packet } from './domain/packet';
import { Recorder } from './recorder';
import { endSessionsOf } from './session-table';

export const md5: Md5 = (...parts) => {
  // RFC 2866 has it so; nothing else here rests on it.
  const hash = createHash('md5');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** What became of a packet that was taken: it changed something, or it had come before. */
export interface Taken { readonly response: Uint8Array; readonly result: 'recorded' | 'repeated' }

/** What an accounting works by: the time, and who is told of what was refused although its sender is known. */
export interface AccountingDeps { readonly now: () => Instant; readonly rejected?: (client: KnownClient, fault: PacketFault, source: string) => void }

/** RADIUS accounting (RFC 2866 and 2869) as usage: what a NAS reports of its sessions is durable before it is answered, and counts once. */
export class Accounting {
  private readonly recorder: Recorder;

  constructor(
    private readonly database: Database, private readonly clients: KnownClients, deliveries: Deliveries, ids: IdSource, private readonly deps: AccountingDeps,
  ) { this.recorder = new Recorder(database, deliveries, ids); }

  /**
   * Answers a datagram from an address; a fault is never answered (RFC 2866, section 4.1: what was not recorded must not be acknowledged). Throws where it could not be made durable: then the NAS
   * sends it again.
   */
  async take(datagram: Uint8Array, source: string): Promise<Taken | PacketFault> {
    const arrivedAt = microsNumberOfText(this.deps.now());
    const packet = decodePacket(datagram);
    if (packet instanceof PacketFault) return packet;
    const client = await this.senderOf(packet, source);
    if (client instanceof PacketFault) return client;
    const report = readAccounting(packet, source, client.subjectAttribute);
    if (report instanceof PacketFault) return this.refused(client, report, source);
    const at = eventMicros(report, arrivedAt);
    const response = encodeResponse(packet, client.secret, md5);
    if (isRestart(report)) {
      await this.restart(client, report, at);
      return { response, result: 'recorded' };
    }
    const recorded = await this.recorder.record({ client, report, at, arrivedAt });
    return recorded instanceof PacketFault ? this.refused(client, recorded, source) : { response, result: recorded.isRepeated ? 'repeated' : 'recorded' };
  }

  private refused(client: KnownClient, fault: PacketFault, source: string): PacketFault {
    this.deps.rejected?.(client, fault, source);
    return fault;
  }

  /** The client whose secret the packet was signed with. Faults: `unknown_client`, `wrong_secret`, `repeated_attribute`. */
  private async senderOf(packet: Packet, source: string): Promise<KnownClient | PacketFault> {
    const attributes = Attributes.of(packet.attributes);
    if (attributes instanceof PacketFault) return attributes;
    const senders = await this.clients.sendersAt(source, attributes.text(ATTRIBUTE.NAS_IDENTIFIER));
    if (senders.length === 0) return new PacketFault('unknown_client', 'no client has this address');
    return senders.find(({ secret }) => timingSafeEqual(requestAuthenticatorOf(packet.bytes, secret, md5), packet.authenticator))
      ?? new PacketFault('wrong_secret', 'the Request Authenticator does not fit the secret of any client with this address');
  }

  private async restart({ tenant, id: client }: KnownClient, { nas, status }: RestartReport, at: number): Promise<void> {
    await this.database.transaction({ role: 'api', tenant }, (tx) => endSessionsOf(tx, { tenant, client, nas }, at, status));
  }
}
