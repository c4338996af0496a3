import type { TaxRateCreated } from '@valueverse/contracts';
import { ident, tableOf, type Tx } from '@valueverse/event-log';
import { itemId, itemsModel, type ItemRow } from '../catalog/item.model';
import { oncePerTx } from '../once-per-tx';
import { builtInTaxes, type KnownTaxRate } from './domain/built-in-taxes';
import type { TaxEngine, TaxQuestion } from './tax-engine';

/** The rates that the question can lead to: of the country, and those that are named. */
const ratesFor = async (tx: Tx, tenant: string, { customer, lines, settingsRateKeys }: TaxQuestion): Promise<readonly KnownTaxRate[]> => {
  const named = new Set([...lines.flatMap(({ chargeRateKeys = [], planRateKeys = [] }) => [...chargeRateKeys, ...planRateKeys]), ...(customer.taxRateKeys ?? []), ...settingsRateKeys]);
  const country = customer.address?.country;
  if (named.size === 0 && country === undefined) return [];
  const { rows } = await tx.query<{ row: ItemRow<TaxRateCreated> }>(
    `SELECT row FROM ${ident(tableOf(itemsModel))} WHERE tenant = $1 AND (key = ANY($2) OR country = $3)`, [tenant, [...named].map((key) => itemId('tax_rate', key)), country ?? null]);
  return rows.map(({ row: { key, name, said: { rate, jurisdiction, taxCode, validFrom, validTo }, archivedAt } }) => ({
    key, name, rate, isArchived: archivedAt !== null, ...(jurisdiction === undefined ? {} : { jurisdiction }), ...(taxCode === undefined ? {} : { taxCode }),
    ...(validFrom === undefined ? {} : { validFrom }), ...(validTo === undefined ? {} : { validTo }),
  }));
};

const ratesOf = oncePerTx<readonly KnownTaxRate[]>();
/** Many invoices of a run ask for the same. */
const ratesOnce = (tx: Tx, tenant: string, question: TaxQuestion): Promise<readonly KnownTaxRate[]> => {
  const { customer, lines, settingsRateKeys } = question;
  const named = [...new Set(lines.flatMap(({ chargeRateKeys = [], planRateKeys = [] }) => [...chargeRateKeys, ...planRateKeys]))].sort();
  return ratesOf(tx, JSON.stringify([tenant, customer.address?.country ?? null, customer.taxRateKeys ?? [], settingsRateKeys, named]), () => ratesFor(tx, tenant, question));
};

/** Taxes by the rates of the catalogue. */
export const builtInEngine: TaxEngine = {
  name: 'built-in',
  taxesOf: async (tx, tenant, question) => builtInTaxes(await ratesOnce(tx, tenant, question), question),
};
