import type { ElapsedPart, Step } from '@valueverse/rating';

/** A step of a line: of its rating, or what billing takes off it. */
export type ExplainedStep = Step | { readonly kind: 'discount' | 'given_back_before'; readonly amount: string } | { readonly kind: 'interim'; readonly invoiceId: string; readonly amount: string };

/** 1234567.8 as 1,234,567.8. */
export const grouped = (decimal: string): string => {
  const [whole = '', fraction] = decimal.split('.');
  const digits = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
  return fraction === undefined ? digits : `${digits}.${fraction}`;
};

const rangeOf = ({ from, upTo }: { readonly from: string; readonly upTo: string | null }): string => (upTo == null ? `above ${grouped(from)}` : `${grouped(from)} to ${grouped(upTo)}`);
const plusFlat = (flatAmount: string | undefined): string => (flatAmount === undefined ? '' : ` + ${flatAmount}`);
const times = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`;

/** How a promise of a whole period came to what it is in a part of it. */
const promised = (full: string, part: ElapsedPart | undefined): string => {
  if (part === undefined) return full;
  const { start, end } = part;
  return `${full} x (${end.numerator}/${end.denominator} - ${start.numerator}/${start.denominator}) of the period`;
};

const eventsText = ({ freeEvents, paidEvents, unpriced = 0, paidValue, terms }: Extract<Step, { kind: 'events' }>): string => {
  const silent = unpriced === 0 ? '' : `, ${unpriced} without an amount`;
  if (terms.kind === 'dynamic') return `what ${times(paidEvents, 'event')} say${paidEvents === 1 ? 's' : ''} for themselves${terms.multiplier === undefined ? '' : `, x ${terms.multiplier}`}${silent}`;
  const bounds = [terms.minAmountPerEvent === undefined ? '' : `, at least ${terms.minAmountPerEvent}`, terms.maxAmountPerEvent === undefined ? '' : `, at most ${terms.maxAmountPerEvent}`].join('');
  return `${times(paidEvents, 'event')} of ${grouped(paidValue)} together: ${terms.rate ?? '0'}%${terms.fixedAmount === undefined ? '' : ` + ${terms.fixedAmount}`} each${bounds}, ${freeEvents} free${silent}`;
};

/** What a step says, without its amount. A kind that rating has and this does not does not compile. */
const textOf = (step: ExplainedStep): string => {
  switch (step.kind) {
    case 'flat': return 'a fee';
    case 'unit': return `${grouped(step.quantity)} x ${step.unitAmount}`;
    case 'tier': return `${rangeOf(step)}: ${grouped(step.quantity)} x ${step.unitAmount}${plusFlat(step.flatAmount)}`;
    case 'volume': return `all ${grouped(step.quantity)} at the price of ${rangeOf(step)}: ${grouped(step.quantity)} x ${step.unitAmount}${plusFlat(step.flatAmount)}`;
    case 'stair': return `${grouped(step.quantity)}, which is in ${rangeOf(step)}`;
    case 'package': return `${grouped(step.quantity)} in packages of ${grouped(step.packageSize)}: ${grouped(step.packages)} x ${step.packageAmount}`;
    case 'percent': return `${step.rate}% of ${grouped(step.value)}`;
    case 'percent_tier': return `${rangeOf(step)}: ${step.rate}% of ${grouped(step.value)}${plusFlat(step.flatAmount)}`;
    case 'events': return eventsText(step);
    case 'unpriced': return `${grouped(step.quantity)} that have no price`;
    case 'free_units': return `${grouped(step.quantity)} free, of ${grouped(step.freeUnits)}`;
    case 'share': return `of ${step.full} only ${step.numerator}/${step.denominator} of the period`;
    case 'overage': return `${step.above} above the commitment of ${step.committed}${step.part === undefined ? '' : ` (${promised(step.full, step.part)})`}, at ${step.factor} times the price`;
    case 'maximum': return `no more than ${step.maximum}${step.part === undefined ? '' : ` (${promised(step.full, step.part)})`}`;
    case 'minimum': return `the minimum: ${promised(step.full, step.part)}`;
    case 'commitment': return `the commitment: ${promised(step.full, step.part)}`;
    case 'spent': return 'less what was spent';
    case 'whole_fee': return 'a part of that only';
    case 'proration': return `${step.full} x ${step.numerator}/${step.denominator} of the period`;
    case 'given_back_before': return 'less what was given back of it before';
    case 'discount': return 'less the discount that it had';
    case 'interim': return `charged before, by invoice ${step.invoiceId}`;
    case 'rounding': return `rounded ${step.rounding} at the line`;
    default: return JSON.stringify(step satisfies never);
  }
};

/** One line of the sum behind an amount, in words. */
export const stepText = (step: ExplainedStep, currency: string): string => {
  const joint = step.kind === 'flat' ? ' of' : step.kind === 'rounding' || step.kind === 'interim' ? ':' : ' =';
  return `${textOf(step)}${joint} ${step.amount} ${currency}`;
};
