// Planted: whoever looks for an attempt returns before having looked, and the order is bound to no key that could protect it.
const { StripeProvider } = require('../../../dist/providers/stripe/stripe-provider.js');
const { charge } = StripeProvider.prototype;
StripeProvider.prototype.find = async () => ({ status: 'absent' });
StripeProvider.prototype.charge = async function again(order) {
  this.sent = (this.sent ?? 0) + 1;
  return charge.call(this, { ...order, key: `${order.key}:${process.pid}:${this.sent}` });
};
