import { instant, object, optional, text, type TypeOf } from './schema';

export const period = object({ from: instant(), to: instant() });
export const postalAddress = object({
  line1: optional(text(256)), line2: optional(text(256)), city: optional(text(256)), postalCode: optional(text(64)), state: optional(text(64)), country: text(2),
});
/** Where a seller is: of a business, not of a person. */
export const businessAddress = object({ street: optional(text(512)), city: optional(text(256)), postalCode: optional(text(64)), state: optional(text(64)), country: text(2) });
export type BusinessAddress = TypeOf<typeof businessAddress>;
export type PostalAddress = TypeOf<typeof postalAddress>;
