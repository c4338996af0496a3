import { addDuration, derivedId } from '@valueverse/kernel';
import type { NewJob } from '@valueverse/event-log';
import type { Job, JobHandler, JobResult, Service } from '@valueverse/platform';
import type { Providers } from '../providers/provider';

export const DETACH_METHOD = 'payments.detach-method';
/** `look` counts how often an attempt was found under way with it. */
export interface DetachPayload { readonly methodId: string; readonly accountId: string; readonly provider: string; readonly token: string; readonly look: number }
const UNAVAILABLE_PAUSE_MS = 2_000;
/** When it is looked again whether an attempt with the method has ended: by the clock of the account. The last pause is repeated. */
const LOOKS: readonly string[] = ['PT10M', 'PT1H', 'PT6H', 'PT24H'];

export const detachLook = ({ tenant, clockId, dueAt }: Pick<NewJob, 'tenant' | 'clockId' | 'dueAt'>, payload: DetachPayload): NewJob => ({ id: derivedId('job', DETACH_METHOD, tenant, payload.methodId, String(payload.look)), kind: DETACH_METHOD, tenant, clockId, dueAt, payload });

/** Takes a method that was removed here from its customer at the provider, until it is so. An attempt that is under way with it is let end first: its customer may be about to confirm it. */
export const detachJob = (service: Service, providers: Providers): JobHandler => ({
  kind: DETACH_METHOD,
  run: async ({ tenant, clockId, now, payload }: Job<DetachPayload>): Promise<JobResult> => {
    const { methodId, accountId, provider: name, token, look } = payload;
    const provider = providers.find(name);
    if (provider === undefined) throw new Error(`the provider ${name} is not set up here`);
    if (await isInUse(service, tenant, accountId, methodId)) return { outcome: 'done', reaction: { jobs: [detachLook({ tenant, clockId, dueAt: addDuration(now, LOOKS[Math.min(look, LOOKS.length - 1)]!) }, { ...payload, look: look + 1 })] } };
    const answer = await provider.detach({ tenant, now, reference: token }, new AbortController().signal);
    if (answer.status === 'detached') return { outcome: 'done' };
    if (answer.status === 'unavailable') return { outcome: 'wait', afterMs: UNAVAILABLE_PAUSE_MS, reason: answer.reason };
    throw new Error(`the method ${methodId} is not detached at the provider yet: ${answer.status === 'refused' ? answer.detail : answer.reason}`);
  },
});

const isInUse = (service: Service, tenant: string, accountId: string, methodId: string): Promise<boolean> => service.database.transaction({ role: 'api', tenant, readOnly: true }, async (tx) => (await tx.query(
  `SELECT FROM payments p, json_array_elements(p.row->'attempts') a WHERE p.tenant = $1 AND p.account_id = $2 AND p.status IN ('processing', 'unknown', 'requires_action') AND a->>'methodId' = $3 AND a->>'endedAt' IS NULL LIMIT 1`,
  [tenant, accountId, methodId])).rowCount !== 0);
