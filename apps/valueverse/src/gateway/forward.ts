import { type Agent, type ClientRequest, type IncomingMessage, request as httpRequest, type ServerResponse } from 'node:http';
import { sendProblem } from './problems';
import type { Replica, Replicas } from './replicas';

/** A little more than services give themselves, so that their word comes first. */
const ANSWER_TIMEOUT_MS = 65_000;
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'upgrade', 'expect']);
const READS = new Set(['GET', 'HEAD']);

/** How one try ended: answered (well or not), or not, and whether something of the request may have arrived. */
type Ending = 'answered' | { readonly failed: Error; readonly sent: boolean };

/**
 * Passes a request on to the replicas in turn. Another one is tried only where that is safe: nothing was sent, because the connection was
 * refused, or nothing is changed by a repetition, because the request only reads.
 */
export const forward = async (incoming: IncomingMessage, outgoing: ServerResponse, replicas: Replicas, agent: Agent): Promise<void> => {
  const tried = new Set<Replica>();
  const faults: string[] = [];
  for (let replica = replicas.next(tried); replica !== undefined; replica = replicas.next(tried)) {
    tried.add(replica);
    const ending = await tryOne(incoming, outgoing, replica, agent);
    if (ending === 'answered') return;
    if (incoming.socket.destroyed) return;
    faults.push(`${replica.url.host}: ${ending.failed.message}`);
    if (!ending.sent) replicas.refused(replica, ending.failed.message);
    else if (!READS.has(incoming.method ?? '')) {
      const isLate = ending.failed instanceof AnswerLate;
      sendProblem(outgoing, isLate ? 504 : 502, isLate ? 'no_answer_in_time' : 'connection_lost', `${replicas.name} has the request, and its answer was lost: look before you send it again, or send it with a key`);
      return;
    }
  }
  sendProblem(outgoing, 503, 'nobody_there', faults.length === 0 ? `no replica of ${replicas.name} is ready` : `no replica of ${replicas.name} answers: ${faults.join('; ')}`);
};

class AnswerLate extends Error {}

const tryOne = (incoming: IncomingMessage, outgoing: ServerResponse, { url, givenUp }: Replica, agent: Agent): Promise<Ending> => new Promise((resolve) => {
  let sent = false;
  const forwarded = httpRequest({
    agent, host: url.hostname, port: url.port, method: incoming.method, path: incoming.url, headers: headersFor(incoming),
  }, (answer) => {
    settle();
    outgoing.writeHead(answer.statusCode ?? 502, withoutHops(answer));
    answer.pipe(outgoing);
    // Half of an answer cannot be taken back: the client sees that it was cut off.
    answer.once('error', () => outgoing.destroy());
    outgoing.once('close', () => { if (!answer.complete) forwarded.destroy(); resolve('answered'); });
  });
  const late = setTimeout(() => forwarded.destroy(new AnswerLate(`no answer within ${ANSWER_TIMEOUT_MS} ms`)), ANSWER_TIMEOUT_MS);
  const giveUp = (): void => { forwarded.destroy(new AnswerLate('it does not answer')); };
  if (READS.has(incoming.method ?? '')) givenUp.add(giveUp);
  const settle = (): void => { clearTimeout(late); givenUp.delete(giveUp); };
  forwarded.once('error', (failed) => {
    settle();
    incoming.unpipe(forwarded);
    if (outgoing.headersSent) outgoing.destroy();
    resolve(outgoing.headersSent ? 'answered' : { failed, sent });
  });
  onConnected(forwarded, () => {
    sent = true;
    if (hasBody(incoming)) incoming.pipe(forwarded);
    else forwarded.end();
  });
  incoming.once('close', () => { if (!incoming.complete) forwarded.destroy(); });
});

/** Calls back when there is a connection and before anything of the request is written to it. */
const onConnected = (forwarded: ClientRequest, then: () => void): void => {
  forwarded.once('socket', (socket) => {
    if (socket.connecting) socket.once('connect', then);
    else then();
  });
};

const hasBody = ({ headers }: IncomingMessage): boolean => headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

const headersFor = (incoming: IncomingMessage): NodeJS.Dict<string | string[]> => {
  const from = incoming.socket.remoteAddress ?? '';
  const before = incoming.headers['x-forwarded-for'];
  return { ...withoutHops(incoming), 'x-forwarded-for': before === undefined ? from : `${String(before)}, ${from}`, 'x-forwarded-proto': 'http' };
};

const withoutHops = ({ headers }: IncomingMessage): NodeJS.Dict<string | string[]> => Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name)));
