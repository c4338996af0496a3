import * as fc from 'fast-check';
import { Money } from '@valueverse/kernel';
import { ERASED } from '@valueverse/event-log';
import { runs } from '@valueverse/testing';
import type { InvoiceFinalized } from '@valueverse/contracts';
import { sampleInvoice, sampleNote, SELLER, type Sample } from './invoice-samples.spec-kit';
import { measure } from './pdf/embedded-fonts';
import { readPdf, rowsOf, type PrintedPage } from './pdf/pdf-text.spec-kit';
import { creditNotePdf, invoicePdf } from './pdfs';

const VAT = [{ key: 'vat', name: 'VAT', rate: '19' }];
const GERMAN = { language: 'de', pageSize: 'A4' } as const;
const MARGIN = 50;
const read = (sample: Sample, voidedAt?: string) => readPdf(invoicePdf({ invoice: sampleInvoice(sample), voidedAt }));
const rows = (sample: Sample): string[] => read(sample).pages.flatMap(rowsOf);
const amounts = (sample: Sample): string[] => rows(sample).filter((row) => /^(Total|Amount due|Gesamtbetrag|Zu zahlen|Line|VAT|Subtotal)/.test(row));
const many = (count: number, currency: string, more: Partial<Sample> = {}): Sample =>
  ({ currency, lines: Array.from({ length: count }, (_, nth) => ({ description: `Line ${nth}`, amount: Money.of(BigInt(1_000 + nth), currency).toString() })), ...more });

test('an invoice in English: who sells and buys, what it is for, how it comes to what is due', () => {
  const { info, language, pages } = read({
    rates: VAT, coupon: '10', credit: '20.00', memo: 'Order 4711.\nThank you!',
    lines: [{ description: 'Platform', amount: '49.00' }, { description: 'Calls', quantity: '40421844.5', billedQuantity: '40000000', type: 'usage', amount: '1234567.89' }],
  });
  expect([info, language, pages.length, pages[0]!.width, pages[0]!.height]).toEqual(['Invoice INV-000042', 'en', 1, 595.28, 841.89]);
  expect(rowsOf(pages[0]!)).toEqual([
    'Wolke Hosting GmbH', 'Invoice', 'Invalidenstraße 116', '10115 Berlin', 'Number | INV-000042', 'Germany', 'Issued | 1 Feb 2024', 'billing@wolke.example', 'Tax ID DE123456789 | Due | 15 Feb 2024', 'Period | 1 Jan 2024 – 31 Jan 2024',
    'Billed to', 'Acme Corporation', '1 Main Street', 'Springfield, IL 62701', 'United States', 'ap@acme.example', 'Tax ID 99-1234567', 'USD 1,322,254.69 due by 15 Feb 2024',
    'Description | Quantity | Tax | Amount (USD)', 'Platform | 1 | 19% | 49.00', '1 Jan 2024 – 31 Jan 2024', 'Discount SPRING: -4.90',
    'Calls | 40,421,844.5 | 19% | 1,234,567.89', '1 Jan 2024 – 31 Jan 2024', 'Billed quantity: 40,000,000', 'Discount SPRING: -123,456.79',
    'Subtotal | 1,234,616.89', 'Discount SPRING (10%) | -123,461.69', 'VAT 19% on 1,111,155.20 | 211,119.49', 'Total | USD 1,322,274.69', 'Credit used | -20.00', 'Amount due | USD 1,322,254.69', 'Order 4711.', 'Thank you!',
    'Wolke Hosting GmbH · Amtsgericht Charlottenburg HRB 123456', 'IBAN DE02 1203 0000 0000 2020 51', 'Page 1 of 1',
  ]);
});

test('in German: prices with tax in them say so, and the lines of each subscription stand together', () => {
  const { info, language, pages } = read({
    currency: 'EUR', rates: VAT, behavior: 'inclusive', coupon: '10', document: { ...GERMAN, language: 'de-AT' },
    lines: [{ description: 'Grundgebühr', amount: '1190.00' }, { description: 'Speicher', subscriptionId: 'sub_2', amount: '59.50' }, { description: 'Plätze', amount: '-11.90', type: 'proration_credit' }],
  });
  expect([info, language]).toEqual(['Rechnung INV-000042', 'de']);
  // 1190.00 and 59.50 less 10 % and without 19 %: 900 + 45; -11.90 without 19 %: -10. Together 935, and 177.65 of tax.
  expect(rowsOf(pages[0]!).slice(17, -3)).toEqual([
    '1.112,65 EUR fällig bis 15.02.2024', 'Beschreibung | Menge | Steuer | Betrag (EUR)',
    'Tarif team · Abonnement sub_1 | 1.178,10', 'Grundgebühr | 1 | 19 % | 1.190,00', '01.01.2024 – 31.01.2024', 'inkl. Steuer', 'Rabatt SPRING: -100,00',
    'Plätze | 1 | 19 % | -11,90', '01.01.2024 – 31.01.2024', 'Rückgabe einer früheren Berechnung', 'inkl. Steuer',
    'Tarif team · Abonnement sub_2 | 59,50', 'Speicher | 1 | 19 % | 59,50', '01.01.2024 – 31.01.2024', 'inkl. Steuer', 'Rabatt SPRING: -5,00',
    'Zwischensumme ohne Steuer | 1.040,00', 'Rabatt SPRING (10 %) | -105,00', 'VAT 19 % auf 935,00 | 177,65', 'Gesamtbetrag | 1.112,65 EUR', 'Zu zahlen | 1.112,65 EUR',
  ]);
});

