import { Money, Refused, type Instant } from '@valueverse/kernel';
import type { InvoiceItem } from '@valueverse/contracts';
import { type Fault, pointerTo } from '@valueverse/rating';
import { decimal, instant, key, list, metadata, object, oneOf, optional, required, text, type Shape } from '../catalog/domain/shape';

const ID_LENGTH_MAX = 64;
const LINES_MAX = 1_000;
const MEMO_LENGTH_MAX = 1_024;
const RATE_KEYS_MAX = 20;
const REASON_LENGTH_MAX = 512;

/** A line by hand: so many at a unit price, or one amount. */
export interface ManualLine {
  readonly description: string; readonly amount?: string; readonly quantity?: string; readonly unitAmount?: string; readonly taxBehavior?: 'exclusive' | 'inclusive'; readonly taxCode?: string; readonly taxRateKeys?: readonly string[];
  readonly servicePeriod?: { readonly from: string; readonly to: string };
}
const periodShape = object<{ from: string; to: string }>({ from: required(instant()), to: required(instant()) });
const lineShape: Shape<ManualLine> = object<ManualLine>({
  description: required(text()), amount: optional(decimal()), quantity: optional(decimal()), unitAmount: optional(decimal()), taxBehavior: optional(oneOf('exclusive', 'inclusive')), taxCode: optional(text(ID_LENGTH_MAX)),
  taxRateKeys: optional(list(key(), RATE_KEYS_MAX)), servicePeriod: optional(periodShape),
});
export interface ManualInvoice { readonly accountId: string; readonly currency?: string; readonly entityKey?: string; readonly memo?: string; readonly lines: readonly ManualLine[]; readonly finalize?: 'now' | 'by_hand'; readonly metadata?: Readonly<Record<string, string>> }
export const manualShape: Shape<ManualInvoice> = object<ManualInvoice>({
  accountId: required(text(ID_LENGTH_MAX)), currency: optional(text(3, /^[A-Z]{3}$/)), entityKey: optional(key()), memo: optional(text(MEMO_LENGTH_MAX)), lines: required(list(lineShape, LINES_MAX, 1)), finalize: optional(oneOf('now', 'by_hand')),
  metadata: optional(metadata()),
});
export interface AddedLines { readonly lines: readonly ManualLine[] }
export const addedShape: Shape<AddedLines> = object<AddedLines>({ lines: required(list(lineShape, LINES_MAX, 1)) });
export interface VoidSpec { readonly reason: string }
export const voidShape: Shape<VoidSpec> = object<VoidSpec>({ reason: required(text(REASON_LENGTH_MAX)) });

const faultsOf = ({ amount, quantity, unitAmount, servicePeriod }: ManualLine, pointer: string, currency: string): Fault[] => {
  const faults: Fault[] = [];
  const isOneAmount = amount !== undefined;
  if (isOneAmount === (unitAmount !== undefined)) faults.push({ pointer: pointerTo(pointer, 'amount'), code: 'amount_or_unit_amount', detail: 'either an amount, or a unitAmount with a quantity' });
  if (isOneAmount && quantity !== undefined) faults.push({ pointer: pointerTo(pointer, 'quantity'), code: 'amount_or_unit_amount', detail: 'an amount is of the whole line' });
  if (servicePeriod !== undefined && servicePeriod.to < servicePeriod.from) faults.push({ pointer: pointerTo(pointer, 'servicePeriod'), code: 'end_before_start', detail: 'a period ends after it begins' });
  try {
    if (isOneAmount) Money.parse(amount, currency);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    faults.push({ pointer: pointerTo(pointer, 'amount'), code: error.code, detail: error.message });
  }
  return faults;
};

/** The items of lines by hand. Every fault at its place: `amount_or_unit_amount`, `end_before_start`, and those of money. */
export const manualItems = (lines: readonly ManualLine[], { currency, at, zone, itemIdOf }: { currency: string; at: Instant; zone: string; itemIdOf: (nth: number) => string }): { items: InvoiceItem[] } | { errors: Fault[] } => {
  const errors = lines.flatMap((line, nth) => faultsOf(line, `/lines/${nth}`, currency));
  if (errors.length > 0) return { errors };
  return {
    items: lines.map(({ description, amount, quantity, unitAmount, taxBehavior, taxCode, taxRateKeys, servicePeriod = { from: at, to: at } }, nth) => ({
      itemId: itemIdOf(nth), kind: 'one_off', aligned: servicePeriod, served: servicePeriod, zone, ...(quantity === undefined ? {} : { quantity }),
      charge: {
        key: `line-${itemIdOf(nth)}`, name: description, type: 'one_off', price: amount === undefined ? { model: 'per_unit', unitAmount: unitAmount! } : { model: 'flat', amount },
        ...(taxBehavior === undefined ? {} : { taxBehavior }), ...(taxCode === undefined ? {} : { taxCode }), ...(taxRateKeys === undefined ? {} : { taxRateKeys }),
      },
    })),
  };
};
