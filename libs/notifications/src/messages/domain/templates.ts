import { type Letters, lettersFor } from './letters';

/** What a message is about. Amounts are decimals of major units, dates local ones of the account; `language` is a tag such as `de`. */
export interface Occasion { readonly name: string; readonly number: string; readonly amount: string; readonly currency: string; readonly language: string }
/** What a payment is about: an invoice, or, without a `number`, what is paid ahead. */
export type PaymentOccasion = Omit<Occasion, 'number'> & { readonly number: string | undefined };
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

const numberOf = (number: string | undefined): string | undefined => (number === undefined ? undefined : oneLine(number));
export const paymentSucceeded = ({ name, number, amount, currency, language }: PaymentOccasion): Written => {
  const letters = lettersFor(language);
  const { receipt, thanks } = letters;
  const [what, howMuch] = [numberOf(number), moneyText(amount, currency, language)];
  return { subject: receipt.subject(what, howMuch), body: letter(letters, name, receipt.received(what, howMuch), thanks) };
};

type Declined = PaymentOccasion & { readonly declineCode: string | undefined };
/** That money could not be collected, and what the bank says of it. */
const failureText = ({ number, amount, currency, language, declineCode }: Declined): string => {
  const { failure } = lettersFor(language);
  const why = declineCode === undefined ? '' : failure.why(oneLine(declineCode).replaceAll('_', ' '));
  return `${failure.failed(numberOf(number), moneyText(amount, currency, language))}${why}`;
};
export const paymentFailed = (declined: Declined): Written => {
  const letters = lettersFor(declined.language);
  const { failure } = letters;
  return { subject: failure.subject(numberOf(declined.number)), body: letter(letters, declined.name, failureText(declined), failure.whatNow) };
};
/** It is tried again on the local date `retryOn`. */
export const paymentRetrying = (declined: Declined & { readonly number: string; readonly retryOn: string }): Written => {
  const letters = lettersFor(declined.language);
  const { retry } = letters;
  return { subject: retry.subject(oneLine(declined.number)), body: letter(letters, declined.name, failureText(declined), retry.when(dateText(declined.retryOn, letters))) };
};

/** The customer confirms it at `url`, a page of the bank. */
export const paymentActionRequired = ({ name, number, language, url }: Omit<PaymentOccasion, 'amount' | 'currency'> & { readonly url: string }): Written => {
  const letters = lettersFor(language);
  const { action } = letters;
  const what = numberOf(number);
  return { subject: action.subject(what), body: letter(letters, name, action.asked(what), oneLine(url), action.whatThen) };
};

/** A card as its provider describes it; `expires` is its last month, `2034-12`. */
export interface ExpiringCard { readonly name: string; readonly language: string; readonly brand: string | undefined; readonly last4: string | undefined; readonly expires: string }
export const paymentMethodExpiring = ({ name, language, brand = '', last4 = '', expires }: ExpiringCard): Written => {
  const letters = lettersFor(language);
  const { expiry } = letters;
  const [card, [year, month]] = [expiry.card(oneLine(brand), oneLine(last4)), oneLine(expires).split('-')];
  return { subject: expiry.subject(card), body: letter(letters, name, expiry.until(card, `${month}/${year}`), expiry.whatNow) };
};

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
/** Text that is safe between tags and inside quoted attributes. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);

const PAGE = /^https?:\/\/\S+$/;
/** Whether a paragraph is the address of a web page and nothing else. What a customer is called is never alone in one. */
export const isPage = (text: string): boolean => PAGE.test(text);
const paragraphOf = (text: string): string => {
  const escaped = escapeHtml(text);
  return isPage(text) ? `<p><a href="${escaped}">${escaped}</a></p>` : `<p>${escaped.replaceAll('\n', '<br>')}</p>`;
};

/** The HTML part of a message: the same words in paragraphs. It loads nothing and runs nothing. */
export const htmlOf = ({ subject, body }: Written, language: string): string => {
  const paragraphs = body.split('\n\n').map(paragraphOf);
  return `<!doctype html>\n<html lang="${escapeHtml(lettersFor(language).language)}"><head><meta charset="utf-8"><title>${escapeHtml(subject)}</title></head><body>\n${paragraphs.join('\n')}\n</body></html>\n`;
};
