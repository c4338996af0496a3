import { createHash, timingSafeEqual } from 'node:crypto';
import { microsNumberOfText, type IdSource, type Instant } from '@valueverse/kernel';
import type { Database, Tx } from '@valueverse/event-log';
import type { KnownClient, KnownClients } from './clients';
import type { Deliveries } from './deliveries';
import { isRestart, readAccounting, type RestartReport, type SessionReport } from './domain/accounting';
import { ATTRIBUTE, Attributes } from './domain/attributes';
import { encodeResponse, requestAuthenticatorOf, type Md5 } from './domain/authenticator';
import { hasGrown } from './domain/counter-chain';
import { eventMicros, sentMicros } from './domain/event-time';
import { decodePacket, PacketFault, type Packet } from './domain/packet';
import { receive } from './domain/sessions';
import { reportIdOf, usageEventOf } from './domain/usage-of-session';
import { endSessionsOf, lockSessions, plan, plannedOf, writeSession, type Planned } from './session-table';

export const md5: Md5 = (...parts) => {
  // RFC 2866 has it so; nothing else here rests on it.
  const hash = createHash('md5');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** What became of a packet that was taken: it changed something, or it had come before. */
export interface Taken { readonly response: Uint8Array; readonly result: 'recorded' | 'repeated' }

/** RADIUS accounting (RFC 2866 and 2869) as usage: what a NAS reports of its sessions is durable before it is answered, and counts once. */
export class Accounting {
  constructor(
    private readonly database: Database, private readonly clients: KnownClients, private readonly deliveries: Deliveries, private readonly ids: IdSource, private readonly now: () => Instant,
  ) {}

  /**
   * Answers a datagram from an address; a fault is never answered (RFC 2866, section 4.1: what was not recorded must not be acknowledged). Throws where it could not be made durable: then the NAS
   * sends it again.
   */
  async take(datagram: Uint8Array, source: string): Promise<Taken | PacketFault> {
    const arrivedAt = microsNumberOfText(this.now());
    const packet = decodePacket(datagram);
    if (packet instanceof PacketFault) return packet;
    const client = await this.senderOf(packet, source);
    if (client instanceof PacketFault) return client;
    const report = readAccounting(packet, source, client.subjectAttribute);
    if (report instanceof PacketFault) return report;
    const at = eventMicros(report, arrivedAt);
    const response = encodeResponse(packet, client.secret, md5);
    if (isRestart(report)) {
      await this.restart(client, report, at);
      return { response, result: 'recorded' };
    }
    const recorded = await this.record(client, report, at, arrivedAt);
    if (recorded instanceof PacketFault) return recorded;
    // Also what an earlier packet of the session left behind, when the process ended between the session and the feed.
    await this.deliveries.deliver(client.tenant, recorded.planned);
    return { response, result: recorded.isRepeated ? 'repeated' : 'recorded' };
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

  /** One transaction: the session, and the event that the report leads to. Whoever comes second, here or in another process, finds both. */
  private record(client: KnownClient, report: SessionReport, at: number, arrivedAt: number): Promise<{ isRepeated: boolean; planned: Planned[] } | PacketFault> {
    const { tenant } = client;
    const key = { tenant, client: client.id, nas: report.nas, sessionId: report.sessionId };
    return this.database.transaction({ role: 'api', tenant }, async (tx: Tx) => {
      const sessions = await lockSessions(tx, key);
      const reportId = reportIdOf(client.name, report);
      const received = receive(sessions, { report, at, sentAt: sentMicros(report, arrivedAt) }, { reportId, newId: this.ids.next('ras') });
      if (received instanceof PacketFault) return received;
      const { session, growth, isRepeated } = received;
      if (!isRepeated) {
        await writeSession(tx, key, session);
        if (hasGrown(growth)) await plan(tx, { tenant, session: session.id, id: reportId, event: JSON.stringify(usageEventOf(client.name, report, session, growth, { id: reportId, at })) }, arrivedAt);
      }
      return { isRepeated, planned: await plannedOf(tx, tenant, [...new Set([...sessions.map(({ id }) => id), session.id])]) };
    });
  }
}
