import { defineEvent, type EventOf } from './event-definition';
import { instant, list, object, oneOf, optional, text } from './schema';

/** The tenant of facts about tenants: organizations and credentials belong to the installation. */
export const PLATFORM_TENANT = 'platform';

export const OrganizationCreated = defineEvent({
  name: 'OrganizationCreated', topic: 'identity.credentials', fact: 'organization.created', data: object({ organizationId: text(), name: text(256), createdAt: instant() }),
});
/** `digest` is all that is kept of the secret: HMAC-SHA256 under a key that lives outside the database. */
export const CredentialIssued = defineEvent({
  name: 'CredentialIssued', topic: 'identity.credentials', fact: 'credential.issued',
  data: object({
    keyId: text(), organizationId: text(), environment: oneOf('test', 'live'), kind: oneOf('secret', 'ingest', 'publishable'), name: text(256), prefix: text(64), digest: text(128),
    scopes: list(text(128)), subjects: optional(list(text(256))), issuedAt: instant(),
  }),
});
export const CredentialRevoked = defineEvent({
  name: 'CredentialRevoked', topic: 'identity.credentials', fact: 'credential.revoked', data: object({ keyId: text(), organizationId: text(), revokedAt: instant() }),
});
export type OrganizationCreated = EventOf<typeof OrganizationCreated>;
export type CredentialIssued = EventOf<typeof CredentialIssued>;
export type CredentialRevoked = EventOf<typeof CredentialRevoked>;

export const IDENTITY_EVENTS = [OrganizationCreated, CredentialIssued, CredentialRevoked] as const;
