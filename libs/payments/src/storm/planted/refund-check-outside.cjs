// Planted: what may be given back is looked up before the transaction that gives it back, and not again inside.
const { payment } = require('../../../dist/collection/domain/payment.js');
const { decide } = payment;
payment.decide = (command, state) => decide(command, command.type === 'RequestRefund' ? { ...state, refunds: [] } : state);
