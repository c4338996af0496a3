import { createHmac, timingSafeEqual } from 'node:crypto';

export const PAY_PATH = '/api/v1/payments/pay';

/** What a link leads to. Whoever has it may see what is due of this invoice and pay it, and nothing else. */
export interface PayLink { readonly tenant: string; readonly invoiceId: string; readonly expiresAt: string }

const signatureOf = (text: string, key: Buffer): Buffer => createHmac('sha256', key).update(`pay-link.${text}`).digest();

/** A link in a form that can be sent: what it leads to and a signature of it. */
export const linkToken = ({ tenant, invoiceId, expiresAt }: PayLink, key: Buffer): string => {
  const text = Buffer.from(JSON.stringify([tenant, invoiceId, expiresAt])).toString('base64url');
  return `${text}.${signatureOf(text, key).toString('base64url')}`;
};

/** `undefined` for what we did not sign, or what is over. */
export const readLink = (token: string, key: Buffer, now: string): PayLink | undefined => {
  const [text = '', signature = ''] = token.split('.', 2);
  const [given, wanted] = [Buffer.from(signature, 'base64url'), signatureOf(text, key)];
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return undefined;
  const [tenant, invoiceId, expiresAt] = JSON.parse(Buffer.from(text, 'base64url').toString()) as [string, string, string];
  return Date.parse(expiresAt) > Date.parse(now) ? { tenant, invoiceId, expiresAt } : undefined;
};