test('a credit note names the invoice, the rates, and where the money goes', () => {
  const invoice = sampleInvoice({ currency: 'EUR', rates: VAT, lines: [{ description: 'Plätze', amount: '200.00' }], document: GERMAN });
  expect(readPdf(creditNotePdf({ invoice, note: sampleNote(invoice) })).pages.flatMap(rowsOf).filter((row) => /\||EUR|korrektur/.test(row))).toEqual([
    'Rechnungskorrektur', 'Nummer | CN-000007', 'Datum | 01.03.2024', 'USt-IdNr. DE123456789 | Zu Rechnung | INV-000042, 01.02.2024', 'Grund | a change of the subscription', '119,00 EUR', 'Beschreibung | Steuer | Steuer (EUR) | Netto (EUR)',
    'Plätze | 19 % | 19,00 | 100,00', 'Zwischensumme ohne Steuer | 100,00', 'VAT 19 % auf 100,00 | 19,00', 'Gesamtbetrag | 119,00 EUR', 'Vom offenen Betrag auf INV-000042 | 19,00', 'Ihrem Guthaben zugefügt | 100,00',
  ]);
});

test('numbers and dates are of the language, digits of the currency', () => {
  expect(amounts({ currency: 'JPY', rates: VAT, lines: [{ amount: '123456' }], document: { language: 'en-US', pageSize: 'Letter' } })).toEqual([
    'Line 0 | 1 | 19% | 123,456', 'Subtotal | 123,456', 'VAT 19% on 123,456 | 23,457', 'Total | JPY 146,913', 'Amount due | JPY 146,913']);
  expect(amounts({ currency: 'KWD', lines: [{ amount: '1234.500' }], document: GERMAN })).toEqual(['Line 0 | 1 | 1.234,500', 'Gesamtbetrag | 1.234,500 KWD', 'Zu zahlen | 1.234,500 KWD']);
  expect(rows({ currency: 'EUR', lines: [{ amount: '1.00' }], document: { language: 'en-US', pageSize: 'Letter' } })).toEqual(expect.arrayContaining(['EUR 1.00 due by Feb 15, 2024', 'Jan 1, 2024 – Jan 31, 2024']));
  expect(rows({ lines: [{ amount: '1.00' }], document: { language: 'fr', pageSize: 'A4' } })).toContain('USD 1.00 due by 15 Feb 2024');
});

test('an invoice without tax says why, and one with nothing due that', () => {
  expect(rows({ lines: [{ amount: '5.00' }], untaxed: { reason: 'reverse_charge' }, document: GERMAN })).toContain('Steuerschuldnerschaft des Leistungsempfängers (Reverse Charge).');
  expect(rows({ lines: [{ amount: '5.00' }], untaxed: { reason: 'exempt', detail: 'certificate 12-34' } })).toContain('Exempt from tax: certificate 12-34');
  expect(rows({ rates: VAT, lines: [{ amount: '5.00' }], untaxed: { reason: 'reverse_charge' } }).join()).not.toContain('Reverse');
  expect(rows({ lines: [{ amount: '5.00' }], credit: '9.00' })).toEqual(expect.arrayContaining(['Nothing is due', 'Credit used | -5.00', 'Amount due | USD 0.00']));
});

test('a void invoice says so across each page, and asks for nothing', () => {
  const { pages } = read(many(100, 'USD'), '2024-02-03T10:00:00Z');
  expect(pages.map(({ texts }) => texts.filter(({ isTurned }) => isTurned).map(({ text }) => text))).toEqual(pages.map(() => ['VOID']));
  expect(pages.flatMap(rowsOf)).toContain('Void since 3 Feb 2024: nothing is owed on it');
  expect(pages.flatMap(rowsOf).join()).not.toContain('due by');
});

test('an invoice from before languages and sellers were kept has a document', () => {
  const { seller: _, document: __, ...old } = sampleInvoice({ rates: VAT, lines: [{ amount: '10.00' }] });
  const invoice: InvoiceFinalized = { ...old, totalSteps: [], billTo: ERASED as never };
  const printed = readPdf(invoicePdf({ invoice })).pages.flatMap(rowsOf);
  expect(printed).toEqual(expect.arrayContaining([ERASED, 'Subtotal | 10.00', 'Tax | 1.90', 'Total | USD 11.90']));
});

