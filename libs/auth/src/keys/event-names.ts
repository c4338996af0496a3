/** What each service needs to know of credentials. */
export const CREDENTIAL_EVENT_NAMES = ['CredentialIssued', 'CredentialRevoked'] as const;
