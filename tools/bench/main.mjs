// `npm run bench -- start|demo|log|traces|rating|pdf|invoices|payments|usage`: figures with their floors. Nothing here runs in `npm test`. Without a name all of them run, one after the other.
import { benchDemo, benchStart } from './edition.mjs';
import { benchInvoices } from './invoices.mjs';
import { benchLog } from './log.mjs';
import { benchPayments } from './payments.mjs';
import { benchPdf } from './pdf.mjs';
import { benchRating } from './rating.mjs';
import { benchTraces } from './traces.mjs';
import { benchUsage } from './usage/main.mjs';

const benches = { start: benchStart, demo: benchDemo, log: benchLog, traces: benchTraces, rating: benchRating, pdf: benchPdf, invoices: benchInvoices, payments: benchPayments, usage: benchUsage };
const [name, ...options] = process.argv.slice(2);
if (name !== undefined && !(name in benches)) {
  process.stderr.write(`there is no bench ${name}; there are ${Object.keys(benches).join(', ')}\n`);
  process.exit(2);
}
for (const wanted of name === undefined ? Object.keys(benches) : [name]) await benches[wanted](options);
