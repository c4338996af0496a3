/** What a message is about. Amounts are decimals of major units; dates are shown in UTC. */
export interface Occasion { readonly name: string; readonly number: string; readonly amount: string; readonly currency: string }
export interface Written { readonly subject: string; readonly body: string }

const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;
/** Text of a customer as one line: nothing in it can begin a header, or a line of ours. */
export const oneLine = (text: string): string => text.replace(CONTROL, ' ').trim();

/** `USD 1,234.50`: the code of the currency says more than a sign that several share. The text is exact, no float is made of it. */
export const moneyText = (amount: string, currency: string): string =>
  new Intl.NumberFormat('en-US', { style: 'currency', currency, currencyDisplay: 'code' }).format(amount as `${number}`).replace(/\u00a0/g, ' ');

const DATE_LENGTH = 'YYYY-MM-DD'.length;
const letter = (name: string, ...paragraphs: readonly string[]): string => [`Hello ${oneLine(name)},`, ...paragraphs].join('\n\n');

export const invoiceFinalized = ({ name, number, amount, currency, dueAt }: Occasion & { readonly dueAt: string }): Written => {
  const [what, howMuch] = [oneLine(number), moneyText(amount, currency)];
  return {
    subject: `Invoice ${what} of ${howMuch}`,
    body: letter(name, `your invoice ${what} of ${howMuch} is ready. You find it attached as a PDF.`,
      `It is due on ${dueAt.slice(0, DATE_LENGTH)}. If a payment method is on file, we collect the amount from it and you need not do anything.`, 'Thank you!'),
  };
};

export const paymentSucceeded = ({ name, number, amount, currency }: Occasion): Written => {
  const [what, howMuch] = [oneLine(number), moneyText(amount, currency)];
  return {
    subject: `Receipt for invoice ${what}: ${howMuch}`,
    body: letter(name, `we have received your payment of ${howMuch} for invoice ${what}.`, 'Thank you!'),
  };
};

export const paymentFailed = ({ name, number, amount, currency, declineCode }: Occasion & { readonly declineCode: string | undefined }): Written => {
  const [what, howMuch] = [oneLine(number), moneyText(amount, currency)];
  const why = declineCode === undefined ? '' : ` Your bank says: ${oneLine(declineCode).replaceAll('_', ' ')}.`;
  return {
    subject: `Payment for invoice ${what} failed`,
    body: letter(name, `we could not collect ${howMuch} for invoice ${what}.${why}`, 'Please look at your payment method, or get in touch with us.'),
  };
};

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
/** Text that is safe between tags and inside quoted attributes. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);

/** The HTML part of a message: the same words in paragraphs. It loads nothing and runs nothing. */
export const htmlOf = ({ subject, body }: Written): string => {
  const paragraphs = body.split('\n\n').map((paragraph) => `<p>${escapeHtml(paragraph).replaceAll('\n', '<br>')}</p>`);
  return `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(subject)}</title></head><body>\n${paragraphs.join('\n')}\n</body></html>\n`;
};
