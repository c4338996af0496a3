import type { BillingSettings, BillingSettingsChanged } from '@valueverse/contracts';
import { ident, tableOf, type DeciderDefinition, type ReadModel, type Tx } from '@valueverse/event-log';
import { type ChangeSettings, DEFAULT_SETTINGS, settings, settingsInForce, type SettingsVersion } from './domain/settings.decider';

/** A tenant has one row, with all that it said, in the order in which it was said. */
export interface SettingsRow { readonly versions: readonly SettingsVersion[] }
const KEY = 'settings';

export const settingsModel: ReadModel<BillingSettingsChanged, SettingsRow> = {
  table: 'billing_settings', version: 1, key: () => KEY, initial: { versions: [] },
  on: { BillingSettingsChanged: ({ type: _, ...version }, { versions }) => ({ versions: [...versions, version] }) }, sortBy: () => KEY,
};

export const settingsDecider: DeciderDefinition<ChangeSettings, BillingSettingsChanged, readonly SettingsVersion[]> = {
  name: 'billing-settings', decider: settings, stream: () => 'billing-settings', views: [settingsModel],
};

/** Everything that a tenant has said, oldest first. */
export const settingsVersions = async (tx: Tx, tenant: string): Promise<readonly SettingsVersion[]> => {
  const { rows } = await tx.query<{ row: SettingsRow }>(`SELECT row FROM ${ident(tableOf(settingsModel))} WHERE tenant = $1 AND key = $2`, [tenant, KEY]);
  return rows[0]?.row.versions ?? [];
};

/** How a tenant bills at an instant; the defaults where it has said nothing that is in force then. */
export const settingsAt = async (tx: Tx, tenant: string, at: string): Promise<BillingSettings> => settingsInForce(await settingsVersions(tx, tenant), at)?.settings ?? DEFAULT_SETTINGS;
