import { derivedId } from '@valueverse/kernel';
import { grantSql, ident, tenantPolicySql, type Database, type JobSink } from '@valueverse/event-log';
import type { Migration } from '@valueverse/platform';

/** What has come of a webhook: `noted` needs nothing of us, `refused` is of another account, of unknown types and versions we know nothing; the last four are kept with their reason. */
export const WEBHOOK_STATUSES = ['received', 'handled', 'noted', 'refused', 'unknown_type', 'unknown_version', 'failed'] as const;
export type WebhookStatus = (typeof WEBHOOK_STATUSES)[number];
export interface ReceivedWebhook { readonly tenant: string; readonly provider: string; readonly endpointId: string; readonly eventId: string; readonly type: string; readonly body: Buffer; readonly signature: string; readonly receivedAt: string }
export interface WebhookRow {
  readonly id: string; readonly provider: string; readonly event_id: string; readonly type: string; readonly body: string; readonly raw: Buffer | null; readonly signature: string; readonly received_at: string; readonly times: number;
  readonly status: WebhookStatus; readonly reason: string | null; readonly nth: bigint;
}

export const WEBHOOK_INBOX: Migration = {
  number: 114, name: 'inbox of webhooks', sql: (schema) => `
CREATE TABLE ${ident(schema)}.webhook_inbox (
  tenant text NOT NULL, id text NOT NULL, nth bigint GENERATED ALWAYS AS IDENTITY, provider text NOT NULL, endpoint_id text NOT NULL, event_id text NOT NULL, type text NOT NULL, body text NOT NULL, signature text NOT NULL,
  received_at timestamptz NOT NULL, times int NOT NULL DEFAULT 1, status text NOT NULL DEFAULT 'received', reason text, PRIMARY KEY (tenant, id));
CREATE INDEX ON ${ident(schema)}.webhook_inbox (tenant, nth);
CREATE INDEX ON ${ident(schema)}.webhook_inbox (tenant, status, nth);
${tenantPolicySql(schema, 'webhook_inbox')}
${grantSql(schema, 'webhook_inbox')}`,
};
/** What is no text is kept as the bytes that came; `body` is then as much of them as is text. */
export const WEBHOOK_BYTES: Migration = { number: 122, name: 'bytes of webhooks', sql: (schema) => `ALTER TABLE ${ident(schema)}.webhook_inbox ADD COLUMN raw bytea;` };
/** Texts of the database have no such character. */
const NUL = /\0/g;
const textOf = (body: Buffer): string => body.toString('utf8').replaceAll(NUL, '\ufffd');
const rawOf = (body: Buffer, text: string): Buffer | null => (Buffer.from(text).equals(body) ? null : body);
/** The type of what is signed and is no event with an id and a type; its id is the SHA-256 of its bytes. */
export const MALFORMED = 'malformed';
export const HANDLE_WEBHOOK = 'payments.handle-webhook';
export interface WebhookPayload { readonly webhookId: string }

const TOGETHER_MAX = 256;
/** More than this wait to be written, and senders are told to come again. */
const WAITING_MAX = 4_096;
export class InboxFull extends Error {}
interface Waiting { readonly webhook: ReceivedWebhook; readonly done: () => void; readonly failed: (error: unknown) => void }

/** Keeps webhooks as they came. Those that come together share one transaction; each is answered when it is durable. */
export class Inbox {
  private waiting: Waiting[] = [];
  private writing = false;
  constructor(private readonly database: Database, private readonly jobs: JobSink) {}

  keep(webhook: ReceivedWebhook): Promise<void> {
    if (this.waiting.length >= WAITING_MAX) return Promise.reject(new InboxFull());
    return new Promise((done, failed) => {
      this.waiting.push({ webhook, done, failed });
      void this.write();
    });
  }

  private async write(): Promise<void> {
    if (this.writing) return;
    this.writing = true;
    try {
      while (this.waiting.length > 0) {
        const taken = this.waiting.splice(0, TOGETHER_MAX);
        await this.writeTogether(taken.map(({ webhook }) => webhook)).then(() => { for (const { done } of taken) done(); }, (error: unknown) => { for (const { failed } of taken) failed(error); });
      }
    } finally {
      this.writing = false;
    }
  }

  private async writeTogether(all: readonly ReceivedWebhook[]): Promise<void> {
    // One that came twice in the same moment is one.
    const each = [...Map.groupBy(all, (one) => idOf(one)).entries()].map(([id, same]) => ({ ...same[0]!, id, times: same.length, text: textOf(same[0]!.body) })).sort((a, b) => (a.id < b.id ? -1 : 1));
    await this.database.transaction({ role: 'worker' }, async (tx) => {
      const { rows } = await tx.query<{ tenant: string; id: string; fresh: boolean }>(
        `INSERT INTO webhook_inbox (tenant, id, provider, endpoint_id, event_id, type, body, signature, received_at, times, raw)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::timestamptz[], $10::int[], $11::bytea[])
         ON CONFLICT (tenant, id) DO UPDATE SET times = webhook_inbox.times + excluded.times RETURNING tenant, id, xmax = 0 AS fresh`,
        [each.map((one) => one.tenant), each.map((one) => one.id), each.map((one) => one.provider), each.map((one) => one.endpointId), each.map((one) => one.eventId), each.map((one) => one.type), each.map((one) => one.text),
          each.map((one) => one.signature), each.map((one) => one.receivedAt), each.map((one) => one.times), each.map((one) => rawOf(one.body, one.text))]);
      const fresh = rows.filter((row) => row.fresh);
      if (fresh.length > 0) await this.jobs.schedule(tx, fresh.map(({ tenant, id }) => ({ id: derivedId('job', HANDLE_WEBHOOK, tenant, id), kind: HANDLE_WEBHOOK, tenant, dueAt: each[0]!.receivedAt, payload: { webhookId: id } satisfies WebhookPayload })));
    });
  }
}
/** An event of a provider is one, however often and to whichever of a tenant's endpoints it is sent. */
export const idOf = ({ tenant, provider, eventId }: Pick<ReceivedWebhook, 'tenant' | 'provider' | 'eventId'>): string => derivedId('whk', tenant, provider, eventId);
