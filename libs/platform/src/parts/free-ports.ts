import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';

/** Below the ports that Linux (32768 and up) and macOS (49152 and up) give to outgoing connections: one of those may be taken at any moment, also between two runs of one server. */
const [FIRST, LAST] = [10_240, 32_767];
const TRIES_MAX = 100;

/** Ports on 127.0.0.1 that nobody listens on at this moment. They are held until all are found: one that is let go may be given out again at once. */
export async function freePorts(count: number): Promise<number[]> {
  const held = await Promise.all(Array.from({ length: count }, () => hold()));
  const ports = held.map((server) => (server.address() as { port: number }).port);
  await Promise.all(held.map((server) => new Promise((resolve) => { server.close(resolve); })));
  return ports;
}

export const freePort = async (): Promise<number> => (await freePorts(1))[0]!;

async function hold(triesLeft = TRIES_MAX): Promise<Server> {
  try {
    return await listening(randomInt(FIRST, LAST + 1));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || triesLeft === 0) throw error;
    return hold(triesLeft - 1);
  }
}

const listening = (port: number): Promise<Server> => new Promise((resolve, reject) => {
  const server = createServer();
  server.once('error', reject);
  server.listen(port, '127.0.0.1', () => resolve(server));
});
