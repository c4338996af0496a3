import { readFileSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { ApiError } from '../http/api-client';
import type { Applied, PlacedFault } from './catalog-file';
import { print, sessionOf } from './print';
import { Missing } from './session';

const PATH = '/api/v1/billing/catalog';

/** Loaded when it is needed: no other command reads YAML. */
const catalogText = () => import('./catalog-file.js');

const refuse = (file: string, faults: readonly PlacedFault[]): never => {
  throw new Missing(faults.map(({ line, column, text }) => `${file}:${line}:${column} ${text}`).join('\n'), `mend the file (its schema is docs/catalog.schema.json), then vv catalog diff ${file}`);
};
const textOf = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Missing(`${file} cannot be read: ${(error as Error).message}`, `vv catalog export --out ${file}`);
  }
};

/** Sends a file; faults come back with their places in it. */
const send = async (command: Command, file: string, isDry: boolean): Promise<void> => {
  const { readCatalogText, appliedLines } = await catalogText();
  const read = readCatalogText(textOf(file));
  if ('faults' in read) return refuse(file, read.faults);
  try {
    const applied = await sessionOf(command).tenant().post<Applied>(`${PATH}/apply${isDry ? '?dryRun=true' : ''}`, read.value);
    print(command, applied, () => appliedLines(applied));
  } catch (error) {
    if (!(error instanceof ApiError) || error.errors.length === 0) throw error;
    refuse(file, error.errors.map(read.placeOf));
  }
};

export const addCatalog = (program: Command): void => {
  const catalog = program.command('catalog').description('The catalogue as a file: products, features, tax rates, coupons, add-ons and plans');
  catalog.command('export').description('What is there, as YAML').option('--out <file>', 'write it there').action(async ({ out }: { out?: string }, command: Command) => {
    const { writeCatalogText } = await catalogText();
    const found = await sessionOf(command).tenant().get<unknown>(PATH);
    if (out === undefined) { print(command, found, () => [writeCatalogText(found).trimEnd()]); return; }
    writeFileSync(out, writeCatalogText(found));
    print(command, { file: out }, () => [out]);
  });
  catalog.command('diff <file>').description('What applying the file would change').action((file: string, _: unknown, command: Command) => send(command, file, true));
  catalog.command('apply <file>').description('Makes the catalogue as the file says, all of it or nothing; what is only in the installation stays').option('--dry-run', 'only say what would be done')
    .action((file: string, { dryRun }: { dryRun?: boolean }, command: Command) => send(command, file, dryRun === true));
};
