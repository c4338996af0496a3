import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DataFolderNotWritable } from '@valueverse/platform';
import type { InstallationSecrets } from '@valueverse/hosting';

const MASTER_KEY_BYTES = 32;
const TOKEN_BYTES = 24;
const PRIVATE = 0o600;

/** The first keys, as they are kept for the one whose machine this is. */
export interface FirstKeys { readonly organizationId: string; readonly secretKey: string; readonly publishableKey: string }
/** Where a running edition is to be found, for `vv`. */
export interface ServerNote { readonly url: string; readonly pid: number }

interface StoredSecrets { masterKey: string; operatorToken: string; serviceToken: string }

/** The folder of the embedded edition: its secrets and first keys in files that only their owner reads. */
export class DataFolder {
  constructor(readonly path: string) {}

  get postgres(): string { return join(this.path, 'postgres'); }
  get anchors(): string { return join(this.path, 'chain-anchors.jsonl'); }

  /** Makes the folder. Fails with `DataFolderNotWritable`. */
  prepare(): void {
    try {
      mkdirSync(this.path, { recursive: true, mode: 0o755 });
      writeFileSync(join(this.path, '.writable'), '');
      rmSync(join(this.path, '.writable'));
    } catch (error) {
      throw new DataFolderNotWritable(this.path, error);
    }
  }

  /** The secrets of this installation, made at its first start. */
  secrets(): InstallationSecrets {
    const stored = this.read<StoredSecrets>('secrets.json') ?? this.write('secrets.json', {
      masterKey: randomBytes(MASTER_KEY_BYTES).toString('base64'), operatorToken: `vv_op_${randomBytes(TOKEN_BYTES).toString('base64url')}`, serviceToken: `vv_svc_${randomBytes(TOKEN_BYTES).toString('base64url')}`,
    });
    return { ...stored, masterKey: Buffer.from(stored.masterKey, 'base64') };
  }

  firstKeys(): FirstKeys | undefined { return this.read<FirstKeys>('credentials.json'); }
  keepFirstKeys(keys: FirstKeys): FirstKeys { return this.write('credentials.json', keys); }
  server(): ServerNote | undefined { return this.read<ServerNote>('server.json'); }
  noteServer(note: ServerNote): void { this.write('server.json', note); }
  forgetServer(): void { rmSync(join(this.path, 'server.json'), { force: true }); }
  /** Removes everything; only for a folder that this edition made. */
  remove(): void { rmSync(this.path, { recursive: true, force: true }); }

  private read<T>(name: string): T | undefined {
    const file = join(this.path, name);
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) as T : undefined;
  }

  /** Written beside and moved into place, so that a killed start leaves no half of a file. */
  private write<T>(name: string, value: T): T {
    const file = join(this.path, name);
    writeFileSync(`${file}.new`, `${JSON.stringify(value, null, 2)}\n`, { mode: PRIVATE });
    renameSync(`${file}.new`, file);
    return value;
  }
}
