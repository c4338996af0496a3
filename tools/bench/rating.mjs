// `npm run bench -- rating [--seconds n]`: lines rated with their steps, and invoices of five lines with tax and a coupon, on one core by CPU time.
import { cpus, release } from 'node:os';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { Decimal, Money } = require('@valueverse/kernel');
const { eventTermsOf, rateFee, rateUsage, readChargeTerms, totalInvoice } = require('@valueverse/rating');

const FLOOR = 50_000;
const ROUNDS = 5;
const SECONDS_DEFAULT = 2;
const CHUNK = 500;
const QUANTITIES = 997;
const say = (line) => process.stdout.write(`${line}\n`);

const flat = { model: 'flat', amount: '49.00' };
const perUnit = { model: 'per_unit', unitAmount: '0.0000025' };
const tiers = (model, fields) => ({ model, tiers: [{ upTo: '1000', ...fields('0.01') }, { upTo: '10000', ...fields('0.008') }, fields('0.005')] });
const units = (amount) => ({ unitAmount: amount, flatAmount: '1.00' });
const PRICES = {
  flat, per_unit: perUnit, graduated: tiers('graduated', units), volume: tiers('volume', units), stairstep: tiers('stairstep', () => ({ flatAmount: '10.00' })),
  package: { model: 'package', packageSize: '100', packageAmount: '2.95' }, percentage: { model: 'percentage', rate: '2.9' },
  'percentage of events': { model: 'percentage', rate: '2.9', fixedAmount: '0.30', freeEvents: 5 },
  graduated_percentage: tiers('graduated_percentage', (rate) => ({ rate, flatAmount: '1.00' })), dynamic: { model: 'dynamic', amountProperty: '$.cost' },
  matrix: { model: 'matrix', dimensions: ['region'], cells: [{ match: { region: 'eu' }, price: tiers('graduated', units) }, { match: { region: 'us' }, price: perUnit }], default: perUnit },
};
const TERMS = { freeUnits: '100', minimumAmount: '5.00', maximumAmount: '5000.00', commitment: { amount: '20.00', overageFactor: '1.5' } };

/** As an invoice holds them: read from JSON for each one, so that nothing is remembered between two lines. */
const fresh = (charge) => {
  const text = JSON.stringify(charge);
  return () => JSON.parse(text);
};
const quantities = Array.from({ length: QUANTITIES }, (_, nth) => Decimal.scaled(BigInt(nth) * 17_389n, 2));
const part = (numerator) => ({ numerator, denominator: 31n });

const usageSide = (name, price, terms = {}, slice = undefined) => {
  const parsed = readChargeTerms({ type: 'usage', price, ...(eventTermsOf(price) === undefined ? terms : {}) }, '', 'USD');
  const read = fresh(parsed.terms);
  const priced = eventTermsOf(price) === undefined ? {} : { priced: { amount: '123.456', paidValue: '4000', freeEvents: 5, paidEvents: 30, unpriced: 0 } };
  return { name, once: (nth) => {
    const quantity = quantities[nth % QUANTITIES];
    return rateUsage({ charge: read(), groups: [{ dimensions: { region: nth % 2 === 0 ? 'eu' : 'us' }, quantity, billed: quantity, ...priced }], slice, currency: 'USD', rounding: 'half_up' }).length;
  } };
};

const invoiceSide = () => {
  const lines = Array.from({ length: 5 }, (_, nth) => ({ lineId: `line_${nth}`, amount: Money.of(BigInt(1_999 + nth * 777), 'EUR'), taxBehavior: nth === 4 ? 'inclusive' : 'exclusive', taxRates: [{ key: 'vat', rate: '19' }] }));
  const coupons = [{ key: 'spring', discount: { type: 'percent', value: '10' }, stackable: true }];
  return { name: 'invoices of five lines, a coupon and tax', once: () => totalInvoice({ lines, coupons, currency: 'EUR', rounding: 'half_up', taxRounding: 'invoice', inclusiveRounding: 'net' }).lines.length };
};

const feeSide = () => {
  const read = fresh(readChargeTerms({ type: 'recurring', price: PRICES.graduated }, '', 'USD').terms);
  return { name: 'seats, a part of a period', once: (nth) => { rateFee({ charge: read(), quantity: quantities[nth % QUANTITIES], slice: { elapsedAtStart: part(7n), elapsedAtEnd: part(31n) }, currency: 'USD', rounding: 'half_up' }); return 1; } };
};

/** Lines a second of CPU, of a round that lasts so long. */
const round = ({ once }, seconds) => {
  const until = performance.now() + seconds * 1_000;
  const before = process.cpuUsage();
  let [lines, nth] = [0, 0];
  do { for (let left = CHUNK; left > 0; left--) lines += once(nth++); } while (performance.now() < until);
  const { user, system } = process.cpuUsage(before);
  return lines / ((user + system) / 1_000_000);
};
const median = (values) => [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)];

export async function benchRating(options) {
  const at = options.indexOf('--seconds');
  const seconds = (at < 0 ? SECONDS_DEFAULT : Number(options[at + 1])) / ROUNDS;
  const sides = [
    ...Object.entries(PRICES).map(([name, price]) => usageSide(name, price)),
    usageSide('graduated, with free units, minimum, maximum and commitment', PRICES.graduated, TERMS),
    usageSide('the same, a part of a period', PRICES.graduated, TERMS, { elapsedAtStart: part(7n), elapsedAtEnd: part(31n) }),
    feeSide(), invoiceSide(),
  ];
  say(`rating: Node ${process.version}, ${cpus()[0]?.model ?? 'unknown'}, Linux ${release()}; lines a second of CPU with their steps, terms read from JSON for each; median of ${ROUNDS} rounds`);
  for (const side of sides) round(side, seconds / 2);
  const rates = sides.map(() => []);
  for (let nth = 0; nth < ROUNDS; nth++) for (const [index, side] of sides.entries()) rates[index].push(round(side, seconds));
  for (const [index, { name }] of sides.entries()) {
    const rate = median(rates[index]);
    const holds = rate >= FLOOR;
    say(`  ${holds ? 'holds' : 'BELOW'} the floor of ${FLOOR}: ${Math.round(rate)} ${name}`);
    if (!holds) process.exitCode = 1;
  }
}
