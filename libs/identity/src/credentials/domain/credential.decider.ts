import { dispatch, Refused, type Decider } from '@valueverse/kernel';
import type { CredentialIssued, CredentialRevoked } from '@valueverse/contracts';

export type CredentialEvent = CredentialIssued | CredentialRevoked;
export type IssueCredential = { readonly type: 'IssueCredential'; readonly at: string } & Omit<CredentialIssued, 'type' | 'issuedAt'>;
export interface RevokeCredential { readonly type: 'RevokeCredential'; readonly keyId: string; readonly at: string }
export type CredentialCommand = IssueCredential | RevokeCredential;
export interface Credential { readonly status: 'absent' | 'active' | 'revoked'; readonly organizationId: string }

/** A key. It is issued once, its text is shown once, and a revocation is for ever. Refuses with `key_not_found`. */
export const credential: Decider<CredentialCommand, CredentialEvent, Credential> = {
  initial: { status: 'absent', organizationId: '' },
  decide: dispatch<CredentialCommand, Credential, readonly CredentialEvent[]>({
    IssueCredential: ({ at, ...facts }, { status }) => (status === 'absent' ? [{ ...facts, type: 'CredentialIssued', issuedAt: at }] : []),
    RevokeCredential: ({ keyId, at }, { status, organizationId }) => {
      if (status === 'absent') throw new Refused('key_not_found', `there is no key ${keyId}`);
      return status === 'revoked' ? [] : [{ type: 'CredentialRevoked', keyId, organizationId, revokedAt: at }];
    },
  }),
  evolve: dispatch<CredentialEvent, Credential, Credential>({
    CredentialIssued: ({ organizationId }) => ({ status: 'active', organizationId }),
    CredentialRevoked: (_, state) => ({ ...state, status: 'revoked' }),
  }),
};
