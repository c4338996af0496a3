import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UpRefused } from './refusal';

/** What a data folder was made with. */
interface MadeWith { readonly brokers: 1 | 3; readonly databaseDir?: string }

const MADE_WITH = 'made-with.json';
/** All that an installation keeps in its folder. */
const KEPT = ['postgres', 'kafka', 'redis', 'logs', 'anchors', 'secrets.json', 'credentials.json', 'server.json', 'state.json', 'owner.json', 'compose.json', MADE_WITH];

/** Refuses a folder of another edition, and one whose brokers were more or fewer: their data cannot be read by these. */
export const claimFor = (data: string, brokers: 1 | 3): void => {
  const made = madeWith(data);
  if (made === undefined) {
    if (existsSync(join(data, 'secrets.json'))) throw new UpRefused(`${data} is the data folder of another edition.`, 'npm run up -- --data another-folder');
    noteMadeWith(data, { brokers });
  } else if (made.brokers !== brokers) {
    throw new UpRefused(`The data in ${data} was made with --brokers ${made.brokers}, and records do not move by themselves.`,
      `npm run up -- --brokers ${made.brokers}   (or npm run down -- --purge, or another --data)`);
  }
};

export const noteMadeWith = (data: string, made: MadeWith): void => { writeFileSync(join(data, MADE_WITH), `${JSON.stringify(made)}\n`, { mode: 0o600 }); };

/** Removes everything that an installation kept, and nothing else that lies in its folder. Answers whether there was something. */
export const purge = (data: string): boolean => {
  const made = madeWith(data);
  if (made === undefined) return false;
  if (made.databaseDir !== undefined) rmSync(made.databaseDir, { recursive: true, force: true });
  for (const name of KEPT) rmSync(join(data, name), { recursive: true, force: true });
  if (readdirSync(data).length === 0) rmdirSync(data);
  return true;
};

const madeWith = (data: string): MadeWith | undefined => {
  const file = join(data, MADE_WITH);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) as MadeWith : undefined;
};
