import { randomBytes } from 'node:crypto';
import { SealedAnswers } from './sealed-answers';

const answers = new SealedAnswers(randomBytes(32));

test('what was sealed is read again, and its text is not in the seal', () => {
  const sealed = answers.seal({ key: 'vv_test_sk_secret' });
  expect(answers.open(sealed)).toEqual({ key: 'vv_test_sk_secret' });
  expect(Buffer.from(sealed, 'base64').toString('latin1')).not.toContain('secret');
  expect(answers.seal({ key: 'vv_test_sk_secret' })).not.toBe(sealed);
});
test('another secret, or another byte, opens nothing', () => {
  const sealed = answers.seal({ key: 'vv_test_sk_secret' });
  expect(() => new SealedAnswers(randomBytes(32)).open(sealed)).toThrow();
  const bytes = Buffer.from(sealed, 'base64');
  bytes[bytes.length - 1]! ^= 1;
  expect(() => answers.open(bytes.toString('base64'))).toThrow();
});
