import { canonicalJson, compareInstants, dispatch, durationMicros, isBefore, Refused, type Decider } from '@valueverse/kernel';
import type { BillingSettings, BillingSettingsChanged } from '@valueverse/contracts';
import { TAX_RATE_KEYS_MAX } from '../../catalog/domain/charges';
import { instant, key, list, object, oneOf, optional, type Shape } from '../../catalog/domain/shape';

/** How a tenant bills that has said nothing. */
export const DEFAULT_SETTINGS: Required<BillingSettings> = {
  rounding: 'half_up', taxRounding: 'invoice', inclusiveRounding: 'net', gracePeriod: 'PT1H', paymentTerms: 'P0D', taxRateKeys: [], zeroAmountInvoices: 'issue', lostDisputes: 'reopen',
};
/** 31 days: whoever waits longer for events has the next period's invoice before this one's. */
export const GRACE_PERIOD_HOURS_MAX = 744;
export const PAYMENT_TERMS_DAYS_MAX = 365;
/** Everything that a tenant has said is one row, which each invoice reads: a change every day for nearly three years. */
export const SETTINGS_VERSIONS_MAX = 1_000;
const MICROS_PER_HOUR = 3_600_000_000n;
const DAYS = /^P(\d{1,4})D$/;

/** Of `P14D` the 14; `undefined` for another text, or more days than an invoice may be open. */
export const termsDays = (text: string): number | undefined => {
  const days = Number(DAYS.exec(text)?.[1] ?? NaN);
  return days <= PAYMENT_TERMS_DAYS_MAX ? days : undefined;
};
const isGracePeriod = (text: string): boolean => {
  try {
    const micros = durationMicros(text);
    return micros >= 0n && micros <= BigInt(GRACE_PERIOD_HOURS_MAX) * MICROS_PER_HOUR;
  } catch (error) {
    if (error instanceof Refused) return false;
    throw error;
  }
};
const duration = (fits: (text: string) => boolean, example: string, detail: string): Shape<string> => ({
  json: { type: 'string', example, description: detail },
  read: (value, pointer, faults) => {
    if (typeof value !== 'string' || !fits(value)) faults.push({ pointer, code: 'invalid_duration', detail });
    return value as string;
  },
});

export interface SettingsSpec extends Partial<BillingSettings> { readonly validFrom?: string }
/** The settings of a request. What is not said is the default, not what was said before. */
export const settingsShape: Shape<SettingsSpec> = object<SettingsSpec>({
  rounding: optional(oneOf('half_up', 'half_even')), taxRounding: optional(oneOf('invoice', 'line')), inclusiveRounding: optional(oneOf('net', 'tax')),
  gracePeriod: optional(duration(isGracePeriod, 'PT1H', `hours, minutes and seconds such as "PT1H", at most ${GRACE_PERIOD_HOURS_MAX} hours`)),
  paymentTerms: optional(duration((text) => termsDays(text) !== undefined, 'P14D', `days such as "P14D", at most ${PAYMENT_TERMS_DAYS_MAX}`)),
  taxRateKeys: optional(list(key(), TAX_RATE_KEYS_MAX)), zeroAmountInvoices: optional(oneOf('issue', 'skip')), lostDisputes: optional(oneOf('reopen', 'write_off', 'leave_paid')), validFrom: optional(instant()),
});

/** Says how the tenant bills from `validFrom` on: from now on where it is not said, and from the beginning where nothing was said before. */
export interface ChangeSettings { readonly type: 'ChangeSettings'; readonly settings: BillingSettings; readonly validFrom?: string; readonly at: string }

/** Settings and since when; without `validFrom` since ever. */
export interface SettingsVersion { readonly settings: BillingSettings; readonly validFrom?: string; readonly changedAt: string }

/** Those in force at an instant: of the versions that had begun the latest one, of two that begin together the one that was said later. */
export const settingsInForce = (versions: readonly SettingsVersion[], at: string): SettingsVersion | undefined => versions
  .filter(({ validFrom }) => validFrom === undefined || !isBefore(at, validFrom))
  .reduce<SettingsVersion | undefined>((found, version) => {
    const isLater = found?.validFrom === undefined || (version.validFrom !== undefined && compareInstants(version.validFrom, found.validFrom) >= 0);
    return isLater ? version : found;
  }, undefined);

/** What was said last, and is in force, is not said again. Refuses with `too_many_versions`. */
export const settings: Decider<ChangeSettings, BillingSettingsChanged, readonly SettingsVersion[]> = {
  initial: [],
  decide: dispatch<ChangeSettings, readonly SettingsVersion[], readonly BillingSettingsChanged[]>({
    ChangeSettings: ({ settings: said, validFrom: wanted, at }, versions) => {
      const last = versions.at(-1);
      const isInForce = last !== undefined && (wanted === last.validFrom || (wanted === undefined && !isBefore(at, last.validFrom ?? at)));
      if (isInForce && canonicalJson(last.settings) === canonicalJson(said)) return [];
      if (versions.length >= SETTINGS_VERSIONS_MAX) throw new Refused('too_many_versions', `settings are changed ${SETTINGS_VERSIONS_MAX} times at most`);
      const validFrom = wanted ?? (last === undefined ? undefined : at);
      return [{ type: 'BillingSettingsChanged', settings: said, changedAt: at, ...(validFrom === undefined ? {} : { validFrom }) }];
    },
  }),
  evolve: dispatch<BillingSettingsChanged, readonly SettingsVersion[], readonly SettingsVersion[]>({ BillingSettingsChanged: ({ type: _, ...version }, versions) => [...versions, version] }),
};
