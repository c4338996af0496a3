import { microsNumberOfText } from '@valueverse/kernel';
import { SubscriptionChanged, SubscriptionStarted } from '@valueverse/contracts';
import type { Projector, Tx } from '@valueverse/event-log';
import type { Claim, Claims } from './domain/standing';

/** The meter of a claim on all usage of a subject. */
const ALL_METERS = '';

/** All usage of its own subjects, from where it counts. */
const ofItself = (event: SubscriptionStarted | SubscriptionChanged): { readonly subjects: readonly string[]; readonly meterKey: string; readonly from: string }[] =>
  (event.type === 'SubscriptionStarted' ? [{ subjects: event.subjects, meterKey: ALL_METERS, from: event.countFrom ?? event.startsAt }] : []);

/** Who has subscribed to which subject, as billing tells: usage of a subject that nobody has waits. A subject of an account is claimed meter by meter, those of a change of plan too. */
export const subjectClaims: Projector = {
  kind: 'projector', name: 'subject-claims', version: 2, topics: ['billing.subscriptions'], events: [SubscriptionStarted.name, SubscriptionChanged.name], tables: ['usage_subject_claims'],
  project: async (tx, facts) => {
    for (const { tenant, event } of facts) {
      const { subscriptionId, ofAccount = { subjects: [], meters: [] } } = event as SubscriptionStarted | SubscriptionChanged;
      const claims = [...ofItself(event as SubscriptionStarted | SubscriptionChanged), ...ofAccount.meters.map((meter) => ({ subjects: ofAccount.subjects, ...meter }))];
      for (const claim of claims) {
        await tx.query(
          'INSERT INTO usage_subject_claims (tenant, subject, subscription, meter, starts_at) SELECT $1, subject, $3, $4, $5 FROM unnest($2::text[]) g(subject) ON CONFLICT DO NOTHING',
          [tenant, claim.subjects, subscriptionId, claim.meterKey, microsNumberOfText(claim.from)]);
      }
    }
  },
};

/** Subject -> the claims on it. */
export const claimsOf = async (tx: Tx, tenant: string, subjects: readonly string[]): Promise<Claims> => {
  const { rows } = await tx.query<{ subject: string; meter: string; starts_at: bigint }>('SELECT subject, meter, starts_at FROM usage_subject_claims WHERE tenant = $1 AND subject = ANY($2)', [tenant, subjects]);
  const claims = new Map<string, Claim[]>();
  for (const { subject, meter, starts_at: from } of rows) claims.set(subject, [...(claims.get(subject) ?? []), { meterKey: meter === ALL_METERS ? null : meter, from: Number(from) }]);
  return claims;
};
