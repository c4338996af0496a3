import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { ChainHead } from './verify';

/** Where the heads of the chain are kept outside the database, or whoever can cut the chain could also cut its memory. */
export interface AnchorStore {
  append(service: string, heads: readonly ChainHead[], at: string): Promise<void>;
  read(service: string): Promise<ChainHead[]>;
}

interface AnchorLine { service: string; at: string; heads: { partition: number; position: string; link: string }[] }

/** A line that was being written when the machine stopped says nothing; those before and after it hold. */
const lineOf = (text: string): AnchorLine | undefined => {
  try {
    return JSON.parse(text) as AnchorLine;
  } catch {
    return undefined;
  }
};

/** Anchors as lines of a file that is only ever appended to. Put it on another disk, or ship it away. */
export class FileAnchors implements AnchorStore {
  constructor(private readonly path: string) {}

  async append(service: string, heads: readonly ChainHead[], at: string): Promise<void> {
    const line: AnchorLine = { service, at, heads: heads.filter(({ position }) => position > 0n).map((head) => ({ ...head, position: String(head.position) })) };
    await mkdir(dirname(this.path), { recursive: true });
    // Each line begins anew, whatever a machine that stopped in the middle of one left behind.
    await appendFile(this.path, `\n${JSON.stringify(line)}\n`, { mode: 0o600 });
  }

  async read(service: string): Promise<ChainHead[]> {
    const text = await readFile(this.path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    return text.split('\n').map(lineOf).filter((line) => line?.service === service).map((line) => line!)
      .flatMap(({ heads }) => heads.map(({ partition, position, link }) => ({ partition, position: BigInt(position), link })));
  }
}
