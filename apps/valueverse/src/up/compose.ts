import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SERVICES } from '@valueverse/contracts';
import type { InstallationSecrets } from '@valueverse/hosting';
import { dockerAnswers } from '@valueverse/platform';
import { DataFolder } from '../edition/data-folder';
import { firstKeys } from '../edition/first-keys';
import { claimFor } from './made-with';
import { UpRefused } from './refusal';
import type { UpReady } from './installation';
import type { UpSettings } from './settings';

const FILE = join(__dirname, '..', '..', '..', '..', 'deploy', 'compose.yaml');
const NOTE = 'compose.json';
const BROKERS = 3;
const PASSWORD_BYTES = 24;
const PRIVATE = 0o600;
const ORGANIZATION = 'My organization';

/** What containers were started with; kept in the data folder for `down` and `status`. */
interface ComposeNote { readonly url: string; readonly profiles: readonly string[]; readonly environment: Readonly<Record<string, string>> }

/** Whether containers are to be used: where Docker answers, unless local parts were asked for. */
export const usesCompose = ({ local }: UpSettings): boolean => !local && existsSync(FILE) && dockerAnswers();

/** The variables that `deploy/compose.yaml` reads. */
export const composeEnvironment = ({ port, brokers }: Pick<UpSettings, 'port' | 'brokers'>, secrets: InstallationSecrets, password: string): Record<string, string> => ({
  VV_PORT: String(port), VV_MASTER_KEY: secrets.masterKey.toString('base64'), VV_OPERATOR_TOKEN: secrets.operatorToken, VV_SERVICE_TOKEN: secrets.serviceToken, POSTGRES_PASSWORD: password,
  ...(brokers === BROKERS ? { KAFKA_REPLICATION: String(BROKERS), KAFKA_BROKERS: Array.from({ length: BROKERS }, (_, nth) => `kafka-${nth + 1}:9092`).join(',') } : {}),
});
export const composeProfiles = (brokers: number): string[] => (brokers === BROKERS ? ['three-brokers'] : []);
export const composeUp = (replicas: number): string[] => ['up', '--build', '--detach', '--wait', ...SERVICES.flatMap((service) => ['--scale', `${service}=${replicas}`])];

/** Starts the containers and returns when they are ready. What Docker says goes to standard error. */
export const upByCompose = async (settings: UpSettings): Promise<UpReady> => {
  const { data, port, brokers, replicas } = settings;
  const folder = new DataFolder(data);
  folder.prepare();
  claimFor(data, brokers);
  const note: ComposeNote = {
    url: `http://127.0.0.1:${port}`, profiles: composeProfiles(brokers),
    environment: composeEnvironment(settings, folder.secrets(), noteOf(data)?.environment['POSTGRES_PASSWORD'] ?? randomBytes(PASSWORD_BYTES).toString('hex')),
  };
  writeFileSync(join(data, NOTE), `${JSON.stringify(note)}\n`, { mode: PRIVATE });
  if (!compose(note, composeUp(replicas))) throw new UpRefused('The containers did not start; Docker says above why.', 'npm run status   (or npm run up -- --local, without Docker)');
  const keys = await firstKeys(folder, note.url, folder.secrets().operatorToken, ORGANIZATION);
  folder.noteServer({ url: note.url, pid: process.pid });
  return { url: note.url, ...keys, dataDir: data, logs: `docker compose --file ${FILE} logs`, hasInbox: false };
};

/** Ends the containers of a data folder; `purge` removes their data. Answers whether there were any. */
export const downByCompose = (data: string, purge: boolean): boolean => {
  const note = noteOf(data);
  if (note === undefined) return false;
  if (!compose(note, ['down', ...(purge ? ['--volumes'] : [])])) throw new UpRefused('The containers could not be ended; Docker says above why.', 'docker info');
  new DataFolder(data).forgetServer();
  return true;
};

/** Shows the containers of a data folder. Answers whether there are any. */
export const showContainers = (data: string): boolean => {
  const note = noteOf(data);
  return note !== undefined && compose(note, ['ps']);
};

const noteOf = (data: string): ComposeNote | undefined => {
  const file = join(data, NOTE);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) as ComposeNote : undefined;
};

const compose = ({ profiles, environment }: ComposeNote, words: readonly string[]): boolean =>
  spawnSync('docker', ['compose', '--file', FILE, ...profiles.flatMap((profile) => ['--profile', profile]), ...words], { env: { ...process.env, ...environment }, stdio: ['ignore', 2, 2] }).status === 0;
