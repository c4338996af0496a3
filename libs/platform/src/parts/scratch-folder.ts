import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A folder for as long as one run lasts; whoever makes it removes it. The user of the database server can reach it: where it cannot, root's data goes to a place below /var/lib, which is kept when this
 * folder is removed.
 */
export const scratchFolder = (name: string): string => {
  const folder = mkdtempSync(join(tmpdir(), `vv-${name}-`));
  chmodSync(folder, 0o755);
  return folder;
};