test('a long invoice carries its sum from page to page, says each line once, and numbers its pages', () => {
  for (const [currency, pageSize] of [['USD', 'A4'], ['JPY', 'Letter'], ['KWD', 'A4']] as const) {
    const { pages } = read(many(300, currency, { document: { language: 'en', pageSize } }));
    expect(pages.length).toBeGreaterThanOrEqual(9);
    let sum = Money.zero(currency);
    let next = 0;
    for (const [nth, page] of pages.entries()) {
      const printed = rowsOf(page);
      const own = printed.filter((row) => row.startsWith('Line '));
      const shown = (): string => sum.toString().replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ',');
      expect(printed.filter((row) => row.startsWith('Brought'))).toEqual(nth === 0 ? [] : [`Brought forward | ${shown()}`]);
      for (const row of own) { expect(row.startsWith(`Line ${next} | `)).toBe(true); sum = sum.add(Money.of(BigInt(1_000 + next), currency)); next += 1; }
      expect(printed.filter((row) => row.startsWith('Carried'))).toEqual(nth === pages.length - 1 ? [] : [`Carried over | ${shown()}`]);
      expect(printed.at(-1)).toBe(`Page ${nth + 1} of ${pages.length}`);
      if (nth > 0) expect(printed[0]).toBe('Invoice INV-000042 | Wolke Hosting GmbH');
    }
    expect(next).toBe(300);
  }
});

test('the same invoice is the same bytes; what the fonts have not is a question mark, accents are put together', () => {
  const sample: Sample = { lines: [{ description: 'Cafe\u0301 Ωμέγα Киев 日本', amount: '1.00' }] };
  expect(invoicePdf({ invoice: sampleInvoice(sample) }).equals(invoicePdf({ invoice: sampleInvoice(sample) }))).toBe(true);
  expect(rows(sample)).toContain('Café Ωμέγα Киев ?? | 1 | 1.00');
});

/** Texts that lie on each other, or outside of the page's margins. */
const faultsOf = ({ width, height, texts }: PrintedPage): string[] => {
  const boxes = texts.filter(({ isTurned }) => !isTurned).map((text) => ({ ...text, right: text.x + measure(text.text, text.font as 'text' | 'bold', text.size), top: text.y - text.size * 0.7 }));
  const outside = boxes.filter(({ x, right, top, y }) => x < MARGIN - 0.5 || right > width - MARGIN + 0.5 || top < 0 || y > height - MARGIN / 3);
  const over = boxes.flatMap((one, nth) => boxes.slice(nth + 1).filter((other) => one.x < other.right - 0.5 && other.x < one.right - 0.5 && one.top < other.y - 0.5 && other.top < one.y - 0.5).map((other) => `${one.text} / ${other.text}`));
  return [...outside.map(({ text }) => text), ...over];
};

test('whatever it says, nothing lies on something else or leaves the page', () => {
  const { seed, numRuns } = runs(41, 60);
  const words = fc.oneof(fc.string({ maxLength: 60 }), fc.string({ minLength: 200, maxLength: 256, unit: fc.constantFrom('W', 'i', 'ß', ' ') }), fc.constant('a\nb\tc\u2028d'));
  const decimal = fc.bigInt({ min: -(10n ** 17n), max: 10n ** 17n });
  const sample = fc.record({
    currency: fc.constantFrom('USD', 'JPY', 'KWD'), language: fc.constantFrom('en', 'de', 'en-US'), pageSize: fc.constantFrom('A4' as const, 'Letter' as const), name: words, footer: fc.oneof(words, fc.constant('f\n'.repeat(500))), memo: words,
    isTaxed: fc.boolean(), behavior: fc.constantFrom('inclusive' as const, 'exclusive' as const), lines: fc.array(fc.record({ description: words, minor: decimal, subscriptionId: fc.constantFrom('sub_1', `sub_${'x'.repeat(60)}`) }), { minLength: 1, maxLength: 20 }),
  });
  fc.assert(fc.property(sample, ({ currency, language, pageSize, name, footer, memo, isTaxed, behavior, lines }) => {
    const { pages } = read({
      currency, behavior, rates: isTaxed ? VAT : [], memo, document: { language, pageSize }, seller: { ...SELLER, name: name || 'S', footer }, billTo: { name: name || 'B', taxId: 'T'.repeat(64), email: 'e'.repeat(320) },
      lines: lines.map(({ minor, ...line }) => ({ ...line, amount: Money.of(minor, currency).toString(), quantity: '123456789012.123456' })),
    });
    expect(pages.flatMap(faultsOf)).toEqual([]);
  }), { seed, numRuns });
});
