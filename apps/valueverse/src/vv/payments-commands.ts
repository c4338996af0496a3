import type { Command } from 'commander';
import { print, sessionOf } from './print';

const WEBHOOKS = '/api/v1/payments/webhook-events';
const PAGE = 100;

interface Webhook { readonly id: string; readonly provider: string; readonly eventId: string; readonly type: string; readonly status: string; readonly reason: string | null; readonly receivedAt: string; readonly times: number }
interface Page<T> { readonly data: readonly T[]; readonly hasMore: boolean }

const webhookLine = ({ id, receivedAt, provider, type, status, reason, times }: Webhook): string => `${id}  ${receivedAt}  ${provider}  ${type}  ${status}${reason === null ? '' : `: ${reason}`}${times === 1 ? '' : `  (came ${times} times)`}`;

export const addWebhooks = (program: Command): void => {
  const webhooks = program.command('webhooks').description('What payment providers announced');
  webhooks.command('list').description('The latest first').option('--status <status>', 'received, handled, noted, refused, unknown_type, unknown_version or failed').action(async ({ status }: { status?: string }, command: Command) => {
    const query = new URLSearchParams({ limit: String(PAGE), ...(status === undefined ? {} : { status }) });
    const { data, hasMore } = await sessionOf(command).tenant().get<Page<Webhook>>(`${WEBHOOKS}?${query.toString()}`);
    print(command, data, () => [...data.map(webhookLine), ...(hasMore ? ['…there are more'] : [])]);
  });
  webhooks.command('show <id>').description('As it came, with its signature').action(async (id: string, _, command: Command) => {
    const found = await sessionOf(command).tenant().get<Webhook & { readonly body: string; readonly signature: string }>(`${WEBHOOKS}/${encodeURIComponent(id)}`);
    print(command, found, () => [webhookLine(found), `signature  ${found.signature}`, found.body]);
  });
  webhooks.command('replay <id>').description('Handles it again').action(async (id: string, _, command: Command) => {
    const done = await sessionOf(command).tenant().post<{ readonly id: string }>(`${WEBHOOKS}/${encodeURIComponent(id)}/replay`, {});
    print(command, done, () => [`${done.id}  is handled again`, `next: vv webhooks show ${done.id}`]);
  });
};

export interface Payout { readonly id: string; readonly provider: string; readonly reference: string; readonly amount: string; readonly currency: string; readonly status: string; readonly arrivesAt: string; readonly charged: string; readonly refunded: string; readonly disputed: string; readonly fees: string; readonly lines: number }
export const payoutLine = ({ provider, reference, amount, currency, status, arrivesAt, charged, refunded, disputed, fees, lines }: Payout): string =>
  `${provider} ${reference}  ${arrivesAt}  ${amount} ${currency}  ${status}  (${lines} lines: charged ${charged}  refunded ${refunded}  disputed ${disputed}  fees ${fees})`;

export const addPayouts = (program: Command): void => {
  program.command('payouts').description('What payment providers have paid out, and what it is made of').command('list').description('The latest first').option('--provider <name>', 'only of this one').action(async ({ provider }: { provider?: string }, command: Command) => {
    const query = new URLSearchParams({ limit: String(PAGE), ...(provider === undefined ? {} : { provider }) });
    const { data, hasMore } = await sessionOf(command).tenant().get<Page<Payout>>(`/api/v1/payments/payouts?${query.toString()}`);
    print(command, data, () => [...data.map(payoutLine), ...(hasMore ? ['…there are more'] : [])]);
  });
};

interface Difference { readonly type: string; readonly kind: string; readonly reference: string; readonly paymentId: string | null; readonly currency: string; readonly here: string | null; readonly there: string | null; readonly owner: string; readonly next: string }
interface Sums { readonly currency: string; readonly charged: string; readonly refunded: string; readonly disputed: string; readonly fees: string; readonly paidOut: string; readonly balance: string }
interface Report { readonly provider: string; readonly agree: boolean; readonly lines: number; readonly sums: readonly Sums[]; readonly differences: readonly Difference[] }

const sumLine = ({ currency, charged, refunded, disputed, fees, paidOut, balance }: Sums): string => `${currency}  charged ${charged}  refunded ${refunded}  disputed ${disputed}  fees ${fees}  paid out ${paidOut}  left ${balance}`;
const differenceLines = ({ type, kind, reference, paymentId, currency, here, there, owner, next }: Difference): string[] => [`${type}  ${kind} ${reference}  here ${here ?? 'nothing'}  there ${there ?? 'nothing'} ${currency}${paymentId === null ? '' : `  ${paymentId}`}`, `  next (${owner}): ${next}`];

export const addReconcile = (program: Command): void => {
  program.command('reconcile').description('Our books against those of others').command('payments').description('Against the balance of a provider; ends with 1 where they differ')
    .option('--provider <name>', 'which one', 'sandbox').requiredOption('--from <instant>').requiredOption('--to <instant>').action(async ({ provider, from, to }: { provider: string; from: string; to: string }, command: Command) => {
      const report = await sessionOf(command).tenant().get<Report>(`/api/v1/payments/reconciliation?${new URLSearchParams({ provider, from, to }).toString()}`);
      print(command, report, () => [...report.sums.map(sumLine), ...report.differences.flatMap(differenceLines), report.agree ? `${report.lines} lines of ${provider} agree with our book` : `${report.differences.length} differences in ${report.lines} lines`]);
      if (!report.agree) process.exitCode = 1;
    });
};
