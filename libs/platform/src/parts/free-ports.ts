import { createServer, type Server } from 'node:net';

/** Ports on 127.0.0.1 that nobody listens on at this moment. They are held until all are found: one that is let go may be given out again at once. */
export async function freePorts(count: number): Promise<number[]> {
  const held = await Promise.all(Array.from({ length: count }, hold));
  const ports = held.map((server) => (server.address() as { port: number }).port);
  await Promise.all(held.map((server) => new Promise((resolve) => { server.close(resolve); })));
  return ports;
}

export const freePort = async (): Promise<number> => (await freePorts(1))[0]!;

const hold = (): Promise<Server> => new Promise((resolve, reject) => {
  const server = createServer();
  server.once('error', reject);
  server.listen(0, '127.0.0.1', () => resolve(server));
});
