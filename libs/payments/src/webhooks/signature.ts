import { createHmac, timingSafeEqual } from 'node:crypto';

/** How far the instant of a signature may be from now: older is a repetition of what somebody has recorded. */
export const TOLERANCE_SECONDS = 300;
export const SIGNATURE_LENGTH_MAX = 4_096;
const SECONDS = /^\d{1,12}$/;
export type SignatureFault = 'missing_signature' | 'invalid_signature' | 'signature_too_old';

const isEqual = (left: string, right: string): boolean => left.length === right.length && timingSafeEqual(Buffer.from(left), Buffer.from(right));

/** Looks at Stripe's header before anything is read of the body: `t=<seconds>,v1=<hex>`, a `v1` for each secret that is in use. `undefined` when it is right. */
export const signatureFault = (header: string | undefined, body: Buffer, secrets: readonly string[], nowSeconds: number): SignatureFault | undefined => {
  if (header === undefined || header === '') return 'missing_signature';
  if (header.length > SIGNATURE_LENGTH_MAX) return 'invalid_signature';
  const parts = header.split(',').map((part) => part.trim().split('=', 2) as [string, string?]);
  const at = parts.find(([name]) => name === 't')?.[1];
  if (at === undefined || !SECONDS.test(at)) return 'invalid_signature';
  const given = parts.filter(([name]) => name === 'v1').map(([, value]) => value ?? '');
  const wanted = secrets.map((secret) => createHmac('sha256', secret).update(`${at}.`).update(body).digest('hex'));
  if (!given.some((one) => wanted.some((other) => isEqual(one, other)))) return 'invalid_signature';
  return Math.abs(nowSeconds - Number(at)) > TOLERANCE_SECONDS ? 'signature_too_old' : undefined;
};
