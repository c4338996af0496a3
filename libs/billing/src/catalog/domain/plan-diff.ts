import { canonicalJson } from '@valueverse/kernel';
import { pointerTo } from '@valueverse/rating';

/** One field that is not the same: a pointer to it, and what it was and is. Absent where there was, or is, nothing. */
export interface FieldChange { readonly field: string; readonly old?: unknown; readonly new?: unknown }
export interface ListDiff { readonly added: readonly unknown[]; readonly removed: readonly unknown[]; readonly changed: readonly { readonly key: string; readonly fields: readonly FieldChange[] }[] }
export interface PlanDiff { readonly fields: readonly FieldChange[]; readonly charges: ListDiff; readonly phases: ListDiff }

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const isSame = (left: unknown, right: unknown): boolean => canonicalJson(left ?? null) === canonicalJson(right ?? null);

/** Down to the single fields; a price of another model is another price as a whole, and so is a list of another length. */
export const fieldChanges = (before: unknown, after: unknown, pointer = ''): readonly FieldChange[] => {
  if (isSame(before, after)) return [];
  const isOtherModel = isObject(before) && isObject(after) && before['model'] !== after['model'];
  if (isObject(before) && isObject(after) && !isOtherModel) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return names.flatMap((name) => fieldChanges(before[name], after[name], pointerTo(pointer, name)));
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) return before.flatMap((one, index) => fieldChanges(one, after[index], pointerTo(pointer, index)));
  return [{ field: pointer, ...(before === undefined ? {} : { old: before }), ...(after === undefined ? {} : { new: after }) }];
};

type Keyed = { readonly key: string };
const listDiff = (before: readonly Keyed[], after: readonly Keyed[]): ListDiff => ({
  added: after.filter(({ key }) => !before.some((one) => one.key === key)),
  removed: before.filter(({ key }) => !after.some((one) => one.key === key)),
  changed: after.flatMap((one) => {
    const old = before.find(({ key }) => key === one.key);
    const fields = old === undefined ? [] : fieldChanges(old, one);
    return fields.length === 0 ? [] : [{ key: one.key, fields }];
  }),
});

interface Diffable { readonly charges: readonly Keyed[]; readonly phases?: readonly Keyed[] }
/** What a plan says otherwise than another one does, or than it did: fields of its own, and charges and phases by their keys. */
export const planDiff = <P extends Diffable>({ charges: oldCharges, phases: oldPhases = [], ...before }: P, { charges, phases = [], ...after }: P): PlanDiff =>
  ({ fields: fieldChanges(before, after), charges: listDiff(oldCharges, charges), phases: listDiff(oldPhases, phases) });

export const isEmptyDiff = ({ fields, ...lists }: PlanDiff): boolean =>
  fields.length === 0 && Object.values(lists).every(({ added, removed, changed }: ListDiff) => added.length + removed.length + changed.length === 0);
