// Planted: whoever looks for an attempt returns before having looked: it is never found.
const { StripeProvider } = require('../../../dist/providers/stripe/stripe-provider.js');
StripeProvider.prototype.find = async () => ({ status: 'absent' });
