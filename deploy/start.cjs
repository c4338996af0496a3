// The entry of the image: the first word says what to start, the rest is for it.
const { join } = require('node:path');

const MAINS = {
  usage: 'apps/usage-service/dist/main.js', billing: 'apps/billing-engine/dist/main.js', payments: 'apps/payment-service/dist/main.js',
  notifications: 'apps/notification-service/dist/main.js', gateway: 'apps/valueverse/dist/gateway/main.js', vv: 'apps/valueverse/dist/vv/main.js',
};
const words = process.argv.slice(2);
const name = words.find((word) => Object.hasOwn(MAINS, word));
if (name === undefined) {
  process.stderr.write(`what to start: ${Object.keys(MAINS).join(', ')}; a service takes --check and --migrate\n`);
  process.exit(words.includes('--help') ? 0 : 2);
}
const main = join(__dirname, '..', MAINS[name]);
const at = words.indexOf(name);
process.argv = [process.argv[0], main, ...words.filter((_, index) => index !== at)];
const started = require(main);
// Services begin when they are loaded; vv waits to be called.
if (typeof started.main === 'function') void started.main(process.argv);
