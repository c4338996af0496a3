import { Refused } from '@valueverse/kernel';
import { Problem, type Service } from '@valueverse/platform';
import type { KnownAccount } from '../accounts/known-accounts';
import { customerOf } from './customers';
import type { CardAtProvider, NoAnswer, PaymentProvider } from './provider';

const RETRY_AFTER_SECONDS = 5;
const problemOf = (answer: NoAnswer): Error => {
  if (answer.status === 'refused') return new Refused(answer.code === 'unknown_token' ? answer.code : 'token_refused', answer.code === 'unknown_token' ? 'the provider does not know this token' : `the provider refuses this token: ${answer.detail}`, '/token');
  return new Problem(503, 'provider_unavailable', 'the payment provider does not answer; nothing was attached', { retryAfterSeconds: RETRY_AFTER_SECONDS });
};

/** Makes a token ready to be charged at its provider, once under one key. Refuses with `unknown_token`, `token_refused`, and 503 `provider_unavailable`. */
export const attachAt = async (service: Service, provider: PaymentProvider, { tenant, account, key, token }: { readonly tenant: string; readonly account: KnownAccount; readonly key: string; readonly token: string }): Promise<CardAtProvider> => {
  const { signal } = new AbortController();
  const who = await customerOf(service, provider, { tenant, accountId: account.accountId, now: account.now }, signal);
  if (who.status !== 'made') throw problemOf(who);
  const attached = await provider.attach({ tenant, now: account.now, key, customer: who.reference, token }, signal);
  if (attached.status !== 'attached') throw problemOf(attached);
  const { status: _status, customer: _customer, createdAt: _createdAt, ...details } = attached;
  return details;
};
