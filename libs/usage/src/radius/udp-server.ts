import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { PortTaken, type Logger, type Metrics } from '@valueverse/platform';
import type { Accounting } from './accounting';
import { PacketFault } from './domain/packet';

/** Where accounting packets come in. */
export interface RadiusAddress { readonly port: number; readonly address: string }
export interface UdpServerDeps { readonly accounting: Pick<Accounting, 'take'>; readonly logger: Logger; readonly metrics: Metrics; readonly nowMs?: () => number }

/** Packets that are worked on or wait for it. More are dropped, and their NAS send them again. */
export const IN_HAND_MAX = 1_000;
/** An address is written about once in this time, for each thing that is wrong. */
const LOG_EVERY_MS = 60_000;
const LOGGED_MAX = 10_000;
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

/** What somebody can do about a packet that gets no answer. */
const NEXT: Partial<Record<PacketFault['code'], string>> = {
  unknown_client: 'npx vv radius clients add <name> <address> --secret-file <file>', wrong_secret: 'npx vv radius clients list, then npx vv radius clients change <id> --secret-file <file>',
  subject_missing: 'npx vv radius clients change <id> --subject-attribute <name>', invalid_subject: 'npx vv radius clients change <id> --subject-attribute <name>',
};
const LOOK_AT_NAS = 'look at what the NAS sends: radsniff -x';

/** Takes accounting packets by UDP and answers those that were recorded. */
export class UdpServer {
  private socket: Socket | undefined;
  /** By address and header: a NAS that repeats itself is answered once. */
  private readonly inHand = new Map<string, Promise<void>>();
  private readonly logged = new Map<string, number>();
  private readonly packets;
  private readonly nowMs: () => number;

  constructor(private readonly deps: UdpServerDeps) {
    this.nowMs = deps.nowMs ?? (() => performance.now());
    this.packets = deps.metrics.counter({
      subsystem: 'usage', what: 'radius_packets', labels: ['result'],
      help: 'RADIUS accounting packets: recorded or repeated, which were answered; overloaded, failed or the code of what was wrong with them, which were not',
    });
  }

  /** Answers the port. Fails with `PortTaken`. */
  async listen({ port, address }: RadiusAddress): Promise<number> {
    const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', (error: NodeJS.ErrnoException) => reject(error.code === 'EADDRINUSE' ? new PortTaken(port, 'RADIUS_PORT') : error));
      socket.bind(port, address, resolve);
    });
    socket.removeAllListeners('error');
    socket.on('error', (error) => this.deps.logger.error({ err: error }, 'the socket of RADIUS accounting failed'));
    socket.on('message', (datagram, from) => this.received(datagram, from));
    this.socket = socket;
    return socket.address().port;
  }

  /** Takes nothing more, and answers what is in hand. */
  async close(): Promise<void> {
    const { socket } = this;
    if (socket === undefined) return;
    socket.removeAllListeners('message');
    await Promise.all(this.inHand.values());
    this.socket = undefined;
    await new Promise<void>((resolve) => { socket.close(() => resolve()); });
  }

  private received(datagram: Uint8Array, from: RemoteInfo): void {
    // Address, identifier and authenticator (RFC 5080, section 2.2.2).
    const key = `${from.address} ${from.port} ${Buffer.from(datagram.subarray(0, 20)).toString('base64')}`;
    if (this.inHand.has(key)) { this.packets.inc({ result: 'repeated' }); return; }
    if (this.inHand.size >= IN_HAND_MAX) { this.packets.inc({ result: 'overloaded' }); return; }
    this.inHand.set(key, this.answer(datagram, from).finally(() => { this.inHand.delete(key); }));
  }

  private async answer(datagram: Uint8Array, from: RemoteInfo): Promise<void> {
    let result: string;
    try {
      const taken = await this.deps.accounting.take(datagram, from.address);
      result = taken instanceof PacketFault ? taken.code : taken.result;
      if (taken instanceof PacketFault) this.say(from.address, taken.code, `a RADIUS packet is not answered: ${taken.detail}`, NEXT[taken.code] ?? LOOK_AT_NAS);
      else await this.send(taken.response, from);
    } catch (error) {
      result = 'failed';
      this.say(from.address, result, 'a RADIUS packet could not be recorded and is not answered; its NAS sends it again', 'npx vv doctor', error);
    }
    this.packets.inc({ result });
  }

  private send(response: Uint8Array, { port, address }: RemoteInfo): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket!.send(response, port, address, (error) => { if (error) reject(error); else resolve(); });
    });
  }

  /** Once a minute for an address and a thing: whoever sends nonsense does not fill the log. */
  private say(address: string, code: string, message: string, next: string, cause?: unknown): void {
    const [key, now] = [`${address} ${code}`, this.nowMs()];
    if (now < (this.logged.get(key) ?? -LOG_EVERY_MS) + LOG_EVERY_MS) return;
    if (this.logged.size >= LOGGED_MAX) this.logged.clear();
    this.logged.set(key, now);
    this.deps.logger.warn({ address, code, next, ...(cause === undefined ? {} : { err: cause }) }, message);
  }
}
