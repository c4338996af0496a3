import { Money } from '@valueverse/kernel';
import type { DisputeRow, PaymentRow } from '../collection/payments';
import type { Dispute, Refund, SandboxObject } from '../providers/sandbox/sandbox-objects';

/** Both books as they stand, and the webhooks that were kept. */
export interface Books { readonly payments: readonly PaymentRow[]; readonly disputes: readonly DisputeRow[]; readonly objects: readonly SandboxObject[]; readonly webhooks: readonly string[] }
const FAULTS_MAX = 10;

/** What is wrong between the provider's book and ours, in sentences: the provider's book is the truth about money. */
export const bookFaults = ({ payments, disputes, objects, webhooks }: Books, refunds: readonly { readonly paid: string; readonly granted: readonly string[] }[]): string[] => {
  const faults: string[] = [];
  const intents = objects.filter((one) => one.object === 'payment_intent');
  const theirDisputes = objects.filter((one) => one.object === 'dispute');
  const charges = new Map(objects.filter((one) => one.object === 'charge').map((one) => [one.payment_intent, one]));
  const attempts = new Map(payments.flatMap((row) => row.attempts.map((attempt) => [attempt.providerKey, { row, attempt }])));
  const minor = (amount: string, currency: string): number => Number(Money.parse(amount, currency).minor);
  for (const row of payments) if (!['succeeded', 'failed', 'cancelled'].includes(row.status)) faults.push(`${row.id} is still ${row.status}`);
  const keptBy = new Map<string, number>();
  const disputed = new Map(theirDisputes.filter(isTaken).map((one) => [one.payment_intent, one.amount]));
  for (const intent of intents.filter(({ status }) => status === 'succeeded')) {
    const own = attempts.get(intent.metadata['attempt'] ?? '');
    if (own === undefined) { faults.push(`the provider took ${intent.amount} under ${intent.metadata['attempt'] ?? 'no key'}, which no attempt of ours has`); continue; }
    if (own.attempt.status !== 'succeeded' || own.attempt.amount === undefined) faults.push(`the provider took ${intent.amount} under ${own.attempt.providerKey}, which is ${own.attempt.status} here`);
    else if (minor(own.attempt.amount, own.row.currency) !== intent.amount_received) faults.push(`${own.attempt.providerKey} took ${intent.amount_received} there and ${own.attempt.amount} here`);
    const kept = intent.amount_received - (charges.get(intent.id)?.amount_refunded ?? 0) - (disputed.get(intent.id) ?? 0);
    keptBy.set(own.row.id, (keptBy.get(own.row.id) ?? 0) + kept);
  }
  for (const row of payments) {
    const kept = keptBy.get(row.id) ?? 0;
    if (kept > minor(row.amount, row.currency)) faults.push(`${row.id} of ${row.amount} was charged twice: the provider keeps ${kept}`);
    const ours = row.attempts.filter(({ status }) => status === 'succeeded').reduce((sum, { amount }) => sum + minor(amount!, row.currency), 0) - minor(row.amountRefunded, row.currency) - minor(row.amountDisputed, row.currency);
    if (ours !== kept) faults.push(`of ${row.id} the provider keeps ${kept}, we say ${ours}`);
  }
  const taken = Map.groupBy(intents.filter(({ status }) => status === 'succeeded'), ({ metadata }) => metadata['payment']);
  for (const [payment, all] of taken) if (all.length > 1) faults.push(`${payment ?? 'a payment'} was charged ${all.length} times, whatever was given back of it`);
  const keys = intents.map(({ metadata }) => metadata['attempt']);
  if (new Set(keys).size !== keys.length) faults.push('one key has two orders at the provider');
  faults.push(...disputeFaults(disputes, theirDisputes), ...refundFaults(payments, objects.filter((one) => one.object === 'refund')));
  for (const { paid, granted } of refunds) {
    const sum = granted.reduce((total, amount) => total + minor(amount, 'USD'), 0);
    if (sum > minor(paid, 'USD')) faults.push(`refunds of ${sum} were granted at once for a payment of ${paid}`);
  }
  const changed = webhooks.filter((body) => body.endsWith(' ')).length;
  if (changed > 0) faults.push(`${changed} webhooks were kept whose body is not what was signed`);
  return faults.slice(0, FAULTS_MAX);
};

/** What the bank has taken. */
const isTaken = ({ status }: Dispute): boolean => status === 'needs_response' || status === 'under_review' || status === 'lost';
const STANDS: Readonly<Record<Dispute['status'], DisputeRow['status']>> = { warning_needs_response: 'inquiry', warning_closed: 'inquiry_closed', needs_response: 'open', under_review: 'open', won: 'won', lost: 'lost' };
/** Each dispute and inquiry stands here as it stands there, and there are no others. */
const disputeFaults = (ours: readonly DisputeRow[], theirs: readonly Dispute[]): string[] => {
  const known = new Map(ours.map((one) => [one.providerReference, one]));
  const other = theirs.flatMap(({ id, status, amount }) => {
    const own = known.get(id);
    return own?.status === STANDS[status] && Number(Money.parse(own.amount, own.currency).minor) === amount ? [] : [`the dispute ${id} of ${amount} is ${status} there and ${own === undefined ? 'not known' : `${own.status} of ${own.amount}`} here`];
  });
  return known.size === theirs.length && ours.length === theirs.length ? other : [...other, `there are ${theirs.length} disputes there and ${ours.length} here`];
};
/** Each refund stands here as it stands there, under one id. */
const refundFaults = (payments: readonly PaymentRow[], theirs: readonly Refund[]): string[] => {
  const own = payments.flatMap(({ refunds }) => refunds);
  return theirs.flatMap(({ id, status, amount, metadata }) => {
    const same = own.filter(({ providerReference, providerKey }) => providerReference === id || providerKey === metadata['key']);
    // One that failed before its money had gone was never ours to know, where we have not made it.
    if (same.length === 0 && status === 'failed' && metadata['key'] === undefined) return [];
    return same.length === 1 && same[0]!.status === status ? [] : [`the refund ${id} of ${amount} is ${status} there and ${same.map((one) => one.status).join(', ') || 'not known'} here`];
  });
};
