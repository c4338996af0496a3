import { createHash } from 'node:crypto';
import type { Database } from '../database/database';

export interface ChainHead { readonly partition: number; readonly position: bigint; readonly link: string }
export interface ChainFault { readonly partition: number; readonly position: bigint; readonly reason: string }
export interface Verification { readonly facts: number; readonly heads: readonly ChainHead[]; readonly faults: readonly ChainFault[] }

const FACTS_PER_PAGE = 2_000;

const int8 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
};

/** The heads of a store's chain, to be kept outside the database. */
export const chainHeads = (database: Database): Promise<ChainHead[]> => database.transaction({ role: 'worker', readOnly: true }, async (tx) => {
  const { rows } = await tx.query<{ partition: number; position: bigint; link: Buffer }>('SELECT partition, position, link FROM heads ORDER BY partition');
  return rows.map(({ partition, position, link }) => ({ partition, position, link: link.toString('hex') }));
});

/**
 * Recomputes the hash chain of a store from the texts of its facts, and compares it with the links, the heads and, where given, with
 * heads that were kept outside. It finds a changed, removed, inserted or moved fact, and by the anchors a tail that was cut off.
 */
export const verifyChain = async (database: Database, anchors: readonly ChainHead[] = []): Promise<Verification> => {
  const heads = await chainHeads(database);
  const faults: ChainFault[] = [];
  let facts = 0;
  for (const head of heads) {
    const partition = await verifyPartition(database, head, anchors.filter((anchor) => anchor.partition === head.partition));
    facts += partition.facts;
    faults.push(...partition.faults);
  }
  return { facts, heads, faults };
};

const verifyPartition = async (database: Database, head: ChainHead, anchors: readonly ChainHead[]): Promise<{ facts: number; faults: ChainFault[] }> => {
  const { partition } = head;
  const fault = (position: bigint, reason: string): { facts: number; faults: ChainFault[] } => ({ facts: Number(position), faults: [{ partition, position, reason }] });
  let link = Buffer.alloc(0);
  let position = 0n;
  const anchored = new Map(anchors.map((anchor) => [anchor.position, anchor.link]));
  for (;;) {
    const page = await database.transaction({ role: 'worker', readOnly: true }, async (tx) => {
      const links = await tx.query<{ first_position: bigint; last_position: bigint; link: Buffer }>(
        'SELECT first_position, last_position, link FROM links WHERE partition = $1 AND last_position > $2 AND last_position <= $4 ORDER BY last_position LIMIT $3', [partition, position, FACTS_PER_PAGE, head.position]);
      const last = links.rows.at(-1)?.last_position ?? position;
      const events = await tx.query<{ position: bigint; body: string; hash: Buffer }>(
        'SELECT position, body, hash FROM events WHERE partition = $1 AND position > $2 AND position <= $3 ORDER BY position', [partition, position, last]);
      return { links: links.rows, events: events.rows };
    });
    if (page.links.length === 0) break;
    let index = 0;
    for (const stored of page.links) {
      const hashes: Buffer[] = [];
      for (; position < stored.last_position; index++) {
        const event = page.events[index];
        if (event?.position !== position + 1n) return fault(position + 1n, 'the fact is missing');
        position = event.position;
        if (!createHash('sha256').update(event.body).digest().equals(event.hash)) return fault(position, 'the text was changed');
        hashes.push(event.hash);
      }
      link = createHash('sha256').update(link).update(int8(stored.first_position)).update(Buffer.concat(hashes)).digest();
      if (!link.equals(stored.link)) return fault(position, 'the link does not follow from the facts');
      const anchor = anchored.get(position);
      if (anchor !== undefined && anchor !== link.toString('hex')) return fault(position, 'the link is not the one that was anchored');
    }
  }
  if (position !== head.position || link.toString('hex') !== head.link) return fault(position, `the chain ends at ${position}, its head says ${head.position}`);
  const beyond = anchors.find((anchor) => anchor.position > position);
  if (beyond !== undefined) return fault(position, `the tail was cut: position ${beyond.position} was anchored`);
  return { facts: Number(position), faults: [] };
};
