import type { AddOnCharge } from '@valueverse/contracts';
import { pointerTo } from '@valueverse/rating';
import { charges } from './charges';
import { interval } from './plan-shape';
import { currencyCode, key, metadata, object, oneOf, optional, readAll, required, type Shape, text } from './shape';

const DESCRIPTION_LENGTH_MAX = 1_024;

export interface ProductSpec { readonly key: string; readonly name: string; readonly description?: string; readonly metadata?: Readonly<Record<string, string>> }
export const product: Shape<ProductSpec> = object<ProductSpec>({ key: required(key()), name: required(text()), description: optional(text(DESCRIPTION_LENGTH_MAX)), metadata: optional(metadata()) });

export interface FeatureSpec extends ProductSpec { readonly type: 'boolean' | 'static' | 'metered'; readonly meterKey?: string }
const featureFields = object<FeatureSpec>({
  key: required(key()), name: required(text()), description: optional(text(DESCRIPTION_LENGTH_MAX)), type: required(oneOf('boolean', 'static', 'metered')), meterKey: optional(key()), metadata: optional(metadata()),
});
/** A feature; one that is metered, and no other, names its meter. */
export const feature: Shape<FeatureSpec> = {
  json: featureFields.json,
  read: (value, pointer, faults) => {
    const read = featureFields.read(value, pointer, faults);
    if (read.type === 'metered' && read.meterKey === undefined) faults.push({ pointer: pointerTo(pointer, 'meterKey'), code: 'missing_field', detail: 'a metered feature names its meter' });
    if ((read.type === 'boolean' || read.type === 'static') && read.meterKey !== undefined) faults.push({ pointer: pointerTo(pointer, 'meterKey'), code: 'unknown_field', detail: 'only a metered feature has a meter' });
    return read;
  },
};

export interface AddOnSpec {
  readonly key: string; readonly name: string; readonly currency: string; readonly charges: readonly AddOnCharge[];
  readonly interval?: { readonly unit: 'day' | 'week' | 'month' | 'quarter' | 'year'; readonly count: number }; readonly productKey?: string; readonly metadata?: Readonly<Record<string, string>>;
}
const addOnFields = (currency: string | undefined): Shape<AddOnSpec> => object<AddOnSpec>({
  key: required(key()), name: required(text()), currency: required(currencyCode()), interval: optional(interval()), charges: required(charges(['recurring', 'usage', 'one_off'], currency)),
  productKey: optional(key()), metadata: optional(metadata()),
});
/** An add-on: charges as of a plan, and such as are billed once. */
export const addOn: Shape<AddOnSpec> = {
  json: addOnFields(undefined).json,
  read: (value, pointer, faults) => {
    const said = typeof value === 'object' && value !== null ? (value as { currency?: unknown }).currency : undefined;
    return addOnFields('value' in readAll(currencyCode(), said) ? said as string : undefined).read(value, pointer, faults);
  },
};

export interface ItemChange { readonly name?: string; readonly description?: string | null; readonly metadata?: Readonly<Record<string, string | null>> }
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
/** A merge patch of name, metadata and, where there is one, description: a null removes it, or an entry. A name cannot be removed: `missing_field`. */
export const itemChange = (isDescribed: boolean): Shape<ItemChange> => {
  const fields = object<ItemChange>({ name: optional(text()), ...(isDescribed ? { description: optional(text(DESCRIPTION_LENGTH_MAX)) } : {}), metadata: optional(metadata()) });
  return {
    json: fields.json,
    read: (value, pointer, faults) => {
      const read = fields.read(value, pointer, faults);
      if (!isObject(value)) return read;
      if (value['name'] === null) faults.push({ pointer: pointerTo(pointer, 'name'), code: 'missing_field', detail: 'a name is changed, not removed' });
      const removed = isObject(value['metadata']) ? Object.entries(value['metadata']).filter(([, own]) => own === null) : [];
      return {
        ...read, ...(isDescribed && value['description'] === null ? { description: null } : {}),
        ...(removed.length === 0 ? {} : { metadata: { ...read.metadata, ...Object.fromEntries(removed as [string, null][]) } }),
      };
    },
  };
};
