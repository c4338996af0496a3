import { creditNoteIssued, htmlOf, invoiceFinalized, moneyText, paymentActionRequired, paymentFailed, paymentMethodExpiring, paymentRetrying, paymentSucceeded } from './templates';

const occasion = { name: 'Acme', number: 'INV-7', amount: '1234.50', currency: 'USD', language: 'en' };
const due = { amountDue: '1234.50', dueOn: '2023-12-31' };
const note = { number: 'CN-3', invoiceNumber: 'INV-7', applied: '1000.00', toBalance: '200.00', toRefund: '34.50' };

test.each([['49.00', 'USD', 'en', 'USD 49.00'], ['1234567.89', 'EUR', 'en', 'EUR 1,234,567.89'], ['5000', 'JPY', 'en', 'JPY 5,000'], ['1.234', 'BHD', 'en', 'BHD 1.234'], ['1234567.89', 'USD', 'de', '1.234.567,89 USD'],
  ['90071992547409931234.56', 'USD', 'en', 'USD 90,071,992,547,409,931,234.56']])('%s %s in %s reads %s', (amount, currency, language, text) => expect(moneyText(amount, currency, language)).toBe(text));

test('each message says what it is about', () => {
  expect(invoiceFinalized({ ...occasion, ...due, amountDue: '1000.00' })).toEqual({
    subject: 'Invoice INV-7 of USD 1,234.50', body: expect.stringMatching(/^Hello Acme,\n\nyour invoice INV-7 of USD 1,234\.50 .*\n\nUSD 1,000\.00 is due on 31 Dec 2023\./s) as string,
  });
  expect(invoiceFinalized({ ...occasion, ...due, amountDue: '0.00' }).body).toMatch(/Nothing is due on it\.\n\nThank you!$/);
  expect(creditNoteIssued({ ...occasion, ...note })).toEqual({
    subject: 'Credit note CN-3 of USD 1,234.50',
    body: 'Hello Acme,\n\nwe give you back USD 1,234.50 of invoice INV-7. You find our credit note CN-3 attached as a PDF.\n\nUSD 1,000.00 was taken off what is due on invoice INV-7. USD 200.00 was added to your credit, which your next invoice uses. USD 34.50 will be refunded.\n\nThank you!',
  });
  expect(creditNoteIssued({ ...occasion, ...note, applied: '0.00', toBalance: '0' }).body).toMatch(/PDF\.\n\nUSD 34\.50 will be refunded\.\n\nThank/);
  expect(paymentSucceeded(occasion)).toEqual({ subject: 'Receipt for invoice INV-7: USD 1,234.50', body: expect.stringContaining('received your payment') as string });
  expect(paymentFailed({ ...occasion, declineCode: 'insufficient_funds' })).toEqual({
    subject: 'Payment for invoice INV-7 failed', body: expect.stringContaining('Your bank says: insufficient funds.') as string,
  });
});

const card = { name: 'Acme', language: 'en', brand: 'visa', last4: '4242', expires: '2026-03' };
test('what a customer has to do is said: confirm at the bank, see to a card, wait for another try', () => {
  const action = paymentActionRequired({ ...occasion, url: 'https://bank.example/confirm?a=1&b=2' });
  expect(action).toEqual({ subject: 'Please confirm your payment for invoice INV-7', body: expect.stringMatching(/^Hello Acme,\n\nyour bank asks .* this page:\n\nhttps:\/\/bank\.example\/confirm\?a=1&b=2\n\nWe cannot collect/) as string });
  // The page of the bank is a link, whatever else looks like one is not.
  expect(htmlOf(action, 'en')).toContain('<p><a href="https://bank.example/confirm?a=1&amp;b=2">https://bank.example/confirm?a=1&amp;b=2</a></p>');
  expect(htmlOf(paymentSucceeded({ ...occasion, name: 'https://evil.example' }), 'en')).not.toContain('<a ');
  expect(paymentMethodExpiring(card)).toEqual({ subject: 'Your card visa ending in 4242 is about to expire', body: expect.stringContaining('your card visa ending in 4242 works until the end of 03/2026.') as string });
  expect(paymentMethodExpiring({ ...card, brand: undefined, last4: undefined, language: 'de' })).toEqual({ subject: 'Ihre Karte läuft bald ab', body: expect.stringContaining('Ihre Karte gilt noch bis Ende 03/2026.') as string });
  expect(paymentRetrying({ ...occasion, declineCode: 'insufficient_funds', retryOn: '2026-03-05' })).toEqual({
    subject: 'Payment for invoice INV-7 failed, we will try again', body: expect.stringMatching(/we could not collect USD 1,234\.50 for invoice INV-7\. Your bank says: insufficient funds\.\n\nWe will try again on 5 Mar 2026\./) as string,
  });
});

