// The folder of one run, as the tests make theirs.
import { createRequire } from 'node:module';

export const { scratchFolder } = createRequire(import.meta.url)('../../libs/platform/dist/parts/scratch-folder.js');
