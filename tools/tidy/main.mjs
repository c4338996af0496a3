// The repository tests itself: prints what is not tidy and fails when there is something.
import { fileURLToPath } from 'node:url';
import { check } from './check.mjs';
import { repositoryAt } from './repository.mjs';

const repository = repositoryAt(fileURLToPath(new URL('../..', import.meta.url)));
const faults = check(repository);
for (const fault of faults) process.stdout.write(`${fault}\n`);
process.stdout.write(faults.length === 0 ? `tidy: ${repository.paths.length} files, no fault\n` : `tidy: ${faults.length} faults\n`);
process.exitCode = faults.length === 0 ? 0 : 1;
