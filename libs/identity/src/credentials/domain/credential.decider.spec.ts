import { given } from '@valueverse/testing';
import { organization } from '../../organizations/domain/organization.decider';
import { credential, type CredentialEvent, type IssueCredential } from './credential.decider';

const AT = '2026-01-01T00:00:00Z';
const facts = { keyId: 'key_1', organizationId: 'org_1', environment: 'test' as const, kind: 'secret' as const, name: 'first', prefix: 'vv_test_sk_12345678', digest: 'd', scopes: ['billing:read'] };
const issue: IssueCredential = { ...facts, type: 'IssueCredential', at: AT };
const issued: CredentialEvent = { ...facts, type: 'CredentialIssued', issuedAt: AT };
const revoked: CredentialEvent = { type: 'CredentialRevoked', keyId: 'key_1', organizationId: 'org_1', revokedAt: AT };

test('a key is issued once', () => {
  given(credential).when(issue).then(issued);
  given(credential, issued).when({ ...issue, digest: 'another' }).then();
});
test('a key is revoked once, and for ever', () => {
  given(credential, issued).when({ type: 'RevokeCredential', keyId: 'key_1', at: AT }).then(revoked);
  given(credential, issued, revoked).when({ type: 'RevokeCredential', keyId: 'key_1', at: AT }).then();
  given(credential, issued, revoked).when(issue).then();
});
test('a key that is none is not revoked', () => given(credential).when({ type: 'RevokeCredential', keyId: 'key_1', at: AT }).thenRefused('key_not_found'));
test('an organization is made once', () => {
  const create = { type: 'CreateOrganization' as const, organizationId: 'org_1', name: 'Acme', at: AT };
  const created = { type: 'OrganizationCreated' as const, organizationId: 'org_1', name: 'Acme', createdAt: AT };
  given(organization).when(create).then(created);
  given(organization, created).when(create).then();
});
