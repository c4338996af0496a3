// What tidy holds about names, words, pages and events. Each rule takes a repository and gives its faults as sentences.
import { posix } from 'node:path';
import { contexts, projects } from '../boundaries.mjs';

export const README_HEADINGS = ['Owns', 'Does not own', 'Reads', 'Publishes', 'Words', 'Clocks', 'Invariants', 'Failure'];
const EMPTY_NAMES = new Set(['util', 'utils', 'common', 'shared', 'misc', 'helper', 'helpers']);
const SPEC = /\.(spec|spec-kit|scenario)\.tsx?$/;
const CODE = /\.(ts|tsx|mts|mjs|cjs|js|sh|yaml|yml|sql)$/;
// The words are put together so that this file does not hold what it looks for.
const POSTPONED = new RegExp(`\\b(${['FIX', 'TO'].map((start) => start + (start === 'FIX' ? 'ME' : 'DO')).join('|')})\\b`);
const HELD_BACK = /(?<![\w.])(?:x(?:it|test|describe)\s*\(|f(?:it|describe)\s*\()|\b(?:test|it|describe)(?:\.\w+)*\.(?:only|skip|todo)\b/;
const CHANCE = ['Math', 'random'].join('.');
const lines = (text) => text.split('\n');

/** Each lib and app has its row in the boundary table. */
export function rows(repository) {
  const folders = new Set(repository.matching(/^(libs|apps)\/[^/]+\/package\.json$/).map((path) => posix.dirname(path)));
  return [...folders].filter((folder) => !projects[folder]).map((folder) => `${folder}: has no row in tools/boundaries.mjs`);
}

/** Each context says in its README what it owns and what it does not. */
export function readmes(repository) {
  return contexts.filter(({ folder }) => repository.has(`${folder}/src`)).flatMap(({ folder }) => {
    const path = `${folder}/README.md`;
    if (!repository.has(path)) return [`${folder}: has no README.md`];
    const headings = lines(repository.text(path)).filter((line) => line.startsWith('#')).map((line) => line.replace(/^#+\s*/, '').toLowerCase());
    return README_HEADINGS.filter((heading) => !headings.some((found) => found.startsWith(heading.toLowerCase())))
      .map((heading) => `${path}: has no heading "${heading}"`);
  });
}

/** A name says what is inside. */
export function names(repository) {
  return repository.paths.filter((path) => path.split('/').some((part) => part.split('.').some((word) => EMPTY_NAMES.has(word))))
    .map((path) => `${path}: this name says nothing about what is inside`);
}

/** No spec is held back, nothing is postponed, no spec throws dice. */
export function words(repository) {
  return repository.matching(CODE).concat(repository.matching(/\.md$/)).flatMap((path) => lines(repository.text(path)).flatMap((line, index) => {
    const at = `${path}:${index + 1}`;
    const faults = [];
    if (POSTPONED.test(line)) faults.push(`${at}: postponed work does not stay in the sources`);
    if (SPEC.test(path) && HELD_BACK.test(line)) faults.push(`${at}: a spec is held back or runs alone`);
    if (SPEC.test(path) && line.includes(CHANCE)) faults.push(`${at}: chance in a spec cannot be repeated, use a seed`);
    return faults;
  }));
}

/** Links between pages lead somewhere, down to the heading. */
export function links(repository) {
  return repository.matching(/\.md$/).flatMap((path) => {
    const text = withoutCode(repository.text(path));
    return [...text.matchAll(/\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g)].flatMap(([, target]) => {
      if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return [];
      const [file, heading] = decodeURI(target).split('#');
      const linked = !file ? path : file.startsWith('/') ? file.slice(1) : posix.normalize(posix.join(posix.dirname(path), file));
      const place = linked.replace(/\/$/, '');
      if (place !== '.' && !repository.has(place)) return [`${path}: the link ${target} leads nowhere`];
      if (heading && /\.md$/.test(place) && !headingsOf(repository.text(place)).has(heading)) return [`${path}: the link ${target} names a heading that is not there`];
      return [];
    });
  });
}

const withoutCode = (text) => text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '');

function headingsOf(text) {
  const slugs = new Set([...text.matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, id]) => id));
  for (const line of lines(text.replace(/^```[\s\S]*?^```/gm, ''))) {
    const title = /^#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1];
    if (title === undefined) continue;
    const slug = title.toLowerCase().replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-');
    let unique = slug;
    for (let count = 1; slugs.has(unique); count++) unique = `${slug}-${count}`;
    slugs.add(unique);
  }
  return slugs;
}

const MACHINE = [
  [/(?<![\w.:~$}*-])\/(?:work|root|home\/\w+|Users\/\w+)\/[\w.]/, 'a path of one machine'],
  [/\b(?:registry\.[\w-]+\.\w+|repo1?\.maven\.[\w.]+|[\w.-]*(?:artifactory|verdaccio|nexus)[\w-]*\.[\w.]+\/)/i, 'the host of a package registry'],
];

/** The repository works on every machine and behind every mirror. */
export function machines(repository) {
  return repository.paths.filter((path) => !path.startsWith('tools/tidy/')).flatMap((path) => lines(repository.text(path)).flatMap((line, index) =>
    MACHINE.filter(([pattern]) => pattern.test(line)).map(([, what]) => `${path}:${index + 1}: holds ${what}`)));
}
