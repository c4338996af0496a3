import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ApiClient } from '../http/api-client';

/** Options that every command takes. */
export interface GlobalOptions { readonly url?: string; readonly data?: string; readonly key?: string; readonly operatorToken?: string; readonly json?: boolean }

const DEFAULT_URL = 'http://127.0.0.1:8000';
const FOLDERS = ['.valueverse', '.valueverse/up', '.valueverse/demo'];

/** Something is missing that a command needs, with what to do about it. */
export class Missing extends Error {
  constructor(message: string, readonly next: string) { super(message); }
}

/** Where an installation is and how to ask it: flags, then the environment, then the data folder of an edition that runs here. */
export class Session {
  private readonly folder: string | undefined;

  constructor(private readonly options: GlobalOptions) { this.folder = this.findFolder(); }

  get url(): string { return this.options.url ?? process.env['VV_URL'] ?? this.file<{ url: string }>('server.json')?.url ?? DEFAULT_URL; }
  get dataFolder(): string | undefined { return this.folder; }

  operator(): ApiClient {
    const token = this.options.operatorToken ?? process.env['VV_OPERATOR_TOKEN'] ?? this.file<{ operatorToken: string }>('secrets.json')?.operatorToken;
    if (token === undefined) throw new Missing('no operator token', 'give --operator-token or VV_OPERATOR_TOKEN, or run vv where the data folder is (--data)');
    return new ApiClient(this.url, token);
  }

  /** The operator's token of the installation that runs in the data folder, if it is the one at this address: it is shown to no other. */
  tokenOf(url: string): string | undefined {
    const own = this.file<{ url: string }>('server.json')?.url;
    return own !== undefined && new URL(own).origin === new URL(url).origin ? this.file<{ operatorToken: string }>('secrets.json')?.operatorToken : undefined;
  }

  tenant(): ApiClient {
    const key = this.options.key ?? process.env['VV_KEY'] ?? this.file<{ secretKey: string }>('credentials.json')?.secretKey;
    if (key === undefined) throw new Missing('no secret key', 'give --key or VV_KEY, or run vv where the data folder is (--data)');
    return new ApiClient(this.url, key);
  }

  private findFolder(): string | undefined {
    const given = this.options.data ?? process.env['VV_DATA'];
    if (given !== undefined) return resolve(given);
    const known = FOLDERS.map((folder) => resolve(folder)).filter((folder) => existsSync(join(folder, 'secrets.json')));
    // The one that runs comes before one that only lies there.
    return known.find((folder) => existsSync(join(folder, 'server.json'))) ?? known[0];
  }

  private file<T>(name: string): T | undefined {
    if (this.folder === undefined) return undefined;
    const path = join(this.folder, name);
    return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) as T : undefined;
  }
}
