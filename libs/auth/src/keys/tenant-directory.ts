import { PLATFORM_TENANT } from '@valueverse/contracts';
import { NotYetKnown } from '@valueverse/event-log';
import type { Service } from '@valueverse/platform';
import type { Authenticator } from '../guard/authenticator';

/** Says whether there is a tenant, from this service's own copy of the credentials: each organization has keys from its first day. A tenant never ends. */
export const tenantDirectory = (service: Service, authenticator: Authenticator): ((tenant: string) => Promise<boolean>) => {
  const known = new Set<string>([PLATFORM_TENANT]);
  const hasKeys = async (tenant: string): Promise<boolean> => {
    const { rows } = await service.database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query('SELECT FROM credentials WHERE tenant = $1 LIMIT 1', [tenant]));
    if (rows.length > 0) known.add(tenant);
    return rows.length > 0;
  };
  return async (tenant) => {
    if (known.has(tenant)) return true;
    if (await hasKeys(tenant)) return true;
    const isBehind = await authenticator.isBehind();
    // A key that has arrived between the two looks.
    if (await hasKeys(tenant)) return true;
    if (isBehind || await isIncomplete(service)) throw new NotYetKnown(`the credentials, which may say that there is a tenant ${tenant}, are behind`);
    return false;
  };
};

/** Whether a credential was set aside: its tenant is not known here until it is handled or given up. */
const isIncomplete = async (service: Service): Promise<boolean> => {
  const { rows } = await service.database.transaction({ role: 'worker', readOnly: true }, (tx) => tx.query(`SELECT FROM parked_streams WHERE consumer = 'credentials@1' LIMIT 1`));
  return rows.length > 0;
};
