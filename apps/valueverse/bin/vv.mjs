#!/usr/bin/env node
// The operator's command line. It builds itself when its sources are newer, so that `npx vv` works in a fresh checkout.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { realpathSync } from 'node:fs';

const app = dirname(dirname(realpathSync(fileURLToPath(import.meta.url))));
const build = spawnSync(process.execPath, [join(app, '..', '..', 'tools', 'build.mjs'), '--if-stale'], { stdio: ['ignore', 'ignore', 'inherit'] });
if (build.status !== 0) process.exit(build.status ?? 1);
await createRequire(import.meta.url)(join(app, 'dist', 'vv', 'main.js')).main(process.argv);
