import { check } from './check.mjs';
import { Repository } from './repository.mjs';
import { README_HEADINGS } from './rules.mjs';

const readme = README_HEADINGS.map((heading: string) => `## ${heading}\n`).join('');
const FINALIZED = 'dev.valueverse.billing.invoice.finalized.v1';
/** A small repository without a fault. */
const tidy: Record<string, string> = {
  'README.md': '# Start\n\n[billing](libs/billing/README.md#does-not-own) [here](#start) [out](https://example.com) `[code](nowhere)`\n',
  'libs/billing/package.json': '{}',
  'libs/billing/README.md': readme,
  'libs/billing/src/invoice.ts': 'export const invoice = 1;\n',
  'libs/billing/src/invoice.spec.ts': "describe('an invoice', () => { test('is one', () => undefined); });\n",
  'libs/contracts/src/billing/invoice.events.ts': "defineEvent({ name: 'InvoiceFinalized', topic: 'billing.invoices', fact: 'invoice.finalized', data: object({}) });",
  [`libs/contracts/golden/${FINALIZED}.json`]: '{}',
};
const faultsWith = (planted: Record<string, string | undefined>): string[] =>
  check(new Repository(new Map(Object.entries({ ...tidy, ...planted }).filter((entry): entry is [string, string] => entry[1] !== undefined)))) as string[];
const OTHER = 'libs/contracts/src/billing/other.events.ts';
const event = (fact: string, more = '') => ({
  [OTHER]: `defineEvent({ name: 'Other', topic: 'billing.invoices', fact: '${fact}', ${more} });`,
  [`libs/contracts/golden/dev.valueverse.billing.${fact}.v1.json`]: '{}',
});
const longFunction = `export function long() {\n${'  work();\n'.repeat(70)}}\n`;

test('a tidy repository has no fault', () => expect(faultsWith({})).toEqual([]));

test.each<[string, Record<string, string | undefined>, string]>([
  ['a context without a row', { 'libs/loyalty/package.json': '{}' }, 'rows: libs/loyalty: has no row in tools/boundaries.mjs'],
  ['a context without a README', { 'libs/billing/README.md': undefined, 'README.md': '' }, 'readmes: libs/billing: has no README.md'],
  ['a README without a heading', { 'libs/billing/README.md': readme.replace('## Clocks\n', '') }, 'readmes: libs/billing/README.md: has no heading "Clocks"'],
  ['a folder that says nothing', { 'libs/billing/src/utils/money.ts': '' }, 'names: libs/billing/src/utils/money.ts: this name says nothing about what is inside'],
  ['a file that says nothing', { 'libs/billing/src/invoice.helpers.ts': '' }, 'names: libs/billing/src/invoice.helpers.ts: this name says nothing about what is inside'],
  ['a spec that runs alone', { 'libs/billing/src/a.spec.ts': `test.${'only'}('x', () => undefined);` }, 'words: libs/billing/src/a.spec.ts:1: a spec is held back or runs alone'],
  ['a spec that is held back', { 'libs/billing/src/a.spec.ts': `\ndescribe.${'skip'}('x', () => undefined);` }, 'words: libs/billing/src/a.spec.ts:2: a spec is held back or runs alone'],
  ['a table that is held back', { 'libs/billing/src/a.spec.ts': `test.${'skip'}.each([1])('x', () => undefined);` }, 'words: libs/billing/src/a.spec.ts:1: a spec is held back or runs alone'],
  ['a spec crossed out', { 'libs/billing/src/a.spec.ts': `x${'it'}('x', () => undefined);` }, 'words: libs/billing/src/a.spec.ts:1: a spec is held back or runs alone'],
  ['postponed work', { 'libs/billing/src/a.ts': `// ${'TO'}${'DO'}: later` }, 'words: libs/billing/src/a.ts:1: postponed work does not stay in the sources'],
  ['postponed repairs', { 'libs/billing/README.md': `${readme}${'FIX'}${'ME'}` }, 'words: libs/billing/README.md:9: postponed work does not stay in the sources'],
  ['chance in a spec', { 'libs/billing/src/a.spec.ts': `Math.${'random'}();` }, 'words: libs/billing/src/a.spec.ts:1: chance in a spec cannot be repeated, use a seed'],
  ['a dead link', { 'README.md': '[x](libs/nowhere.md)' }, 'links: README.md: the link libs/nowhere.md leads nowhere'],
  ['a dead link to a heading', { 'README.md': '[x](libs/billing/README.md#owned)' }, 'links: README.md: the link libs/billing/README.md#owned names a heading that is not there'],
  ['an event in the present', event('invoice.finalize'), `events: ${OTHER}: invoice.finalize is not in the past participle`],
  ['an event without an entity', event('finalized'), `events: ${OTHER}: finalized is not <entity>.<fact>`],
  ['a newer version without a golden file', event('line.added', 'version: 2, history: [{ version: 1 }]'), `events: ${OTHER}: dev.valueverse.billing.line.added.v2 has no golden file`],
  ['an event that cannot be read', { [OTHER]: 'defineEvent({ topic, fact });' }, `events: ${OTHER}: an event whose topic and fact are not written out`],
  ['an event without a golden file', { [`libs/contracts/golden/${FINALIZED}.json`]: undefined }, `events: libs/contracts/src/billing/invoice.events.ts: ${FINALIZED} has no golden file`],
  ['a path of a machine', { 'docs.txt': 'see /home/ada/code' }, 'machines: docs.txt:1: holds a path of one machine'],
  ['the host of a registry', { '.npmrc': '\nregistry=https://regis'.concat('try.example.com/') }, 'machines: .npmrc:2: holds the host of a package registry'],
  ['a long file', { 'libs/billing/src/a.ts': 'export {};\n'.repeat(401) }, 'sizes: libs/billing/src/a.ts: 401 lines, 400 are the most'],
  ['a long function', { 'libs/billing/src/a.ts': longFunction }, 'sizes: libs/billing/src/a.ts:1: a function of 72 lines, 70 are the most'],
])('%s is the one fault', (_what, planted, fault) => expect(faultsWith(planted)).toEqual([fault]));

test('what is generated, a migration or a group of specs may be long', () => {
  expect(faultsWith({
    'libs/billing/src/generated/a.ts': longFunction,
    'libs/billing/src/migrations/a.ts': longFunction,
    'libs/billing/src/a.spec.ts': `describe('x', () => {\n${"  test('y', work);\n".repeat(80)}});\n`,
  })).toEqual([]);
});

test.each(['line_added', 'payment_failed', 'marked_uncollectible', 'sent', 'withdrawn'])('%s is a fact', (fact) =>
  expect(faultsWith(event(`invoice.${fact}`))).toEqual([]));
