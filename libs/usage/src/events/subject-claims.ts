import { microsNumberOfText } from '@valueverse/kernel';
import { SubscriptionStarted } from '@valueverse/contracts';
import type { Projector, Tx } from '@valueverse/event-log';

/** Who has subscribed to which subject, as billing tells: usage of a subject that nobody has waits. */
export const subjectClaims: Projector = {
  kind: 'projector', name: 'subject-claims', version: 1, topics: ['billing.subscriptions'], events: [SubscriptionStarted.name], tables: ['usage_subject_claims'],
  project: async (tx, facts) => {
    for (const { tenant, event } of facts) {
      const { subscriptionId, subjects, startsAt } = event as SubscriptionStarted;
      await tx.query(
        'INSERT INTO usage_subject_claims (tenant, subject, subscription, starts_at) SELECT $1, subject, $3, $4 FROM unnest($2::text[]) g(subject) ON CONFLICT DO NOTHING',
        [tenant, subjects, subscriptionId, microsNumberOfText(startsAt)]);
    }
  },
};

/** Subject -> when the first subscription to it begins. */
export const claimsOf = async (tx: Tx, tenant: string, subjects: readonly string[]): Promise<ReadonlyMap<string, number>> => {
  const { rows } = await tx.query<{ subject: string; starts_at: bigint }>('SELECT subject, min(starts_at) AS starts_at FROM usage_subject_claims WHERE tenant = $1 AND subject = ANY($2) GROUP BY subject', [tenant, subjects]);
  return new Map(rows.map((row) => [row.subject, Number(row.starts_at)]));
};
