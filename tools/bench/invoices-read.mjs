// Reading where a million invoices are stored: some real ones, copied by SQL under other ids, by requests that come at a steady rate whether the last one was answered or not.
import { Agent, get } from 'node:http';
import { runOf, sleep } from './invoices-edition.mjs';

const SECONDS = 8;
const WARM_SECONDS = 2;
const REAL = 20;
const BATCH = 50_000;
const PAGE = 20;

const quantile = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];

/** The columns of the table are copied as they are, and `id` becomes other ones wherever it stands. */
const fill = async (database, wanted, say) => {
  const { rows: columns } = await database.query(`SELECT column_name AS name FROM information_schema.columns WHERE table_schema = 'billing' AND table_name = 'invoices_v2' ORDER BY ordinal_position`);
  const { rows: real } = await database.query('SELECT key FROM billing.invoices_v2 WHERE status = $1 ORDER BY key', ['finalized']);
  const copied = { key: `r.key || '-' || n`, row: `replace(r.row::text, r.key, r.key || '-' || n)::json`, number: `r.number || '-' || n` };
  const list = columns.map(({ name }) => name);
  const values = list.map((name) => copied[name] ?? `r.${name}`).join(', ');
  const copies = Math.ceil(wanted / real.length);
  const each = Math.ceil(BATCH / real.length);
  for (let from = 1; from <= copies; from += each) {
    await database.query(`INSERT INTO billing.invoices_v2 (${list.join(', ')}) SELECT ${values} FROM billing.invoices_v2 r CROSS JOIN generate_series(${from}, ${Math.min(from + each - 1, copies)}) n WHERE r.key = ANY($1)`, [real.map(({ key }) => key)]);
    say(`${Math.min(copies, from + each - 1) * real.length} invoices stored`);
  }
  await database.query('VACUUM ANALYZE billing.invoices_v2');
  // A million invoices come over months: whoever reads them does not wait for them to be written.
  await database.query('CHECKPOINT');
  return { keys: real.map(({ key }) => key), copies };
};

/** Connections that are kept: what waits for one of them waits in the time that counts. */
const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/** The status of an answer that was read to its end. By `fetch` this process would stop for 20 to 40 ms in each second to collect its garbage, and so would what it measures. */
const statusOf = ({ url, secretKey }, path) => new Promise((resolve, reject) => {
  const request = get(url + path, { agent, headers: { authorization: `Bearer ${secretKey}` } }, (response) => {
    response.on('end', () => { resolve(response.statusCode); }).on('error', reject).resume();
  });
  request.on('error', reject);
});

/** Sends at `rate` a second for `seconds`; a request counts from the moment at which it had to be sent, and one that is refused took for ever. */
const openLoop = async (edition, pathOf, rate, seconds) => {
  const [times, under, began] = [[], new Set(), performance.now()];
  for (let nth = 0; nth < rate * seconds; nth++) {
    const due = began + (nth * 1_000) / rate;
    if (performance.now() < due) await sleep(due - performance.now());
    const request = statusOf(edition, pathOf(nth)).then((status) => {
      if (status !== 200 && status !== 503) throw new Error(`${pathOf(nth)}: ${status}`);
      times.push(status === 200 ? performance.now() - due : Infinity);
      under.delete(request);
    });
    under.add(request);
  }
  await Promise.all(under);
  times.sort((left, right) => left - right);
  return { p50: quantile(times, 0.5), p95: quantile(times, 0.95), p99: quantile(times, 0.99), most: times.at(-1), refused: times.filter((time) => time === Infinity).length };
};

/** Milliseconds of reading an invoice, its account, and a page of invoices of an account and of all, at each of `rates`. */
export async function readInvoices(bed, { invoices, rates, say }) {
  await runOf(bed, { count: REAL, of: 'fees' });
  const { keys, copies } = await fill(bed.database, invoices, say);
  const { rows: accounts } = await bed.database.query('SELECT DISTINCT account_id AS id FROM billing.invoices_v2');
  // Far from each other, so that what is read was not read a moment ago.
  const nthKey = (nth) => `${keys[nth % keys.length]}-${1 + ((nth * 7_919) % copies)}`;
  const accountOf = (nth) => accounts[nth % accounts.length].id;
  const kinds = {
    'an invoice': [1, (nth) => `/api/v1/billing/invoices/${nthKey(nth)}`],
    'an account': [1, (nth) => `/api/v1/billing/accounts/${accountOf(nth)}`],
    // A page is twenty invoices: it is asked for as often less.
    [`the latest ${PAGE} of an account`]: [PAGE, (nth) => `/api/v1/billing/invoices?limit=${PAGE}&accountId=${accountOf(nth)}`],
    [`the latest ${PAGE} of all`]: [PAGE, () => `/api/v1/billing/invoices?limit=${PAGE}`],
  };
  const found = [];
  for (const rate of rates) {
    for (const [name, [rows, pathOf]] of Object.entries(kinds)) {
      await openLoop(bed.edition, pathOf, rate / rows, WARM_SECONDS);
      const { p50, p95, p99, most, refused } = await openLoop(bed.edition, pathOf, rate / rows, SECONDS);
      found.push({ name, perSecond: rate / rows, p50, p95, p99, most, refused });
    }
  }
  return found;
}
