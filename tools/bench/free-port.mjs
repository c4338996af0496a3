// A port for one run, found as the tests find theirs.
import { createRequire } from 'node:module';

export const { freePort } = createRequire(import.meta.url)('../../libs/platform/dist/parts/free-ports.js');
