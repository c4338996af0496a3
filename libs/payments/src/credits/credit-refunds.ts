import type { Clock } from '@valueverse/kernel';
import type { BalanceReturned, BalanceReturnRefused } from '@valueverse/contracts';
import { type DomainEvent, type Fact, follow, type Instruction, type Reacting, type Reaction, type Reactor, type Tx } from '@valueverse/event-log';
import { rowOf } from '@valueverse/platform';
import { paymentDecider, type PaymentRow, paymentView } from '../collection/payments';
import { creditDecider, type CreditRefundRow, creditRefundView } from './credits';
import type { ApproveCreditRefund, RefuseCreditRefund, RequestCreditRefund } from './domain/credit-refunds';

/** Where a command about a credit is decided: with the payment that left it, or by itself where it came by hand. */
export const toCredit = (paymentId: string | null, command: RequestCreditRefund | ApproveCreditRefund | RefuseCreditRefund): Pick<Instruction, 'decider' | 'command'> =>
  (paymentId === null ? follow(creditDecider, command) : follow(paymentDecider, { ...command, paymentId }));

/** Goes on when billing has taken the money from the balance, or says that it was used: both are decided there, where invoices take it too. */
export const creditRefunds = (clock: Clock): Reactor => {
  const on = <E extends DomainEvent>(type: E['type'], reacting: Reacting<E>) => ({ [type]: reacting });
  const answered = async (type: 'ApproveCreditRefund' | 'RefuseCreditRefund', refundId: string, { tenant, clockId, at }: Fact, tx: Tx): Promise<Reaction> => {
    const row = await rowOf<CreditRefundRow>({ ...tx, tenant }, creditRefundView, refundId);
    return row === undefined ? {} : { commands: [toCredit(row.paymentId, { type, refundId, creditId: row.creditId, at: clockId === undefined ? clock.now() : at })] };
  };
  return {
    kind: 'reactor', name: 'payments-credit-refunds', topics: ['billing.accounts'],
    on: {
      ...on<BalanceReturned>('BalanceReturned', ({ refundId }, fact, tx) => answered('ApproveCreditRefund', refundId, fact, tx)),
      ...on<BalanceReturnRefused>('BalanceReturnRefused', ({ refundId }, fact, tx) => answered('RefuseCreditRefund', refundId, fact, tx)),
    },
  };
};

/** As it is answered: `succeeded` where the money has gone, by hand where it came by hand; `failed` where the provider could not give it back, and it is the account's again. */
export type CreditRefundAnswer = Omit<CreditRefundRow, 'status'> & { readonly status: 'pending' | 'succeeded' | 'refused' | 'failed' };
export const toCreditRefund = async (tx: Tx, row: CreditRefundRow): Promise<CreditRefundAnswer> => {
  if (row.status !== 'approved') return { ...row, status: row.status };
  if (row.paymentId === null) return { ...row, status: 'succeeded' };
  const refund = (await rowOf<PaymentRow>(tx, paymentView, row.paymentId))?.refunds.find(({ id }) => id === row.id);
  return { ...row, status: refund?.status ?? 'pending', code: refund?.code ?? null, endedAt: refund?.endedAt ?? null };
};
