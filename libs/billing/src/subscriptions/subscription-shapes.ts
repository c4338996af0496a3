import { anything, decimal, flag, instant, key, list, mapOf, metadata, object, oneOf, optional, required, text, whole, zone, type Shape } from '../catalog/domain/shape';

const LOCAL_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$/;
const ID_LENGTH_MAX = 64;
const SUBJECTS_MAX = 100;
const ADD_ONS_MAX = 50;
const TRIAL_DAYS_MAX = 3_650;
const REASON_LENGTH_MAX = 512;
const CHARGES_MAX = 1_000;

const addOn = object<AddOn>({ key: required(key()), quantity: optional(decimal('0')) });
interface AddOn { readonly key: string; readonly quantity?: string }
const prorationOf = object<ProrationSpec>({ granularity: optional(oneOf('day', 'second', 'none', '30_360_actual', '30_360_strict')), prorateBounds: optional(flag()), prorateAmounts: optional(flag()) });
interface ProrationSpec { readonly granularity?: 'day' | 'second' | 'none' | '30_360_actual' | '30_360_strict'; readonly prorateBounds?: boolean; readonly prorateAmounts?: boolean }
const freeOverrides = mapOf(anything({ type: 'object' }), CHARGES_MAX);

export interface StartSpec {
  readonly accountId: string; readonly planKey: string; readonly planVersion?: number; readonly startsAt: string; readonly alignment?: 'anniversary' | 'calendar'; readonly anchor?: string; readonly currency?: string;
  readonly quantity?: string; readonly addOns?: readonly AddOn[]; readonly overrides?: Readonly<Record<string, unknown>>; readonly trialDays?: number; readonly invoiceTogether?: boolean; readonly subjects?: readonly string[];
  readonly countFrom?: string; readonly interimThreshold?: string; readonly externalId?: string; readonly metadata?: Readonly<Record<string, string>>;
}
export const startShape: Shape<StartSpec> = object<StartSpec>({
  accountId: required(text(ID_LENGTH_MAX)), planKey: required(key()), planVersion: optional(whole(1, Number.MAX_SAFE_INTEGER)), startsAt: required(instant()), alignment: optional(oneOf('anniversary', 'calendar')), anchor: optional(text(19, LOCAL_TIME)),
  currency: optional(text(3, /^[A-Z]{3}$/)), quantity: optional(decimal('0')), addOns: optional(list(addOn, ADD_ONS_MAX)), overrides: optional(freeOverrides), trialDays: optional(whole(1, TRIAL_DAYS_MAX)), invoiceTogether: optional(flag()),
  subjects: optional(list(text(), SUBJECTS_MAX)), countFrom: optional(instant()), interimThreshold: optional(decimal('0')), externalId: optional(text()), metadata: optional(metadata()),
});

/** An instant, or `now`, or `period_end`. */
const moment: Shape<string> = {
  json: { type: 'string', description: '`now`, `period_end`, or an instant' },
  read: (value, pointer, faults) => (value === 'now' || value === 'period_end' ? value : instant().read(value, pointer, faults)),
};
export interface ChangeSpec {
  readonly planKey?: string; readonly planVersion?: number; readonly quantity?: string; readonly addOns?: readonly AddOn[]; readonly overrides?: Readonly<Record<string, unknown>>; readonly anchor?: 'keep' | 'reset';
  readonly timezone?: string; readonly proration?: ProrationSpec; readonly at?: string;
}
export const changeShape: Shape<ChangeSpec> = object<ChangeSpec>({
  planKey: optional(key()), planVersion: optional(whole(1, Number.MAX_SAFE_INTEGER)), quantity: optional(decimal('0')), addOns: optional(list(addOn, ADD_ONS_MAX)), overrides: optional(freeOverrides),
  anchor: optional(oneOf('keep', 'reset')), timezone: optional(zone()), proration: optional(prorationOf), at: optional(moment),
});
export interface CancelSpec { readonly at?: string; readonly credit?: 'unused' | 'none'; readonly reason?: string }
export const cancelShape: Shape<CancelSpec> = object<CancelSpec>({ at: optional(moment), credit: optional(oneOf('unused', 'none')), reason: optional(text(REASON_LENGTH_MAX)) });
export interface PauseSpec { readonly at?: string; readonly until?: string; readonly billing?: 'stop' | 'continue' }
export const pauseShape: Shape<PauseSpec> = object<PauseSpec>({ at: optional(moment), until: optional(instant()), billing: optional(oneOf('stop', 'continue')) });
export interface ResumeSpec { readonly at?: string }
export const resumeShape: Shape<ResumeSpec> = object<ResumeSpec>({ at: optional(moment) });
