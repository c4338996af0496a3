import { dispatch, type Decider } from '@valueverse/kernel';
import type { OrganizationCreated } from '@valueverse/contracts';

export interface CreateOrganization { readonly type: 'CreateOrganization'; readonly organizationId: string; readonly name: string; readonly at: string }

/** An organization has two tenants: its test and its live environment. */
export const organization: Decider<CreateOrganization, OrganizationCreated, { exists: boolean }> = {
  initial: { exists: false },
  decide: dispatch<CreateOrganization, { exists: boolean }, readonly OrganizationCreated[]>({
    CreateOrganization: ({ organizationId, name, at }, { exists }) => (exists ? [] : [{ type: 'OrganizationCreated', organizationId, name, createdAt: at }]),
  }),
  evolve: dispatch<OrganizationCreated, { exists: boolean }, { exists: boolean }>({ OrganizationCreated: () => ({ exists: true }) }),
};
