import { derivedId } from '@valueverse/kernel';

/** The id of the one line of an item, or of one of several by what tells it from the others. */
export const lineIdOf = (invoiceId: string, itemId: string, ...which: readonly string[]): string => derivedId('line', invoiceId, itemId, ...which);