test('in the language of the invoice; in English where there are no words for it', () => {
  const german = { ...occasion, language: 'de-AT' };
  expect(invoiceFinalized({ ...german, ...due })).toEqual({ subject: 'Rechnung INV-7 über 1.234,50 USD', body: expect.stringMatching(/^Guten Tag Acme,.*1\.234,50 USD ist am 31\.12\.2023 fällig\..*Vielen Dank!$/s) as string });
  expect([creditNoteIssued({ ...german, ...note }).subject, paymentSucceeded(german).subject, paymentFailed({ ...german, declineCode: undefined }).subject]).toEqual([
    'Rechnungskorrektur CN-3 über 1.234,50 USD', 'Zahlungsbestätigung zur Rechnung INV-7: 1.234,50 USD', 'Zahlung zur Rechnung INV-7 fehlgeschlagen']);
  expect([paymentActionRequired({ ...german, url: 'https://bank.example' }).subject, paymentMethodExpiring({ ...card, language: 'de' }).subject, paymentRetrying({ ...german, declineCode: undefined, retryOn: '2026-03-05' })]).toEqual([
    'Bitte bestätigen Sie Ihre Zahlung zur Rechnung INV-7', 'Ihre Karte visa mit den Endziffern 4242 läuft bald ab', { subject: 'Zahlung zur Rechnung INV-7 fehlgeschlagen, wir versuchen es erneut', body: expect.stringContaining('am 05.03.2026 erneut') as string }]);
  expect(paymentSucceeded({ ...occasion, language: 'fr' })).toEqual(paymentSucceeded(occasion));
  expect(htmlOf(paymentSucceeded(german), german.language)).toContain('<html lang="de">');
});

test('what is paid ahead has no number', () => {
  const ahead = { ...occasion, number: undefined };
  expect([paymentSucceeded(ahead).subject, paymentFailed({ ...ahead, declineCode: undefined }).subject, paymentActionRequired({ ...ahead, url: 'https://bank.example' }).subject]).toEqual([
    'Receipt for your credit: USD 1,234.50', 'Payment for your credit failed', 'Please confirm your payment for your credit']);
  expect(paymentSucceeded({ ...ahead, language: 'de' })).toEqual({ subject: 'Zahlungsbestätigung zu Ihrem Guthaben: 1.234,50 USD', body: expect.stringContaining('wir haben Ihre Zahlung über 1.234,50 USD zu Ihrem Guthaben erhalten.') as string });
});

test('what a customer is called begins no line and no header', () => {
  const { subject, body } = invoiceFinalized({ ...occasion, ...due, name: 'Eve\r\nBcc: all@example.com', number: 'INV\r\nX-Evil: 1\u2028' });
  expect(subject).toBe('Invoice INV X-Evil: 1 of USD 1,234.50');
  expect(body).not.toMatch(/^Bcc/m);
});

test('what a customer is called is no markup', () => {
  const html = htmlOf(paymentSucceeded({ ...occasion, name: `<img src=x onerror="alert('1')">&`, number: '</title><script>' }), 'en');
  expect(html).not.toMatch(/<img|<script|onerror="/);
  expect(html).toContain('&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;');
});
