import Stripe from 'stripe';
import { signatureOf } from '../providers/sandbox/sandbox-webhooks';
import { signatureFault, TOLERANCE_SECONDS } from './signature';

const SECRET = 'whsec_0123456789abcdef';
const OLD = 'whsec_fedcba9876543210';
const NOW = 1_700_000_000;
const BODY = '{ "id": "evt_1",  "type": "payment_intent.succeeded" }';
const fault = (header: string | undefined, body = BODY, secrets: readonly string[] = [SECRET], now = NOW) => signatureFault(header, Buffer.from(body), secrets, now);
const valid = signatureOf(BODY, [SECRET], NOW);
const v1 = valid.split(',')[1]!;

test.each<[string, string | undefined, string, ReturnType<typeof fault>]>([
  ['right', valid, BODY, undefined],
  ['missing', undefined, BODY, 'missing_signature'], ['empty', '', BODY, 'missing_signature'],
  ['of another secret', signatureOf(BODY, [OLD], NOW), BODY, 'invalid_signature'],
  ['two, of which one is right', signatureOf(BODY, [OLD, SECRET], NOW), BODY, undefined],
  ['of an older scheme only', valid.replace('v1=', 'v0='), BODY, 'invalid_signature'],
  ['301 seconds old', signatureOf(BODY, [SECRET], NOW - TOLERANCE_SECONDS - 1), BODY, 'signature_too_old'], ['301 seconds ahead', signatureOf(BODY, [SECRET], NOW + TOLERANCE_SECONDS + 1), BODY, 'signature_too_old'],
  ['300 seconds old', signatureOf(BODY, [SECRET], NOW - TOLERANCE_SECONDS), BODY, undefined],
  ['of the instant 0', signatureOf(BODY, [SECRET], 0), BODY, 'signature_too_old'], ['of an instant that is a text', `t=now,${v1}`, BODY, 'invalid_signature'], ['without an instant', v1, BODY, 'invalid_signature'],
  ['of another instant', `t=${NOW - 1},${v1}`, BODY, 'invalid_signature'],
  ['of a body that has one more space', valid, `${BODY} `, 'invalid_signature'], ['of a body that was read and written again', valid, JSON.stringify(JSON.parse(BODY)), 'invalid_signature'],
  ['cut short', valid.slice(0, -1), BODY, 'invalid_signature'], ['10 kB long', `${valid},${'x'.repeat(10_000)}`, BODY, 'invalid_signature'],
])('a signature that is %s', (_, header, body, wanted) => expect(fault(header, body)).toBe(wanted));

test('in the time of a change of secrets both are taken', () => {
  for (const secret of [OLD, SECRET]) expect(fault(signatureOf(BODY, [secret], NOW), BODY, [SECRET, OLD])).toBeUndefined();
});
test('no secret takes nothing', () => expect(fault(valid, BODY, [])).toBe('invalid_signature'));
test('what the package of Stripe signs is right', () =>
  expect(fault(new Stripe('sk_test_x').webhooks.generateTestHeaderString({ payload: BODY, secret: SECRET, timestamp: NOW }))).toBeUndefined());
