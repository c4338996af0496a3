import { createSocket, type Socket } from 'node:dgram';
import { md5 } from './accounting';
import { ATTRIBUTE } from './domain/attributes';
import { encodeRequest } from './domain/authenticator';
import type { Attribute } from './domain/packet';

type Name = keyof typeof ATTRIBUTE;
export type Values = Readonly<Partial<Record<Name, string | number | Uint8Array>>>;

const octetsOf = (value: string | number | Uint8Array): Uint8Array => {
  if (typeof value === 'string') return Buffer.from(value);
  if (typeof value !== 'number') return value;
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE(value);
  return octets;
};
export const attribute = (name: Name, value: string | number | Uint8Array): Attribute => ({ type: ATTRIBUTE[name], value: octetsOf(value) });

const ANSWER_MS_MAX = 5_000;

/** A NAS with a socket of its own. */
export class Nas {
  private readonly answers = new Map<number, (answer: Buffer) => void>();
  private identifier = 0;

  private constructor(private readonly socket: Socket, private readonly port: number, private readonly secret: string) {
    socket.on('message', (answer) => { this.answers.get(answer[1]!)?.(answer); });
  }

  static async at(port: number, secret: string): Promise<Nas> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => { socket.bind(0, '127.0.0.1', resolve); });
    return new Nas(socket, port, secret);
  }

  packet(values: Values, more: readonly Attribute[] = []): Uint8Array {
    this.identifier = (this.identifier + 1) % 256;
    return encodeRequest(this.identifier, [...Object.entries(values).map(([name, value]) => attribute(name as Name, value)), ...more], Buffer.from(this.secret), md5);
  }
  /** Sends and does not wait. */
  throw(datagram: Uint8Array): Promise<void> { return new Promise((resolve, reject) => { this.socket.send(datagram, this.port, '127.0.0.1', (error) => { if (error) reject(error); else resolve(); }); }); }

  /** The answer to a packet. Fails when there is none. */
  async ask(datagram: Uint8Array): Promise<Buffer> {
    let timer: NodeJS.Timeout | undefined;
    try {
      const answer = new Promise<Buffer>((resolve, reject) => {
        this.answers.set(datagram[1]!, resolve);
        timer = setTimeout(() => reject(new Error(`no answer to the packet ${datagram[1]}`)), ANSWER_MS_MAX);
      });
      await this.throw(datagram);
      return await answer;
    } finally {
      clearTimeout(timer);
      this.answers.delete(datagram[1]!);
    }
  }
  send(values: Values, more: readonly Attribute[] = []): Promise<Buffer> { return this.ask(this.packet(values, more)); }
  close(): Promise<void> { return new Promise((resolve) => { this.socket.close(() => resolve()); }); }
}
