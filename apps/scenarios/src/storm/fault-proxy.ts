import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as timer } from 'node:timers/promises';

/** A fault that is still under way holds up nobody's end. */
const pause = (milliseconds: number): Promise<void> => timer(milliseconds, undefined, { ref: false });

/** Stands before a server and spoils its connections when it is told to. */
export class FaultProxy {
  private readonly pairs = new Set<readonly [Socket, Socket]>();
  private server: Server | undefined;
  private targetPort = 0;
  private delayMs = 0;
  private answersToDrop = 0;
  private isRefusing = false;
  private stalled: Promise<void> | undefined;
  private goOn: () => void = () => undefined;

  constructor(readonly name: string) {}

  get port(): number { return (this.server!.address() as { port: number }).port; }

  async listen(): Promise<this> {
    const server = createServer((client) => this.join(client));
    this.server = server;
    await new Promise<void>((resolve, reject) => { server.once('error', reject); server.listen(0, '127.0.0.1', resolve); });
    server.unref();
    return this;
  }
  leadTo(port: number): void { this.targetPort = port; }

  /** All connections end at once, and new ones are refused for a while. */
  async cut(milliseconds: number): Promise<void> {
    this.isRefusing = true;
    this.endAll();
    await pause(milliseconds);
    this.isRefusing = false;
  }
  async slow(delayMs: number, milliseconds: number): Promise<void> {
    this.delayMs = delayMs;
    await pause(milliseconds);
    this.delayMs = 0;
  }
  /** Nothing passes for a while, in either direction; nobody is told. */
  async stall(milliseconds: number): Promise<void> {
    this.stalled = new Promise((resolve) => { this.goOn = resolve; });
    await pause(milliseconds);
    this.heal();
  }
  /** The next answer is thrown away with its connection: what was asked for is done, and whoever asked never hears of it. */
  dropAnswer(): void { this.answersToDrop = 1; }

  heal(): void {
    this.delayMs = 0;
    this.answersToDrop = 0;
    this.isRefusing = false;
    this.stalled = undefined;
    this.goOn();
  }
  close(): void {
    this.heal();
    this.endAll();
    this.server?.close();
  }

  private join(client: Socket): void {
    if (this.isRefusing) { client.destroy(); return; }
    const server = connect(this.targetPort, '127.0.0.1');
    const pair = [client, server] as const;
    this.pairs.add(pair);
    for (const [from, to, isAnswer] of [[client, server, false], [server, client, true]] as const) {
      from.setNoDelay(true);
      from.on('data', (chunk: Buffer) => { void this.pass(chunk, from, to, isAnswer); });
      from.once('end', () => to.end());
      from.once('error', () => to.destroy());
      from.once('close', () => { to.destroy(); this.pairs.delete(pair); });
    }
  }

  private async pass(chunk: Buffer, from: Socket, to: Socket, isAnswer: boolean): Promise<void> {
    from.pause();
    if (isAnswer && this.answersToDrop > 0) {
      this.answersToDrop--;
      from.destroy();
      return;
    }
    if (this.stalled !== undefined) await this.stalled;
    if (this.delayMs > 0) await pause(this.delayMs);
    if (to.destroyed) return;
    if (to.write(chunk)) from.resume();
    else to.once('drain', () => from.resume());
  }

  private endAll(): void { this.pairs.forEach((pair) => pair.forEach((socket) => socket.destroy())); }
}
