/** The version of Stripe's interface that is spoken, pinned: the one of the package `stripe`. */
export const STRIPE_VERSION = '2026-10-28.endive';
