import type { CredentialIssued, OrganizationCreated } from '@valueverse/contracts';
import type { DeciderDefinition, ReadModel } from '@valueverse/event-log';
import { credential, type Credential, type CredentialCommand, type CredentialEvent } from './credentials/domain/credential.decider';
import { organization, type CreateOrganization } from './organizations/domain/organization.decider';

export interface OrganizationRow { readonly organizationId: string; readonly name: string; readonly createdAt: string }
export type KeyRow = Omit<CredentialIssued, 'type' | 'digest'> & { readonly revokedAt?: string };

export const organizationsModel: ReadModel<OrganizationCreated, OrganizationRow> = {
  table: 'organizations', version: 1, key: ({ organizationId }) => organizationId, initial: {} as OrganizationRow,
  on: { OrganizationCreated: ({ organizationId, name, createdAt }) => ({ organizationId, name, createdAt }) }, sortBy: ({ createdAt }) => createdAt,
};
export const keysModel: ReadModel<CredentialEvent, KeyRow> = {
  table: 'api_keys', version: 1, key: ({ keyId }) => keyId, initial: {} as KeyRow,
  on: {
    CredentialIssued: ({ type: _, digest: __, ...row }) => row,
    CredentialRevoked: ({ revokedAt }, row) => ({ ...row, revokedAt }),
  },
  columns: { organization_id: ({ organizationId }) => organizationId ?? null }, sortBy: ({ issuedAt }) => issuedAt ?? '',
};

export const organizationDecider: DeciderDefinition<CreateOrganization, OrganizationCreated, { exists: boolean }> = {
  name: 'organization', decider: organization, stream: ({ organizationId }) => `organization-${organizationId}`, views: [organizationsModel],
};
export const credentialDecider: DeciderDefinition<CredentialCommand, CredentialEvent, Credential> = {
  name: 'credential', decider: credential, stream: ({ keyId }) => `key-${keyId}`, views: [keysModel],
};
