/** What the sandbox does with a charge, beside or instead of taking the money. */
export interface Behaviour {
  /** Declined, with the code that the bank gave. */
  readonly decline?: string;
  /** Declined so often before it works. */
  readonly declineTimes?: number;
  /** Declined with `authentication_required` while the customer is away; with the customer there it has to be confirmed. */
  readonly needsCustomer?: boolean;
  /** The customer has to confirm it. */
  readonly needsAction?: boolean;
  /** The money arrives so many days later. */
  readonly settlesAfterDays?: number;
  /** The customer disputes it so many days later. */
  readonly disputedAfterDays?: number;
  /** The effect happens, and the answer is lost. */
  readonly losesReply?: boolean;
  /** The answer takes so long, in milliseconds. */
  readonly answersAfterMs?: number;
}

const SLOW_MS = 1_500;
const TOKENS: Readonly<Record<string, Behaviour>> = {
  tok_ok: {},
  tok_declined_insufficient_funds: { decline: 'insufficient_funds' },
  tok_declined_expired_card: { decline: 'expired_card' },
  tok_declined_fraud: { decline: 'fraudulent' },
  tok_requires_action: { needsAction: true },
  tok_authentication_required: { needsCustomer: true },
  tok_ok_after_2: { decline: 'insufficient_funds', declineTimes: 2 },
  tok_lost_reply: { losesReply: true },
  tok_slow: { answersAfterMs: SLOW_MS },
  tok_dispute_after_1_day: { disputedAfterDays: 1 },
  tok_pending_3_days: { settlesAfterDays: 3 },
};
export const SANDBOX_TOKENS = Object.keys(TOKENS);
/** A card that a customer has is named after the token that it was made of: `pm_ok_1f..` does what `tok_ok` does. */
const CARD = /^pm_(\w+)_[0-9a-f]{32}$/;
export const isCard = (name: string): boolean => CARD.test(name);
export const cardPrefixOf = (token: string): string => token.replace(/^tok_/, 'pm_');
export const tokenOf = (name: string): string => (isCard(name) ? `tok_${CARD.exec(name)![1]!}` : name);
export const behaviourOf = (name: string): Behaviour | undefined => (Object.hasOwn(TOKENS, tokenOf(name)) ? TOKENS[tokenOf(name)] : undefined);
