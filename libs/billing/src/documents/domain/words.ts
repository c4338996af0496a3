/** What documents say, in one language. Names of ours only; what a tenant wrote is never translated. */
export interface Words {
  readonly language: string;
  readonly invoice: string; readonly creditNote: string; readonly number: string; readonly issued: string; readonly due: string; readonly period: string; readonly billedTo: string; readonly taxId: string; readonly ofInvoice: string; readonly reason: string;
  readonly description: string; readonly quantity: string; readonly tax: string; readonly amount: string; readonly net: string;
  readonly subscription: string; readonly plan: string; readonly otherLines: string; readonly carriedOver: string; readonly broughtForward: string;
  readonly discount: string; readonly includesTax: string; readonly billedQuantity: string; readonly givenBack: string; readonly trueUp: string; readonly subtotal: string; readonly subtotalWithoutTax: string; readonly total: string; readonly taxOn: (name: string, rate: string, base: string) => string; readonly creditUsed: string; readonly toCredit: string; readonly amountDue: string;
  readonly dueBy: (amount: string, date: string) => string; readonly nothingDue: string;
  readonly reverseCharge: string; readonly exempt: string;
  readonly void: string; readonly voidSince: (date: string) => string;
  readonly settledOn: (number: string) => string; readonly settledBalance: string; readonly settledRefund: string;
  readonly receipt: string; readonly paid: string; readonly payment: string; readonly paidOn: (amount: string, date: string) => string; readonly amountPaid: string; readonly leftOver: string; readonly stillDue: string;
  readonly page: (nth: number, count: number) => string;
  readonly until: (from: string, last: string) => string;
}

const en: Words = {
  language: 'en', invoice: 'Invoice', creditNote: 'Credit note', number: 'Number', issued: 'Issued', due: 'Due', period: 'Period', billedTo: 'Billed to', taxId: 'Tax ID', ofInvoice: 'Of invoice', reason: 'Reason',
  description: 'Description', quantity: 'Quantity', tax: 'Tax', amount: 'Amount', net: 'Net',
  subscription: 'Subscription', plan: 'Plan', otherLines: 'Other', carriedOver: 'Carried over', broughtForward: 'Brought forward',
  discount: 'Discount', includesTax: 'includes tax', billedQuantity: 'Billed quantity', givenBack: 'Given back of an earlier charge', trueUp: 'Up to what was promised', subtotal: 'Subtotal', subtotalWithoutTax: 'Subtotal without tax', total: 'Total', taxOn: (name, rate, base) => `${name} ${rate} on ${base}`, creditUsed: 'Credit used', toCredit: 'Added to your credit', amountDue: 'Amount due',
  dueBy: (amount, date) => `${amount} due by ${date}`, nothingDue: 'Nothing is due',
  reverseCharge: 'Reverse charge: the recipient accounts for the tax.', exempt: 'Exempt from tax',
  void: 'VOID', voidSince: (date) => `Void since ${date}: nothing is owed on it`,
  settledOn: (number) => `Taken off what is due on ${number}`, settledBalance: 'Added to your credit', settledRefund: 'To be refunded',
  receipt: 'Receipt', paid: 'Paid', payment: 'Payment', paidOn: (amount, date) => `${amount} paid on ${date}`, amountPaid: 'Amount paid', leftOver: 'Not taken by this invoice', stillDue: 'Still due on this invoice',
  page: (nth, count) => `Page ${nth} of ${count}`, until: (from, last) => `${from} – ${last}`,
};

const de: Words = {
  language: 'de', invoice: 'Rechnung', creditNote: 'Rechnungskorrektur', number: 'Nummer', issued: 'Datum', due: 'Fällig', period: 'Zeitraum', billedTo: 'Rechnung an', taxId: 'USt-IdNr.', ofInvoice: 'Zu Rechnung', reason: 'Grund',
  description: 'Beschreibung', quantity: 'Menge', tax: 'Steuer', amount: 'Betrag', net: 'Netto',
  subscription: 'Abonnement', plan: 'Tarif', otherLines: 'Weiteres', carriedOver: 'Übertrag', broughtForward: 'Übertrag',
  discount: 'Rabatt', includesTax: 'inkl. Steuer', billedQuantity: 'Berechnete Menge', givenBack: 'Rückgabe einer früheren Berechnung', trueUp: 'Bis zum zugesagten Betrag', subtotal: 'Zwischensumme', subtotalWithoutTax: 'Zwischensumme ohne Steuer', total: 'Gesamtbetrag', taxOn: (name, rate, base) => `${name} ${rate} auf ${base}`, creditUsed: 'Verrechnetes Guthaben', toCredit: 'Ihrem Guthaben zugefügt', amountDue: 'Zu zahlen',
  dueBy: (amount, date) => `${amount} fällig bis ${date}`, nothingDue: 'Es ist nichts zu zahlen',
  reverseCharge: 'Steuerschuldnerschaft des Leistungsempfängers (Reverse Charge).', exempt: 'Steuerbefreit',
  void: 'STORNIERT', voidSince: (date) => `Storniert am ${date}: es ist nichts geschuldet`,
  settledOn: (number) => `Vom offenen Betrag auf ${number} abgezogen`, settledBalance: 'Ihrem Guthaben zugefügt', settledRefund: 'Wird erstattet',
  receipt: 'Zahlungsbeleg', paid: 'Bezahlt', payment: 'Zahlung', paidOn: (amount, date) => `${amount} bezahlt am ${date}`, amountPaid: 'Gezahlter Betrag', leftOver: 'Nicht auf diese Rechnung angerechnet', stillDue: 'Noch offen auf dieser Rechnung',
  page: (nth, count) => `Seite ${nth} von ${count}`, until: (from, last) => `${from} – ${last}`,
};

const WORDS: Readonly<Record<string, Words>> = { en, de };
/** The words for a language tag, by its first part; English where there are none. */
export const wordsFor = (language: string): Words => WORDS[language.split('-')[0]!.toLowerCase()] ?? en;
