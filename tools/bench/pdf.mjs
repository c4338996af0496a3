// `npm run bench -- pdf [--seconds n]`: invoices as PDF with their fonts inside, a second of CPU of one core: of one page, of one page in other letters than usual, and of twelve pages.
import { cpus, release } from 'node:os';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { Money } = require('@valueverse/kernel');
const { totalInvoice } = require('@valueverse/rating');
const { invoicePdf } = require('@valueverse/billing');

const FLOOR = 30;
const AIM = 200;
const ROUNDS = 5;
const SECONDS_DEFAULT = 5;
const CHUNK = 5;
const say = (line) => process.stdout.write(`${line}\n`);
const PERIOD = { from: '2024-01-01T00:00:00Z', to: '2024-02-01T00:00:00Z' };
const VAT = { key: 'vat', name: 'VAT', rate: '19' };

/** The nth of many invoices that are all different. */
const invoiceOf = (nth, lineCount, name) => {
  const currency = 'EUR';
  const given = Array.from({ length: lineCount }, (_, at) => ({ lineId: `line_${at}`, amount: Money.of(BigInt(1_999 + nth * 7 + at * 777), currency), taxBehavior: 'exclusive', taxRates: [VAT] }));
  const totalled = totalInvoice({ lines: given, coupons: [{ key: 'SPRING', discount: { type: 'percent', value: '10' }, stackable: true }], currency, rounding: 'half_up', taxRounding: 'invoice', inclusiveRounding: 'net' });
  const text = (money) => money.toString();
  const lines = totalled.lines.map(({ lineId, amount, netAmount, taxAmount, discounts, taxes }, at) => ({
    lineId, itemId: lineId, chargeKey: `charge-${at}`, type: 'recurring', description: `Storage of objects, class ${at}, in the region of the customer's choice`, subscriptionId: 'sub_1', planKey: 'team', quantity: `${nth * 1_000 + at}.5`,
    billedQuantity: `${nth * 1_000 + at}.5`, amount: text(amount), netAmount: text(netAmount), taxAmount: text(taxAmount), taxBehavior: 'exclusive', discounts: discounts.map((one) => ({ couponKey: one.coupon, amount: text(one.amount) })),
    taxes: taxes.map((one) => ({ key: one.key, name: VAT.name, rate: one.rate, base: text(netAmount), amount: text(one.amount) })), servicePeriod: PERIOD, dimensions: {}, steps: [],
  }));
  const { subtotal, discountTotal, taxTotal, total, creditApplied, amountDue, steps } = totalled;
  return {
    type: 'InvoiceFinalized', invoiceId: `inv_${nth}`, accountId: 'acc_1', kind: 'cycle', number: `INV-${String(nth).padStart(6, '0')}`, currency, servicePeriod: PERIOD, issuedAt: PERIOD.to, dueAt: PERIOD.to, zone: 'Europe/Berlin', rounding: 'half_up',
    lines, subtotal: text(subtotal), discountTotal: text(discountTotal), taxTotal: text(taxTotal), total: text(total), totalSteps: steps, creditApplied: text(creditApplied), amountDue: text(amountDue),
    billTo: { name: `${name} ${nth}`, address: { line1: 'Hauptstraße 1', postalCode: '10115', city: 'Berlin', country: 'DE' } }, seller: { name: 'Wolke GmbH', address: { city: 'Hamburg', country: 'DE' }, taxId: 'DE1', footer: 'HRB 1 · Hamburg' },
    document: { language: nth % 2 === 0 ? 'de' : 'en', pageSize: 'A4', accentColor: '#0055aa' },
  };
};

/** Documents a second of CPU, of a round that lasts so long. */
const round = ({ lineCount, name }, seconds) => {
  const until = performance.now() + seconds * 1_000;
  const used = { user: 0, system: 0 };
  let [documents, bytes] = [0, 0];
  do {
    const invoices = Array.from({ length: CHUNK }, (_, at) => invoiceOf(documents + at, lineCount, name));
    const before = process.cpuUsage();
    for (const invoice of invoices) bytes += invoicePdf({ invoice }).length;
    const { user, system } = process.cpuUsage(before);
    used.user += user;
    used.system += system;
    documents += CHUNK;
  } while (performance.now() < until);
  return { rate: documents / ((used.user + used.system) / 1_000_000), bytes: bytes / documents };
};

export async function benchPdf(options) {
  const at = options.indexOf('--seconds');
  const seconds = (at < 0 ? SECONDS_DEFAULT : Number(options[at + 1])) / ROUNDS;
  const sides = [
    { what: 'one page, five lines', lineCount: 5, name: 'Käufer', floor: FLOOR }, { what: 'one page, in Greek and Cyrillic', lineCount: 5, name: 'Ωμέγα Киев', floor: FLOOR }, { what: 'twelve pages, 190 lines', lineCount: 190, name: 'Käufer' },
  ];
  say(`pdf: Node ${process.version}, ${cpus()[0]?.model ?? 'unknown'}, Linux ${release()}; documents a second of CPU, each of another invoice; median of ${ROUNDS} rounds`);
  for (const side of sides) round(side, seconds / 2);
  for (const side of sides) {
    const rounds = Array.from({ length: ROUNDS }, () => round(side, seconds)).sort((one, other) => one.rate - other.rate);
    const { rate, bytes } = rounds[Math.floor(ROUNDS / 2)];
    const holds = side.floor === undefined || rate >= side.floor;
    const verdict = side.floor === undefined ? 'no floor' : `${holds ? 'holds' : 'BELOW'} the floor of ${side.floor}, ${rate >= AIM ? 'reaches' : 'below'} the aim of ${AIM}`;
    say(`  ${verdict}: ${Math.round(rate)} ${side.what}, ${Math.round(bytes / 1_000)} kB`);
    if (!holds) process.exitCode = 1;
  }
}
