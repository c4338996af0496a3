/** What letters say, in one language. Texts of a customer are put in as one line, amounts and dates as the language writes them. */
export interface Letters {
  readonly language: string;
  /** A locale for sums. */
  readonly locale: string;
  readonly date: (year: string, month: number, day: number) => string;
  readonly greeting: (name: string) => string;
  readonly thanks: string;
  readonly invoice: { readonly subject: (number: string, total: string) => string; readonly ready: (number: string, total: string) => string; readonly due: (amount: string, date: string) => string; readonly nothingDue: string };
  readonly creditNote: { readonly subject: (number: string, total: string) => string; readonly ready: (number: string, total: string, invoice: string) => string; readonly applied: (amount: string, invoice: string) => string; readonly toBalance: (amount: string) => string; readonly toRefund: (amount: string) => string };
  /** What a payment is for: an invoice, or what the account has to its credit, where it has no number. */
  readonly receipt: { readonly subject: (number: string | undefined, amount: string) => string; readonly received: (number: string | undefined, amount: string) => string };
  readonly failure: { readonly subject: (number: string | undefined) => string; readonly failed: (number: string | undefined, amount: string) => string; readonly why: (reason: string) => string; readonly whatNow: string };
  readonly retry: { readonly subject: (number: string) => string; readonly when: (date: string) => string };
  /** The customer's bank asks for them, at a page that follows. */
  readonly action: { readonly subject: (number: string | undefined) => string; readonly asked: (number: string | undefined) => string; readonly whatThen: string };
  /** A card by its brand and last digits, as far as they are known; `month` is its last one as it is printed on it. */
  readonly expiry: { readonly card: (brand: string, last4: string) => string; readonly subject: (card: string) => string; readonly until: (card: string, month: string) => string; readonly whatNow: string };
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const whatFor = { en: (number?: string): string => (number === undefined ? 'your credit' : `invoice ${number}`), de: (number?: string): string => (number === undefined ? 'zu Ihrem Guthaben' : `zur Rechnung ${number}`) };

const en: Letters = {
  language: 'en', locale: 'en-US', date: (year, month, day) => `${day} ${MONTHS[month - 1]} ${year}`, greeting: (name) => `Hello ${name},`, thanks: 'Thank you!',
  invoice: {
    subject: (number, total) => `Invoice ${number} of ${total}`, ready: (number, total) => `your invoice ${number} of ${total} is ready. You find it attached as a PDF.`,
    due: (amount, date) => `${amount} is due on ${date}. If a payment method is on file, we collect the amount from it and you need not do anything.`, nothingDue: 'Nothing is due on it.',
  },
  creditNote: {
    subject: (number, total) => `Credit note ${number} of ${total}`, ready: (number, total, invoice) => `we give you back ${total} of invoice ${invoice}. You find our credit note ${number} attached as a PDF.`,
    applied: (amount, invoice) => `${amount} was taken off what is due on invoice ${invoice}.`, toBalance: (amount) => `${amount} was added to your credit, which your next invoice uses.`, toRefund: (amount) => `${amount} will be refunded.`,
  },
  receipt: { subject: (number, amount) => `Receipt for ${whatFor.en(number)}: ${amount}`, received: (number, amount) => `we have received your payment of ${amount} for ${whatFor.en(number)}.` },
  failure: {
    subject: (number) => `Payment for ${whatFor.en(number)} failed`, failed: (number, amount) => `we could not collect ${amount} for ${whatFor.en(number)}.`, why: (reason) => ` Your bank says: ${reason}.`,
    whatNow: 'Please look at your payment method, or get in touch with us.',
  },
  retry: { subject: (number) => `Payment for invoice ${number} failed, we will try again`, when: (date) => `We will try again on ${date}. Please see to it that your payment method works by then.` },
  action: {
    subject: (number) => `Please confirm your payment for ${whatFor.en(number)}`, asked: (number) => `your bank asks you to confirm the payment for ${whatFor.en(number)}. You can do that on this page:`,
    whatThen: 'We cannot collect the amount before that. If you have confirmed it already, you need not do anything.',
  },
  expiry: {
    card: (brand, last4) => `card${brand === '' ? '' : ` ${brand}`}${last4 === '' ? '' : ` ending in ${last4}`}`, subject: (card) => `Your ${card} is about to expire`, until: (card, month) => `your ${card} works until the end of ${month}.`,
    whatNow: 'Please give us another payment method before then, so that we can collect your next invoices.',
  },
};

const de: Letters = {
  language: 'de', locale: 'de-DE', date: (year, month, day) => `${String(day).padStart(2, '0')}.${String(month).padStart(2, '0')}.${year}`, greeting: (name) => `Guten Tag ${name},`, thanks: 'Vielen Dank!',
  invoice: {
    subject: (number, total) => `Rechnung ${number} über ${total}`, ready: (number, total) => `Ihre Rechnung ${number} über ${total} ist da. Sie finden sie im Anhang als PDF.`,
    due: (amount, date) => `${amount} ist am ${date} fällig. Ist ein Zahlungsmittel hinterlegt, ziehen wir den Betrag davon ein, und Sie müssen nichts tun.`, nothingDue: 'Es ist nichts zu zahlen.',
  },
  creditNote: {
    subject: (number, total) => `Rechnungskorrektur ${number} über ${total}`, ready: (number, total, invoice) => `wir geben Ihnen ${total} der Rechnung ${invoice} zurück. Sie finden unsere Rechnungskorrektur ${number} im Anhang als PDF.`,
    applied: (amount, invoice) => `${amount} wurde vom offenen Betrag der Rechnung ${invoice} abgezogen.`, toBalance: (amount) => `${amount} wurde Ihrem Guthaben zugefügt, das Ihre nächste Rechnung verwendet.`, toRefund: (amount) => `${amount} wird erstattet.`,
  },
  receipt: { subject: (number, amount) => `Zahlungsbestätigung ${whatFor.de(number)}: ${amount}`, received: (number, amount) => `wir haben Ihre Zahlung über ${amount} ${whatFor.de(number)} erhalten.` },
  failure: {
    subject: (number) => `Zahlung ${whatFor.de(number)} fehlgeschlagen`, failed: (number, amount) => `wir konnten ${amount} ${whatFor.de(number)} nicht einziehen.`, why: (reason) => ` Ihre Bank sagt: ${reason}.`,
    whatNow: 'Bitte prüfen Sie Ihr Zahlungsmittel, oder wenden Sie sich an uns.',
  },
  retry: { subject: (number) => `Zahlung zur Rechnung ${number} fehlgeschlagen, wir versuchen es erneut`, when: (date) => `Wir versuchen es am ${date} erneut. Bitte sorgen Sie dafür, dass Ihr Zahlungsmittel bis dahin funktioniert.` },
  action: {
    subject: (number) => `Bitte bestätigen Sie Ihre Zahlung ${whatFor.de(number)}`, asked: (number) => `Ihre Bank bittet Sie, die Zahlung ${whatFor.de(number)} zu bestätigen. Das können Sie auf dieser Seite tun:`,
    whatThen: 'Vorher können wir den Betrag nicht einziehen. Haben Sie die Zahlung schon bestätigt, müssen Sie nichts tun.',
  },
  expiry: {
    card: (brand, last4) => `Karte${brand === '' ? '' : ` ${brand}`}${last4 === '' ? '' : ` mit den Endziffern ${last4}`}`, subject: (card) => `Ihre ${card} läuft bald ab`, until: (card, month) => `Ihre ${card} gilt noch bis Ende ${month}.`,
    whatNow: 'Bitte hinterlegen Sie bis dahin ein anderes Zahlungsmittel, damit wir Ihre nächsten Rechnungen einziehen können.',
  },
};

const LETTERS: Readonly<Record<string, Letters>> = { en, de };
/** The letters of a language tag, by its first part; English where there are none. */
export const lettersFor = (language: string): Letters => LETTERS[language.split('-')[0]!.toLowerCase()] ?? en;
