import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const PROBE_TIMEOUT_MS = 5_000;
const FETCH_TIMEOUT_MS = 180_000;

/** Where parts that were fetched once for this machine are kept. */
export const partCache = (name: string): string => join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'valueverse', name);

/** Whether a program is there and answers. */
export const answers = (program: string, args: readonly string[]): boolean => spawnSync(program, args, { stdio: 'ignore', timeout: PROBE_TIMEOUT_MS }).status === 0;

/** A Docker that is installed and whose daemon answers: the client alone starts nothing. */
export const dockerAnswers = (): boolean => answers('docker', ['info']);

/** Runs a package client; answers whether it ended well. */
export const fetches = (program: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = process.env): boolean => spawnSync(program, args, { cwd, env, stdio: 'ignore', timeout: FETCH_TIMEOUT_MS }).status === 0;

/** Fills a folder of the cache beside its place and then renames it, so that a fetch that was cut off is not taken for a whole one. */
export function fetchOnce(home: string, fetch: (folder: string) => boolean): boolean {
  if (existsSync(home)) return true;
  const unfinished = `${home}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  try {
    if (fetch(unfinished)) renameSync(unfinished, home);
  } catch {
    // Another process was first.
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return existsSync(home);
}

/** A library by its coordinates in Maven. */
export interface MavenLibrary { readonly group: string; readonly artifact: string; readonly version: string }

/** Fetches libraries with Maven: `copy` their jars with all that they need, or `unpack` them alone. */
export function fetchWithMaven(folder: string, what: 'copy' | 'unpack', libraries: readonly MavenLibrary[]): boolean {
  writeFileSync(join(folder, 'pom.xml'), pomOf(libraries, what));
  return fetches('mvn', ['-B', '-q', `dependency:${what}-dependencies`], folder) && existsSync(join(folder, 'libs'));
}

export const mavenAnswers = (): boolean => answers('mvn', ['--version']);

const pomOf = (libraries: readonly MavenLibrary[], what: 'copy' | 'unpack'): string => `<?xml version="1.0" encoding="UTF-8"?>
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>dev.valueverse</groupId><artifactId>parts</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
${libraries.map(({ group, artifact, version }) => `    <dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`).join('\n')}
  </dependencies>
  <build><plugins><plugin>
    <groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId><version>3.8.1</version>
    <configuration><outputDirectory>\${project.basedir}/libs</outputDirectory><includeScope>runtime</includeScope><excludeTransitive>${what === 'unpack'}</excludeTransitive></configuration>
  </plugin></plugins></build>
</project>
`;
