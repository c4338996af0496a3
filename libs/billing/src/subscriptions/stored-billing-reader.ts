import type { BillingPeriods, BillingPeriodsQuestion, BillingPeriodsRefusal, BillingReader } from '@valueverse/contracts';
import { compareInstants, earlierOf, isBefore, laterOf, type Period } from '@valueverse/kernel';
import type { Database, Tx } from '@valueverse/event-log';
import { rowOf } from '@valueverse/platform';
import { loadCatalogue } from './catalogue';
import { soleTimes } from './domain/covered-usage';
import { usageWindows } from './domain/usage-windows';
import { coveringOf, subscriptionsModel, subscriptionsOf, type SubscriptionRow } from './subscription.model';

/** More windows are no answer of one query. */
const PERIODS_MAX = 10_080;

class Refusal extends Error {
  constructor(readonly code: BillingPeriodsRefusal, message: string) { super(message); }
}

/** Answers metering in the same process. */
export class StoredBillingReader implements BillingReader {
  constructor(private readonly database: Database) {}

  async periods(tenant: string, question: BillingPeriodsQuestion): Promise<BillingPeriods> {
    try {
      return { periods: await this.database.transaction({ role: 'api', tenant, readOnly: true }, (tx) => periodsOfAll(tx, tenant, question)) };
    } catch (error) {
      if (error instanceof Refusal) return { refused: error.code, detail: error.message };
      throw error;
    }
  }
}

const periodsOfAll = async (tx: Tx, tenant: string, { subjects, ...question }: BillingPeriodsQuestion): Promise<readonly Period[]> => {
  const all: (readonly Period[])[] = [];
  for (const subject of subjects) all.push(await periodsOf(tx, tenant, { subject, ...question }));
  const [first = [], ...others] = all;
  if (others.some((periods) => JSON.stringify(periods) !== JSON.stringify(first))) throw new Refusal('different_billing_periods', 'the subjects are billed in different periods; ask for one at a time');
  if (first.length > PERIODS_MAX) throw new Refusal('too_many_windows', `at most ${PERIODS_MAX} windows; take a shorter period`);
  return first;
};

interface Asked extends Period { readonly subject: string; readonly meterKey: string }

const usagePeriods = async (tx: Tx, tenant: string, row: SubscriptionRow, asked: Period): Promise<Period[]> => usageWindows(row, (await loadCatalogue(tx, tenant, [row])).courses, asked, PERIODS_MAX).map(({ usage }) => usage);

const periodsOf = async (tx: Tx, tenant: string, asked: Asked): Promise<readonly Period[]> => {
  const { rows } = await tx.query<{ subscription_id: string | null; account_id: string | null }>('SELECT subscription_id, account_id FROM subjects WHERE tenant = $1 AND subject = $2', [tenant, asked.subject]);
  const [owner] = rows;
  if (owner?.subscription_id != null) return usagePeriods(tx, tenant, (await rowOf<SubscriptionRow>(tx, subscriptionsModel, owner.subscription_id))!, asked);
  if (owner?.account_id == null) throw new Refusal('no_subscription', `nobody has subscribed to ${asked.subject}`);
  return periodsOfAccount(tx, tenant, await subscriptionsOf(tx, tenant, owner.account_id), asked);
};

/** The periods of the subscriptions that have the meter, each as far as it is the only one: one may follow another that has ended. */
const periodsOfAccount = async (tx: Tx, tenant: string, rows: readonly SubscriptionRow[], asked: Asked): Promise<readonly Period[]> => {
  const siblings = rows.map(coveringOf);
  const begun = rows.filter((row) => coveringOf(row).ofAccount?.meters.some(({ meterKey, from }) => meterKey === asked.meterKey && isBefore(from, asked.to)));
  if (begun.length === 0) throw new Refusal('no_subscription', `no subscription of the account of ${asked.subject} has the meter ${asked.meterKey} before ${asked.to}`);
  const found: Period[] = [];
  for (const row of begun) {
    for (const sole of soleTimes(coveringOf(row), siblings, asked.meterKey, asked)) found.push(...(await usagePeriods(tx, tenant, row, sole)).map(({ from, to }) => ({ from: laterOf(from, sole.from), to: earlierOf(to, sole.to) })));
  }
  if (found.length > 0) return found.sort((left, right) => compareInstants(left.from, right.from));
  throw new Refusal('ambiguous_subject', `more than one subscription of the account of ${asked.subject} has the meter ${asked.meterKey}`);
};
