import { isBefore } from '@valueverse/kernel';
import { pointerTo, type Fault } from '@valueverse/rating';
import { decimal, instant, key, metadata, object, optional, required, type Shape, text } from '../../catalog/domain/shape';

export interface TaxRateSpec {
  readonly key: string; readonly name: string; readonly rate: string; readonly jurisdiction?: { readonly country: string; readonly state?: string }; readonly taxCode?: string;
  readonly validFrom?: string; readonly validTo?: string; readonly metadata?: Readonly<Record<string, string>>;
}
const COUNTRY = /^[A-Z]{2}$/;

/** Notes `end_before_start` where a validity ends before it begins, or is empty. */
export const checkValidity = ({ validFrom, validTo }: { validFrom?: string; validTo?: string }, pointer: string, faults: Fault[]): void => {
  if (validFrom !== undefined && validTo !== undefined && !isBefore(validFrom, validTo)) faults.push({ pointer: pointerTo(pointer, 'validTo'), code: 'end_before_start', detail: 'ends after it begins' });
};

const fields = object<TaxRateSpec>({
  key: required(key()), name: required(text()), rate: required(decimal('0', '1000')), jurisdiction: optional(object({ country: required(text(2, COUNTRY)), state: optional(text(64)) })), taxCode: optional(text(64)),
  validFrom: optional(instant()), validTo: optional(instant()), metadata: optional(metadata()),
});
/** A tax rate, in percent. */
export const taxRate: Shape<TaxRateSpec> = {
  json: fields.json,
  read: (value, pointer, faults) => {
    const before = faults.length;
    const read = fields.read(value, pointer, faults);
    if (faults.length === before) checkValidity(read, pointer, faults);
    return read;
  },
};
