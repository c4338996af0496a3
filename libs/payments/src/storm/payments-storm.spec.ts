import { isNightly } from '@valueverse/testing';
import { PaymentStorm } from './storm.spec-kit';

// Real processes that are killed with -9, a provider on a socket with every fault: its book is the truth, and ours agrees with it to the cent.
const [SEEDS, PAYMENTS, KILLS] = isNightly() ? [20, 10_000, 40] : [2, 40, 2];
const TIMEOUT_MS = isNightly() ? 3_600_000 : 420_000;
const PLANTED_PAYMENTS = 40;
/** Each takes a storm of its own: by day the one that costs least is found, at night all of them. */
const PLANTED = [
  ['a new key after a timeout', 'new-key-after-timeout'], ['unknown taken for failed', 'unknown-is-failed'], ['a look that returns early', 'early-return'], ['a signature that is looked at after the body was read', 'signature-after-parse'],
  ['a refund that is checked outside of its transaction', 'refund-check-outside'],
] as const;

test.each(Array.from({ length: SEEDS }, (_, nth) => nth + 1))(`seed %i: ${PAYMENTS} payments, workers killed ${KILLS} times: nobody is charged twice, nothing stays unknown, both books say the same`, async (seed) => {
  expect(await PaymentStorm.run({ seed, payments: PAYMENTS, kills: KILLS })).toEqual([]);
}, TIMEOUT_MS);

test.each(isNightly() ? PLANTED : PLANTED.slice(0, 1))('planted: %s is found', async (_, planted) => {
  expect(await PaymentStorm.run({ seed: 1, payments: PLANTED_PAYMENTS, kills: 0, planted })).not.toEqual([]);
}, TIMEOUT_MS);
