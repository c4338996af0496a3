import { Money } from '@valueverse/kernel';
import type { PaymentRow } from '../collection/payments';
import type { SandboxObject } from '../providers/sandbox/sandbox-objects';

/** Both books as they stand, and the webhooks that were kept. */
export interface Books { readonly payments: readonly PaymentRow[]; readonly objects: readonly SandboxObject[]; readonly webhooks: readonly string[] }
const FAULTS_MAX = 10;

/** What is wrong between the provider's book and ours, in sentences: the provider's book is the truth about money. */
export const bookFaults = ({ payments, objects, webhooks }: Books, refunds: readonly { readonly paid: string; readonly granted: readonly string[] }[]): string[] => {
  const faults: string[] = [];
  const intents = objects.filter((one) => one.object === 'payment_intent');
  const charges = new Map(objects.filter((one) => one.object === 'charge').map((one) => [one.payment_intent, one]));
  const attempts = new Map(payments.flatMap((row) => row.attempts.map((attempt) => [attempt.providerKey, { row, attempt }])));
  const minor = (amount: string, currency: string): number => Number(Money.parse(amount, currency).minor);
  for (const row of payments) if (!['succeeded', 'failed', 'cancelled'].includes(row.status)) faults.push(`${row.id} is still ${row.status}`);
  const keptBy = new Map<string, number>();
  for (const intent of intents.filter(({ status }) => status === 'succeeded')) {
    const own = attempts.get(intent.metadata['attempt'] ?? '');
    if (own === undefined) { faults.push(`the provider took ${intent.amount} under ${intent.metadata['attempt'] ?? 'no key'}, which no attempt of ours has`); continue; }
    if (own.attempt.status !== 'succeeded' || own.attempt.amount === undefined) faults.push(`the provider took ${intent.amount} under ${own.attempt.providerKey}, which is ${own.attempt.status} here`);
    else if (minor(own.attempt.amount, own.row.currency) !== intent.amount_received) faults.push(`${own.attempt.providerKey} took ${intent.amount_received} there and ${own.attempt.amount} here`);
    const kept = intent.amount_received - (charges.get(intent.id)?.amount_refunded ?? 0);
    keptBy.set(own.row.id, (keptBy.get(own.row.id) ?? 0) + kept);
  }
  for (const row of payments) {
    const kept = keptBy.get(row.id) ?? 0;
    if (kept > minor(row.amount, row.currency)) faults.push(`${row.id} of ${row.amount} was charged twice: the provider keeps ${kept}`);
    const ours = row.attempts.filter(({ status }) => status === 'succeeded').reduce((sum, { amount }) => sum + minor(amount!, row.currency), 0) - minor(row.amountRefunded, row.currency);
    if (ours !== kept) faults.push(`of ${row.id} the provider keeps ${kept}, we say ${ours}`);
  }
  const taken = Map.groupBy(intents.filter(({ status }) => status === 'succeeded'), ({ metadata }) => metadata['payment']);
  for (const [payment, all] of taken) if (all.length > 1) faults.push(`${payment ?? 'a payment'} was charged ${all.length} times, whatever was given back of it`);
  const keys = intents.map(({ metadata }) => metadata['attempt']);
  if (new Set(keys).size !== keys.length) faults.push('one key has two orders at the provider');
  for (const { paid, granted } of refunds) {
    const sum = granted.reduce((total, amount) => total + minor(amount, 'USD'), 0);
    if (sum > minor(paid, 'USD')) faults.push(`refunds of ${sum} were granted at once for a payment of ${paid}`);
  }
  const changed = webhooks.filter((body) => body.endsWith(' ')).length;
  if (changed > 0) faults.push(`${changed} webhooks were kept whose body is not what was signed`);
  return faults.slice(0, FAULTS_MAX);
};
