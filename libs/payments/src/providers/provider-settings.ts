import { Refused } from '@valueverse/kernel';
import { grantSql, ident, tenantPolicySql, type Database, type Tx } from '@valueverse/event-log';
import type { Migration, SealedSecrets } from '@valueverse/platform';

/** How a tenant has set a provider up. `account` is its name there: what is announced for another one is refused. */
export interface ProviderSettings { readonly provider: string; readonly endpointId: string; readonly account: string | null; readonly hasApiKey: boolean; readonly webhookSecrets: number }
interface Secrets { readonly apiKey?: string; readonly webhookSecrets: readonly string[] }
/** Where webhooks of a provider come in, with what they are signed by. */
export interface Endpoint { readonly tenant: string; readonly provider: string; readonly account: string | null; readonly secrets: readonly string[] }

export const PROVIDER_SETTINGS: Migration = {
  number: 113, name: 'settings of providers', sql: (schema) => `
CREATE TABLE ${ident(schema)}.provider_settings (
  tenant text NOT NULL, provider text NOT NULL, endpoint_id text NOT NULL UNIQUE, account text, secrets bytea NOT NULL, PRIMARY KEY (tenant, provider));
${tenantPolicySql(schema, 'provider_settings')}
${grantSql(schema, 'provider_settings')}`,
};

interface Row { readonly tenant: string; readonly provider: string; readonly endpoint_id: string; readonly account: string | null; readonly secrets: Buffer }
/** A change of secrets is known in every process after this time. */
const KNOWN_FOR_MS = 2_000;
const KNOWN_MAX = 10_000;

/** The providers of tenants. Secrets are kept sealed and never answered. */
export class ProviderBook {
  private readonly known = new Map<string, { readonly endpoint: Endpoint; readonly untilMs: number }>();
  constructor(private readonly database: Database, private readonly sealed: SealedSecrets) {}

  async list(tx: Tx, tenant: string): Promise<ProviderSettings[]> {
    const { rows } = await tx.query<Row>('SELECT tenant, provider, endpoint_id, account, secrets FROM provider_settings WHERE tenant = $1 ORDER BY provider', [tenant]);
    return rows.map((row) => this.toApi(row));
  }

  /** Changes what is given; the endpoint stays the same. */
  async put(tx: Tx, tenant: string, provider: string, change: { readonly endpointId: string; readonly apiKey?: string; readonly webhookSecrets?: readonly string[]; readonly account?: string }): Promise<ProviderSettings> {
    const { rows: [before] } = await tx.query<Row>('SELECT tenant, provider, endpoint_id, account, secrets FROM provider_settings WHERE tenant = $1 AND provider = $2 FOR UPDATE', [tenant, provider]);
    const secrets: Secrets = { webhookSecrets: [], ...(before === undefined ? {} : this.open(before)), ...(change.apiKey === undefined ? {} : { apiKey: change.apiKey }), ...(change.webhookSecrets === undefined ? {} : { webhookSecrets: change.webhookSecrets }) };
    const { rows: [row] } = await tx.query<Row>(
      `INSERT INTO provider_settings (tenant, provider, endpoint_id, account, secrets) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (tenant, provider) DO UPDATE SET account = coalesce(excluded.account, provider_settings.account), secrets = excluded.secrets RETURNING tenant, provider, endpoint_id, account, secrets`,
      [tenant, provider, change.endpointId, change.account ?? null, this.sealed.seal(tenant, provider, JSON.stringify(secrets))]);
    this.known.delete(row!.endpoint_id);
    return this.toApi(row!);
  }

  /** The endpoint of a URL; `undefined` when there is none. */
  async endpoint(id: string): Promise<Endpoint | undefined> {
    const known = this.known.get(id);
    if (known !== undefined && known.untilMs > performance.now()) return known.endpoint;
    const row = await this.database.transaction({ role: 'worker', readOnly: true }, async (tx) => (await tx.query<Row>('SELECT tenant, provider, endpoint_id, account, secrets FROM provider_settings WHERE endpoint_id = $1', [id])).rows[0]);
    if (row === undefined) return undefined;
    const endpoint: Endpoint = { tenant: row.tenant, provider: row.provider, account: row.account, secrets: this.open(row).webhookSecrets };
    if (this.known.size >= KNOWN_MAX) this.known.clear();
    this.known.set(id, { endpoint, untilMs: performance.now() + KNOWN_FOR_MS });
    return endpoint;
  }

  /** What a tenant's key at a provider is. Refuses with `provider_not_set_up`. */
  async apiKey(tenant: string, provider: string): Promise<string> {
    const row = await this.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => (await tx.query<Row>('SELECT tenant, provider, endpoint_id, account, secrets FROM provider_settings WHERE tenant = $1 AND provider = $2', [tenant, provider])).rows[0]);
    const apiKey = row === undefined ? undefined : this.open(row).apiKey;
    if (apiKey === undefined) throw new Refused('provider_not_set_up', `there is no key for ${provider}: PUT /api/v1/payments/providers/${provider} takes one`);
    return apiKey;
  }

  private open({ tenant, provider, secrets }: Row): Secrets { return JSON.parse(this.sealed.open(tenant, provider, secrets).toString()) as Secrets; }
  private toApi(row: Row): ProviderSettings {
    const { apiKey, webhookSecrets } = this.open(row);
    return { provider: row.provider, endpointId: row.endpoint_id, account: row.account, hasApiKey: apiKey !== undefined, webhookSecrets: webhookSecrets.length };
  }
}
