import 'reflect-metadata';
import { startEdition } from './edition/edition';
import { printFailure } from './edition/failure';
import { readSettings } from './edition/settings';

const COMMAND = 'npm start';

/** `npm start`: the embedded edition, empty at first, its data kept. */
const main = async (): Promise<void> => {
  const settings = readSettings(process.argv.slice(2), process.env);
  const say = (line: string): void => { if (!settings.VV_JSON) process.stdout.write(`${line}\n`); };
  say(`ValueVerse, embedded edition · data in ${settings.VV_DATA}`);
  const started = performance.now();
  const edition = await startEdition(settings, 'My organization', (step) => say(`  ✓ ${step} ${((performance.now() - started) / 1_000).toFixed(1)} s`));
  if (settings.VV_JSON) {
    process.stdout.write(`${JSON.stringify({ url: edition.url, secretKey: edition.keys.secretKey, publishableKey: edition.keys.publishableKey, dataDir: edition.dataDir })}\n`);
  } else {
    if (!edition.databaseDir.startsWith(edition.dataDir)) say(`  the database is in ${edition.databaseDir}: its system user cannot reach the data folder`);
    say(`\n  Open   ${edition.url}/docs${edition.hasInbox ? `   ${edition.url}/mail` : ''}`);
    say(`  Keys   secret ${edition.keys.secretKey}\n         publishable ${edition.keys.publishableKey}`);
    say('  Try    npx vv status   ·   npm run demo\n\n  Ctrl-C stops; the data stays.');
  }
  const end = (): void => { edition.stop().then(() => process.exit(0), () => process.exit(1)); };
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
};

main().catch((error: unknown) => {
  printFailure(error, COMMAND);
  process.exit(1);
});
