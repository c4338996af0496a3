import 'reflect-metadata';
import { startEdition, type Edition } from '../edition/edition';
import { DataFolder } from '../edition/data-folder';
import { printFailure } from '../edition/failure';
import { readSettings, SettingsFault } from '../edition/settings';
import { ApiClient } from '../http/api-client';
import { explanationText, type Explanation } from '../vv/explanation-text';
import { Session } from '../vv/session';
import { tour, type TourResult } from './tour';

const COMMAND = 'npm run demo';
const ORGANIZATION = 'Demo';
const SWITCHES = ['--exit', '--reset'];

interface Target { readonly url: string; readonly secretKey: string; readonly publishableKey: string | undefined; readonly edition: Edition | undefined }

/** `npm run demo`: an hour of real traffic becomes two paid invoices. With `--url` it runs against an installation that is there. */
const main = async (): Promise<void> => {
  const { url, rest } = takeUrl(process.argv.slice(2));
  const settings = readSettings(rest, process.env, SWITCHES, { VV_DATA: '.valueverse/demo' });
  const say = (line: string): void => { if (!settings.VV_JSON) process.stdout.write(`${line}\n`); };
  const began = performance.now();
  const seconds = (): string => `${((performance.now() - began) / 1_000).toFixed(1)} s`;
  if (settings.switched.has('--reset') && url === undefined) new DataFolder(settings.VV_DATA).remove();
  say(url === undefined ? `ValueVerse demo · embedded edition · data in ${settings.VV_DATA} (--reset to start over)` : `ValueVerse demo · ${url}`);
  const target = url === undefined ? await embedded(settings, (step) => say(`  ✓ ${step} ${seconds()}`)) : await remote(url);
  const api = new ApiClient(target.url, target.secretKey);
  const result = await tour(api, (line) => say(`  ✓ ${line} ${seconds()}`));
  if (settings.VV_JSON) process.stdout.write(`${JSON.stringify(result.invoices)}\n`);
  else await summary(api, target, result, say, seconds());
  if (!settings.switched.has('--exit') && target.edition !== undefined) say('\n  It goes on serving; Ctrl-C stops.');
  if (settings.switched.has('--exit') || target.edition === undefined) {
    await target.edition?.stop();
    process.exit(0);
  }
  const end = (): void => { target.edition!.stop().then(() => process.exit(0), () => process.exit(1)); };
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
};

const takeUrl = (argv: readonly string[]): { url: string | undefined; rest: string[] } => {
  const at = argv.indexOf('--url');
  if (at === -1) return { url: undefined, rest: [...argv] };
  const url = argv[at + 1];
  if (url === undefined || !URL.canParse(url)) throw new SettingsFault('--url needs the address of an installation');
  return { url, rest: argv.filter((_, index) => index !== at && index !== at + 1) };
};

const embedded = async (settings: ReturnType<typeof readSettings>, progress: (step: string) => void): Promise<Target> => {
  const edition = await startEdition(settings, ORGANIZATION, progress);
  return { url: edition.url, ...edition.keys, edition };
};

/** The demo makes its own organization in an installation that is there; that takes the operator's token. */
const remote = async (url: string): Promise<Target> => {
  const token = process.env['VV_OPERATOR_TOKEN'] ?? new Session({}).tokenOf(url);
  if (token === undefined) throw new SettingsFault('--url needs the operator token of that installation in VV_OPERATOR_TOKEN, or a data folder here in which it runs');
  const made = await new ApiClient(url, token).post<{ keys: { environment: string; kind: string; key: string }[] }>('/api/v1/operator/organizations', { name: ORGANIZATION });
  const keyOf = (kind: string): string => made.keys.find((key) => key.environment === 'test' && key.kind === kind)!.key;
  return { url, secretKey: keyOf('secret'), publishableKey: keyOf('publishable'), edition: undefined };
};

const summary = async (api: ApiClient, target: Target, { invoices, messages }: TourResult, say: (line: string) => void, took: string): Promise<void> => {
  say(`\n  ${invoices.length} invoices in ${took}`);
  for (const invoice of invoices) {
    say(`    ${invoice.number}  ${invoice.issuedAt.slice(0, 10)}  ${invoice.total.padStart(10)} ${invoice.currency}  ${invoice.paymentStatus}   ${target.url}/api/v1/billing/invoices/${invoice.id}/pdf`);
    for (const line of invoice.lines) say(`      ${line.description.padEnd(20)} ${line.quantity.padStart(12)}  ${line.amount.padStart(10)}`);
  }
  say(`  ${messages.length} e-mails${target.edition?.hasInbox ? `   ${target.url}/mail` : ''}`);
  const last = invoices.at(-1);
  const line = last?.lines.find(({ type }) => type === 'usage');
  if (last !== undefined && line !== undefined) {
    const explanation = await api.get<Explanation>(`/api/v1/billing/invoices/${last.id}/lines/${line.id}/explanation`);
    say(`\n  Why ${line.amount}?\n${explanationText(explanation, last.currency).map((text) => `    ${text}`).join('\n')}`);
  }
  say(`\n  Open   ${target.url}/docs   ${target.url}/mail`);
  say(`  Keys   secret ${target.secretKey}${target.publishableKey === undefined ? '' : `\n         publishable ${target.publishableKey}`}`);
  say(`  Try    npx vv invoice explain ${last?.number ?? ''}   ·   npx vv status`);
  say(`         curl ${target.url}/api/v1/billing/invoices -H 'Authorization: Bearer ${target.secretKey}'`);
};

main().catch((error: unknown) => {
  printFailure(error, COMMAND);
  process.exit(1);
});
