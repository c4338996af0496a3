import { htmlOf, invoiceFinalized, moneyText, paymentFailed, paymentSucceeded } from './templates';

const occasion = { name: 'Acme', number: 'INV-7', amount: '1234.50', currency: 'USD' };

test.each([['49.00', 'USD', 'USD 49.00'], ['1234567.89', 'EUR', 'EUR 1,234,567.89'], ['5000', 'JPY', 'JPY 5,000'], ['1.234', 'BHD', 'BHD 1.234'],
  ['90071992547409931234.56', 'USD', 'USD 90,071,992,547,409,931,234.56']])('%s %s reads %s', (amount, currency, text) => expect(moneyText(amount, currency)).toBe(text));

test('each message says what it is about', () => {
  expect(invoiceFinalized({ ...occasion, dueAt: '2023-12-31T00:00:00Z' })).toEqual({
    subject: 'Invoice INV-7 of USD 1,234.50', body: expect.stringMatching(/^Hello Acme,\n\nyour invoice INV-7 of USD 1,234\.50 .* due on 2023-12-31\./s) as string,
  });
  expect(paymentSucceeded(occasion)).toEqual({ subject: 'Receipt for invoice INV-7: USD 1,234.50', body: expect.stringContaining('received your payment') as string });
  expect(paymentFailed({ ...occasion, declineCode: 'insufficient_funds' })).toEqual({
    subject: 'Payment for invoice INV-7 failed', body: expect.stringContaining('Your bank says: insufficient funds.') as string,
  });
});

test('what a customer is called begins no line and no header', () => {
  const { subject, body } = invoiceFinalized({ ...occasion, name: 'Eve\r\nBcc: all@example.com', number: 'INV\r\nX-Evil: 1\u2028', dueAt: '2023-12-31T00:00:00Z' });
  expect(subject).toBe('Invoice INV X-Evil: 1 of USD 1,234.50');
  expect(body).not.toMatch(/^Bcc/m);
});

test('what a customer is called is no markup', () => {
  const html = htmlOf(paymentSucceeded({ ...occasion, name: `<img src=x onerror="alert('1')">&`, number: '</title><script>' }));
  expect(html).not.toMatch(/<img|<script|onerror="/);
  expect(html).toContain('&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;');
});
