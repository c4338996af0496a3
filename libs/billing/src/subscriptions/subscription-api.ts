import { periodContaining, type Instant } from '@valueverse/kernel';
import { addOnChoice, anything, billingInterval, decimal, flag, instant, list, mapOf, nullable, object, oneOf, optional, period, text, whole } from '@valueverse/contracts';
import { termsAt } from './domain/changes';
import type { Catalogue } from './domain/due-items';
import { endOf } from './domain/subscription.decider';
import { statusAt } from './domain/states';
import { overlapOf, stretchAt, stretchesOf } from './domain/timeline';
import { coveringOf, type SubscriptionRow } from './subscription.model';

const TERMS = {
  planKey: text(), planVersion: whole(1), currency: text(3), interval: billingInterval, anchor: object({ local: text(), zone: text() }), quantity: optional(decimal()), addOns: optional(list(addOnChoice)), overrides: optional(mapOf(anything())),
};
export const SUBSCRIPTION = object({
  id: text(), status: oneOf('scheduled', 'trialing', 'active', 'paused', 'cancelled'), accountId: text(), ...TERMS, startsAt: instant(), subjects: list(text()), countFrom: instant(), phase: optional(text()), trialDays: optional(whole(1)),
  invoiceTogether: optional(flag()), interimThreshold: optional(decimal()), externalId: optional(text()), ofAccount: optional(object({ subjects: list(text()), meters: list(object({ meterKey: text(), from: instant(), to: optional(instant()) })) })), metadata: mapOf(text()),
  currentPeriod: optional(period), endsAt: nullable(instant()), cancellation: optional(object({ at: instant(), credit: text(), reason: optional(text()) })), pauses: list(object({ from: instant(), to: nullable(instant()), billing: text() })),
  changes: list(object({ id: text(), at: instant(), ...TERMS })), createdAt: instant(),
});

/** A subscription as it is at an instant, with what is known to come. */
export const subscriptionToApi = (row: SubscriptionRow, catalogue: Catalogue, now: Instant): Record<string, unknown> => {
  const { started, changes, pauses } = row;
  const { subscriptionId, startedAt, startsAt, countFrom = startsAt, accountId, subjects, metadata, trialDays, invoiceTogether, interimThreshold, externalId } = started;
  const stretches = stretchesOf(row, catalogue.courses);
  const stretch = stretchAt(stretches, now);
  const terms = termsAt(row, now);
  const end = endOf(row);
  const current = stretch === undefined ? undefined : overlapOf({ from: startsAt, to: end?.at }, periodContaining(terms.anchor, terms.interval, now).period);
  const { ofAccount } = coveringOf(row);
  return {
    id: subscriptionId, status: statusAt(row, catalogue.courses, now), accountId, ...terms, startsAt, subjects, countFrom, ...(stretch?.phase === undefined ? {} : { phase: stretch.phase.key }),
    ...(trialDays === undefined ? {} : { trialDays }), ...(invoiceTogether === undefined ? {} : { invoiceTogether }), ...(interimThreshold === undefined ? {} : { interimThreshold }), ...(externalId === undefined ? {} : { externalId }), ...(ofAccount === undefined ? {} : { ofAccount }), metadata,
    ...(current === undefined ? {} : { currentPeriod: current }), endsAt: end?.at ?? null, ...(end === undefined ? {} : { cancellation: { at: end.at, credit: end.credit, ...(end.reason === undefined ? {} : { reason: end.reason }) } }),
    pauses: pauses.map(({ from, to, billing }) => ({ from, to: to ?? null, billing })), changes: changes.map(({ changeId, at, terms: own }) => ({ id: changeId, at, ...own })), createdAt: startedAt,
  };
};
