import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';

const BINARY = new Set(['.png', '.jpg', '.ico', '.ttf', '.woff2', '.pdf', '.gz', '.zip', '.parquet']);
const MEBIBYTES_MAX = 64 * 1024 * 1024;

/** What the checks read: the paths of a repository and the text of each. */
export class Repository {
  /** @param {ReadonlyMap<string, string>} texts by path from the root, with forward slashes */
  constructor(texts) {
    this.texts = texts;
    this.paths = [...texts.keys()].sort();
  }

  text(path) { return this.texts.get(path) ?? ''; }

  /** Whether there is such a file, or a folder that holds one. */
  has(path) {
    return this.texts.has(path) || this.paths.some((other) => other.startsWith(`${path}/`));
  }

  matching(pattern) { return this.paths.filter((path) => pattern.test(path)); }
}

/** The files that are, or would be, committed. */
export function repositoryAt(root) {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root, maxBuffer: MEBIBYTES_MAX }).toString();
  const paths = listed.split('\0').filter((path) => path && existsSync(join(root, path)));
  return new Repository(new Map(paths.map((path) => [path, BINARY.has(extname(path)) ? '' : readFileSync(join(root, path), 'utf8')])));
}
