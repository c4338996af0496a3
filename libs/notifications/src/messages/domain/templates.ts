import { type Letters, lettersFor } from './letters';

/** What a message is about. Amounts are decimals of major units, dates local ones of the account; `language` is a tag such as `de`. */
export interface Occasion { readonly name: string; readonly number: string; readonly amount: string; readonly currency: string; readonly language: string }
export interface Written { readonly subject: string; readonly body: string }

const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;
/** Text of a customer as one line: nothing in it can begin a header, or a line of ours. */
export const oneLine = (text: string): string => text.replace(CONTROL, ' ').trim();

/** `USD 1,234.50`: the code of the currency says more than a sign that several share. The text is exact, no float is made of it. */
export const moneyText = (amount: string, currency: string, language: string): string =>
  new Intl.NumberFormat(lettersFor(language).locale, { style: 'currency', currency, currencyDisplay: 'code' }).format(amount as `${number}`).replace(/\u00a0/g, ' ');

const dateText = (localDate: string, { date }: Letters): string => date(localDate.slice(0, -6), Number(localDate.slice(-5, -3)), Number(localDate.slice(-2)));
const letter = ({ greeting }: Letters, name: string, ...paragraphs: readonly string[]): string => [greeting(oneLine(name)), ...paragraphs].join('\n\n');
const isNothing = (amount: string): boolean => /^-?0(\.0+)?$/.test(amount);

/** `amount` is the total; what of it is due, and on which local date. */
export const invoiceFinalized = ({ name, number, amount, currency, language, amountDue, dueOn }: Occasion & { readonly amountDue: string; readonly dueOn: string }): Written => {
  const letters = lettersFor(language);
  const { invoice, thanks } = letters;
  const [what, total] = [oneLine(number), moneyText(amount, currency, language)];
  const due = isNothing(amountDue) ? invoice.nothingDue : invoice.due(moneyText(amountDue, currency, language), dateText(dueOn, letters));
  return { subject: invoice.subject(what, total), body: letter(letters, name, invoice.ready(what, total), due, thanks) };
};

/** What a credit note gives back of the invoice `invoiceNumber`, and where it goes. */
export interface GivenBack { readonly invoiceNumber: string; readonly applied: string; readonly toBalance: string; readonly toRefund: string }
export const creditNoteIssued = ({ name, number, amount, currency, language, invoiceNumber, applied, toBalance, toRefund }: Occasion & GivenBack): Written => {
  const letters = lettersFor(language);
  const { creditNote, thanks } = letters;
  const [what, total, of] = [oneLine(number), moneyText(amount, currency, language), oneLine(invoiceNumber)];
  const money = (part: string): string => moneyText(part, currency, language);
  const where = [
    ...(isNothing(applied) ? [] : [creditNote.applied(money(applied), of)]), ...(isNothing(toBalance) ? [] : [creditNote.toBalance(money(toBalance))]), ...(isNothing(toRefund) ? [] : [creditNote.toRefund(money(toRefund))]),
  ];
  return { subject: creditNote.subject(what, total), body: letter(letters, name, creditNote.ready(what, total, of), ...(where.length === 0 ? [] : [where.join(' ')]), thanks) };
};

export const paymentSucceeded = ({ name, number, amount, currency, language }: Occasion): Written => {
  const letters = lettersFor(language);
  const { receipt, thanks } = letters;
  const [what, howMuch] = [oneLine(number), moneyText(amount, currency, language)];
  return { subject: receipt.subject(what, howMuch), body: letter(letters, name, receipt.received(what, howMuch), thanks) };
};

export const paymentFailed = ({ name, number, amount, currency, language, declineCode }: Occasion & { readonly declineCode: string | undefined }): Written => {
  const letters = lettersFor(language);
  const { failure } = letters;
  const [what, howMuch] = [oneLine(number), moneyText(amount, currency, language)];
  const why = declineCode === undefined ? '' : failure.why(oneLine(declineCode).replaceAll('_', ' '));
  return { subject: failure.subject(what), body: letter(letters, name, `${failure.failed(what, howMuch)}${why}`, failure.whatNow) };
};

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
/** Text that is safe between tags and inside quoted attributes. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);

/** The HTML part of a message: the same words in paragraphs. It loads nothing and runs nothing. */
export const htmlOf = ({ subject, body }: Written, language: string): string => {
  const paragraphs = body.split('\n\n').map((paragraph) => `<p>${escapeHtml(paragraph).replaceAll('\n', '<br>')}</p>`);
  return `<!doctype html>\n<html lang="${escapeHtml(lettersFor(language).language)}"><head><meta charset="utf-8"><title>${escapeHtml(subject)}</title></head><body>\n${paragraphs.join('\n')}\n</body></html>\n`;
};
