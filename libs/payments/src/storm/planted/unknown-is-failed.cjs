// Planted: an answer that is lost is taken for a decline.
const { StripeProvider } = require('../../../dist/providers/stripe/stripe-provider.js');
const { charge } = StripeProvider.prototype;
StripeProvider.prototype.charge = async function declined(order) {
  const answer = await charge.call(this, order);
  return answer.status === 'unknown' ? { status: 'declined', code: 'timeout', class: 'soft' } : answer;
};
