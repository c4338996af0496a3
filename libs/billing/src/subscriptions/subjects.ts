import type { Tx } from '@valueverse/event-log';
import { Problem, TextList, textRule } from '@valueverse/platform';

const SUBJECTS_MAX = 100;
const SUBJECT_LENGTH_MAX = 256;

/** A field that names subjects. */
export const Subjects = (description: string): PropertyDecorator => TextList({ optional: true, max: SUBJECTS_MAX, each: textRule(SUBJECT_LENGTH_MAX, 1), description });

/**
 * Takes subjects for a subscription or an account, each once, and answers them. A subject belongs to one of either in its tenant; the table's key decides between two that come at once. Refuses
 * with 409 `subject_taken`.
 */
export const takeSubjects = async (tx: Tx, tenant: string, named: readonly string[], owner: { readonly subscriptionId: string } | { readonly accountId: string }): Promise<string[]> => {
  const subjects = [...new Set(named)];
  const { subscriptionId = null, accountId = null } = owner as { subscriptionId?: string; accountId?: string };
  // In their order, so that two that take the same ones do not wait for each other.
  const { rows } = await tx.query<{ subject: string }>(
    'INSERT INTO subjects (tenant, subject, subscription_id, account_id) SELECT $1, s, $3, $4 FROM unnest($2::text[]) s ORDER BY s ON CONFLICT DO NOTHING RETURNING subject', [tenant, subjects, subscriptionId, accountId]);
  const taken = subjects.find((subject) => !rows.some((row) => row.subject === subject));
  if (taken === undefined) return subjects;
  const pointer = `/subjects/${named.indexOf(taken)}`;
  const detail = `${taken} belongs to another subscription or account`;
  throw new Problem(409, 'subject_taken', detail, { errors: [{ pointer, code: 'subject_taken', detail }] });
};
