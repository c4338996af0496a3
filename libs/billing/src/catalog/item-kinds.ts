import { addOnCharge, billingInterval, list, oneOf, optional, text } from '@valueverse/contracts';
import { CREATED } from './domain/item-created';
import { addOn, feature, product, type AddOnSpec, type FeatureSpec, type ProductSpec } from './domain/item-shapes';
import { itemsController } from './items.controller';
import { itemReferences } from './references';

/** Products: names of what is sold. */
export const ProductsController = itemsController<ProductSpec>({
  kind: 'product', path: 'products', name: 'ProductsController', shape: product, references: () => [],
  created: CREATED.product,
  answer: { description: optional(text()) },
});

/** Features: what a customer may use. */
export const FeaturesController = itemsController<FeatureSpec>({
  kind: 'feature', path: 'features', name: 'FeaturesController', shape: feature, references: itemReferences,
  created: CREATED.feature,
  answer: { description: optional(text()), type: oneOf('boolean', 'static', 'metered'), meterKey: optional(text()) },
});

/** Add-ons: charges that are sold beside a plan. */
export const AddOnsController = itemsController<AddOnSpec>({
  kind: 'add_on', path: 'add-ons', name: 'AddOnsController', shape: addOn, references: itemReferences,
  created: CREATED.add_on,
  answer: { currency: text(3), interval: optional(billingInterval), charges: list(addOnCharge), productKey: optional(text()) },
});
