import { CLOCK_EVENTS, IDENTITY_EVENTS, SERVICES, type ServiceName } from '@valueverse/contracts';
import { billingShape } from '@valueverse/billing';
import { Codec, Database, EventStore, KeyRing, rebuildAndCompare } from '@valueverse/event-log';
import { identityShape } from '@valueverse/identity';
import { notificationsShape } from '@valueverse/notifications';
import { paymentsShape } from '@valueverse/payments';
import type { ContextShape } from '@valueverse/platform';
import { usageShape } from '@valueverse/usage';
import type { World } from './world';

const SHAPES: Readonly<Record<ServiceName, readonly ContextShape[]>> = { usage: [usageShape], billing: [billingShape, identityShape], payments: [paymentsShape], notifications: [notificationsShape] };

/** Builds every read model of every service from its store, and compares it with the live one, byte by byte. */
export const readModelFaults = async (world: World): Promise<string[]> => (await Promise.all(SERVICES.map((service) => modelFaultsOf(world, service)))).flat();

const modelFaultsOf = async (world: World, service: ServiceName): Promise<string[]> => {
  const shapes = SHAPES[service];
  const database = new Database({ url: world.databaseUrl(service), schema: service, schemas: shapes.flatMap(({ schemas }) => schemas ?? []) });
  const definitions = [...new Set([...IDENTITY_EVENTS, ...CLOCK_EVENTS, ...shapes.flatMap((shape) => shape.definitions)])];
  const store = new EventStore(database, new Codec(service, definitions, new KeyRing(world.masterKey)));
  const faults: string[] = [];
  try {
    for (const { readModels, readModelSchema } of shapes) {
      for (const model of readModels) {
        const { live, rebuilt } = await rebuildAndCompare(store, readModelSchema ?? service, model);
        if (live !== rebuilt) faults.push(`the read model ${model.table} of ${service} is not what its facts say`);
      }
    }
  } finally {
    await database.close();
  }
  return faults;
};
