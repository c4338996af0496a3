// Compiles every lib and app from TypeScript to CommonJS in its own dist folder.
// With --if-stale it does nothing when every output is newer than its source, so that `npm start` can always call it.
import { readdirSync, statSync, mkdirSync, writeFileSync, existsSync, copyFileSync, rmSync } from 'node:fs';
import { dirname, join, relative, extname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const onlyStale = process.argv.includes('--if-stale');
const COMPILED = new Set(['.ts', '.mts']);
const COPIED = new Set(['.json', '.sql', '.ttf', '.html', '.css', '.csv', '.gz']);
const isTest = (file) => /\.(spec|spec-kit|scenario)\.ts$/.test(file);

function* filesUnder(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesUnder(path);
    else yield path;
  }
}

const projects = ['libs', 'apps'].flatMap((group) =>
  readdirSync(join(root, group)).map((name) => join(root, group, name)).filter((path) => existsSync(join(path, 'src'))));

const work = [];
for (const project of projects) {
  const wanted = new Set();
  for (const source of filesUnder(join(project, 'src'))) {
    if (isTest(source)) continue;
    const extension = extname(source);
    const compiled = COMPILED.has(extension);
    if (!compiled && !COPIED.has(extension)) continue;
    const within = relative(join(project, 'src'), source);
    const target = join(project, 'dist', compiled ? within.replace(/\.m?ts$/, '.js') : within);
    wanted.add(target);
    const fresh = existsSync(target) && statSync(target).mtimeMs >= statSync(source).mtimeMs;
    if (!onlyStale || !fresh) work.push({ source, target, compiled });
  }
  // What no source makes any more must not be found by a running service.
  const dist = join(project, 'dist');
  if (existsSync(dist)) for (const file of filesUnder(dist)) {
    if (!wanted.has(file) && !wanted.has(file.replace(/\.map$/, ''))) rmSync(file);
  }
}

if (work.length > 0) {
  const { transformFile } = await import('@swc/core');
  const started = performance.now();
  await Promise.all(work.map(async ({ source, target, compiled }) => {
    mkdirSync(dirname(target), { recursive: true });
    if (!compiled) { copyFileSync(source, target); return; }
    const { code, map } = await transformFile(source, {
      swcrc: false, sourceMaps: true, module: { type: 'commonjs' },
      jsc: {
        target: 'es2022', keepClassNames: true,
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
      },
    });
    writeFileSync(`${target}.map`, map);
    writeFileSync(target, `${code}\n//# sourceMappingURL=${target.split('/').pop()}.map\n`);
  }));
  process.stderr.write(`built ${work.length} files in ${Math.round(performance.now() - started)} ms\n`);
}
