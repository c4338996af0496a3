// Builds Jaeger from its Go module into the cache of this machine, for the scenario that looks at traces in it. Needs Go.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { buildJaeger } = createRequire(import.meta.url)(join(root, 'libs/platform/dist/parts/jaeger.js'));
const found = buildJaeger();
process.stdout.write(found.how === 'program' ? `Jaeger is at ${found.program}\n` : `no Jaeger: ${found.reason}\n`);
process.exitCode = found.how === 'program' ? 0 : 1;
