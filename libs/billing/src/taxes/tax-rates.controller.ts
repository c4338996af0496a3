import { decimal, instant, object, optional, text } from '@valueverse/contracts';
import { CREATED } from '../catalog/domain/item-created';
import { itemsController } from '../catalog/items.controller';
import { taxRate, type TaxRateSpec } from './domain/tax-rate-shape';

/** Tax rates that are kept by hand. A new rate is a new one, with the day from which it is valid. */
export const TaxRatesController = itemsController<TaxRateSpec>({
  kind: 'tax_rate', path: 'tax-rates', name: 'TaxRatesController', shape: taxRate, references: () => [],
  created: CREATED.tax_rate,
  answer: { rate: decimal(), jurisdiction: optional(object({ country: text(2), state: optional(text()) })), taxCode: optional(text()), validFrom: optional(instant()), validTo: optional(instant()) },
});
