import { Money, type Instant } from '@valueverse/kernel';
import type { AccountChanged, AccountOpened, BillingSettings, InvoiceItem } from '@valueverse/contracts';
import { ident, streamName, tableOf, type Tx } from '@valueverse/event-log';
import { accountsModel, accountStream, personalIn, type AccountRow, type Personal } from '../accounts/account.model';
import { balancesHeld } from '../balances/balance.model';
import type { BillingHost } from '../billing-host';
import { plansModel, versionOf, type PlanRow } from '../catalog/plan.model';
import { discountsOf } from '../coupons/discounts';
import type { Discount } from '../coupons/domain/discount';
import { redemptionsModel } from '../coupons/redemptions';
import { entityOf, type EntityRow } from '../entities/entity.model';
import { DEFAULT_SETTINGS, settingsInForce, type SettingsVersion } from '../settings/domain/settings.decider';
import { settingsVersions } from '../settings/settings.model';

/**
 * What invoices of one tenant stand on, read once in a transaction however many of them are issued in it. What an invoice of the transaction uses up is used up for the next one: `isIssue` says that balances and
 * redemptions are about to be used, and holds them.
 */
export class InvoiceGround {
  private readonly accounts = new Map<string, AccountRow>();
  private readonly personals = new Map<string, Personal>();
  private readonly plans = new Map<string, PlanRow>();
  private readonly entities = new Map<string, EntityRow | undefined>();
  private readonly balances = new Map<string, Money>();
  private readonly redeeming = new Set<string>();
  private settings: readonly SettingsVersion[] = [];

  private constructor(private readonly tx: Tx, private readonly tenant: string, private readonly isIssue: boolean) {}

  static async of(host: BillingHost, tx: Tx, tenant: string, invoices: readonly { readonly accountId: string; readonly items: readonly InvoiceItem[] }[], isIssue: boolean): Promise<InvoiceGround> {
    const ground = new InvoiceGround(tx, tenant, isIssue);
    const accountIds = [...new Set(invoices.map(({ accountId }) => accountId))];
    const { rows } = await tx.query<{ key: string; row: AccountRow; redeems: boolean }>(
      `SELECT a.key, a.row, EXISTS (SELECT FROM ${ident(tableOf(redemptionsModel))} r WHERE r.tenant = a.tenant AND r.account_id = a.key) AS redeems FROM ${ident(tableOf(accountsModel))} a WHERE a.tenant = $1 AND a.key = ANY($2)`, [tenant, accountIds]);
    for (const { key, row, redeems } of rows) {
      ground.accounts.set(key, row);
      if (redeems) ground.redeeming.add(key);
    }
    const streams = accountIds.map((accountId) => ({ tenant, stream: accountStream(accountId) }));
    const facts = await host.service.log.store.readMany(tx, streams);
    for (const [nth, key] of streams.entries()) ground.personals.set(accountIds[nth]!, personalIn(facts.get(streamName(key))!.map(({ event }) => event as AccountOpened | AccountChanged)));
    if (isIssue) for (const [name, amount] of await balancesHeld(tx, tenant, accountIds)) ground.balances.set(name, amount);
    ground.settings = await settingsVersions(tx, tenant);
    const planKeys = [...new Set(invoices.flatMap(({ items }) => items.flatMap(({ planKey }) => planKey ?? [])))];
    if (planKeys.length > 0) {
      const found = await tx.query<{ row: PlanRow }>(`SELECT row FROM ${ident(tableOf(plansModel))} WHERE tenant = $1 AND key = ANY($2)`, [tenant, planKeys]);
      for (const { row } of found.rows) ground.plans.set(row.planKey, row);
    }
    return ground;
  }

  account(accountId: string): AccountRow { return this.accounts.get(accountId)!; }
  personal(accountId: string): Personal { return this.personals.get(accountId)!; }
  settingsAt(at: Instant): BillingSettings { return settingsInForce(this.settings, at)?.settings ?? DEFAULT_SETTINGS; }

  /** The rates that the plan of an item names. */
  planRateKeys({ planKey, planVersion }: Pick<InvoiceItem, 'planKey' | 'planVersion'>): readonly string[] | undefined {
    const plan = planKey === undefined ? undefined : this.plans.get(planKey);
    return plan === undefined ? undefined : versionOf(plan, planVersion)?.taxRateKeys;
  }

  /** Redemptions that an earlier invoice of the transaction has used are counted. */
  coupons(accountId: string, currency: string, at: Instant): Promise<readonly Discount[]> {
    return this.redeeming.has(accountId) ? discountsOf(this.tx, this.tenant, { accountId, currency, at, isIssue: this.isIssue }) : Promise.resolve([]);
  }

  async seller(entityKey: string | undefined): Promise<EntityRow | undefined> {
    const name = entityKey ?? '';
    if (!this.entities.has(name)) this.entities.set(name, await entityOf(this.tx, this.tenant, entityKey));
    return this.entities.get(name);
  }

  /** What an account has to its credit, where invoices are about to be issued. */
  balance(accountId: string, currency: string): Money { return this.balances.get(`${accountId}/${currency}`) ?? Money.zero(currency); }
  /** What an invoice of the transaction leaves of it. */
  setBalance(accountId: string, currency: string, left: Money): void { this.balances.set(`${accountId}/${currency}`, left); }
}
