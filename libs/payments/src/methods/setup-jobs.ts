import { addDuration, derivedId, parseInstant } from '@valueverse/kernel';
import type { NewJob } from '@valueverse/event-log';
import type { Job, JobHandler, JobResult } from '@valueverse/platform';
import type { Providers } from '../providers/provider';
import type { AttachMethod } from './domain/payment-methods';
import { methodsDecider } from './methods';

export const LOOK_AT_SETUP = 'payments.look-at-setup';
/** `look` counts the looks at a page; `null` for one that a webhook asked for, which is followed by none. */
export interface SetupPayload { readonly provider: string; readonly reference: string; readonly look: number | null }
/** When a page at which a customer enters a card is looked at, should no webhook tell. Pages are over after a day. */
const LOOKS: readonly string[] = ['PT10M', 'PT1H', 'PT6H', 'PT24H'];

export const setupLook = ({ tenant, clockId, now }: Pick<Job, 'tenant' | 'clockId' | 'now'>, payload: SetupPayload & { readonly look: number }): NewJob =>
  ({ id: derivedId('job', LOOK_AT_SETUP, tenant, payload.reference, String(payload.look)), kind: LOOK_AT_SETUP, tenant, clockId, dueAt: addDuration(now, LOOKS[payload.look]!), payload });

/** Attaches the card that a customer has entered at the provider's page. Its id follows from the page: however often it is told, it is attached once. */
export const setupJob = (providers: Providers): JobHandler => ({
  kind: LOOK_AT_SETUP,
  run: async (job: Job<SetupPayload>): Promise<JobResult> => {
    const { tenant, now, payload: { provider: name, reference, look } } = job;
    const provider = providers.find(name);
    if (provider === undefined) throw new Error(`the provider ${name} is not set up here`);
    const found = await provider.readSetup({ tenant, now, reference }, new AbortController().signal);
    switch (found.status) {
      case 'open': return look === null || look + 1 === LOOKS.length ? { outcome: 'done' } : { outcome: 'done', reaction: { jobs: [setupLook(job, { provider: name, reference, look: look + 1 })] } };
      case 'expired': case 'absent': return { outcome: 'done' };
      case 'complete': {
        const { accountId, isDefault, method } = found;
        const command: AttachMethod = { type: 'AttachMethod', methodId: derivedId('pm', tenant, name, reference), accountId, provider: name, ...method, makeDefault: isDefault, at: parseInstant(now) };
        return { outcome: 'done', reaction: { commands: [{ decider: methodsDecider, command }] } };
      }
      default: throw new Error(`the provider does not say what became of the page ${reference}`);
    }
  },
});
