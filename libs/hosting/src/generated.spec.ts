import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(__dirname, '../../../docs/openapi');

const referencesIn = (value: unknown): string[] => {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, of]) => (name === '$ref' ? [String(of)] : referencesIn(of)));
};
const leadsOn = (document: unknown, reference: string): boolean =>
  reference.startsWith('#/') && reference.slice(2).split('/').reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], document) !== undefined;

test.each(readdirSync(FOLDER))('every reference of %s leads to what is there', (name) => {
  const document = JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as unknown;
  const references = referencesIn(document);
  expect(references).not.toEqual([]);
  expect(references.filter((reference) => !leadsOn(document, reference))).toEqual([]);
});
