import type { IdSource } from '@valueverse/kernel';
import { PLATFORM_TENANT, type ServiceReports } from '@valueverse/contracts';
import { instruct, type CommandContext, type Instruction, type Position } from '@valueverse/event-log';
import { digestOf, newKeyText, SECRET_SCOPES, SENDER_SCOPES, type Environment, type KeyKind } from '@valueverse/auth';
import { requestContext, withIdempotency, type IdempotencyScope, type Service } from '@valueverse/platform';
import { credentialDecider, organizationDecider } from './identity.model';
import { SealedAnswers } from './sealed-answers';

/** What a new key is for. `subjects`: of a publishable key, those it sends usage for. */
export interface WantedKey { readonly organizationId: string; readonly environment: Environment; readonly kind: KeyKind; readonly name: string; readonly subjects?: readonly string[] }
/** A key at the only moment at which its text is known. */
export interface NewKey extends WantedKey { readonly id: string; readonly key: string; readonly prefix: string }
/** `ready` once every service knows it; `pending` when one did not say so in time: it works there a moment later. */
export interface Made<T> { readonly made: T; readonly status: 'ready' | 'pending'; readonly replayed: boolean }
/** How a repetition is known: by the `Idempotency-Key` of whoever runs the installation. */
export type Repeatable = Omit<IdempotencyScope, 'tenant'> | undefined;

const CONFIRMED_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 10;

/** Makes organizations and keys, and answers when they work everywhere. */
export class IdentityService {
  private readonly answers: SealedAnswers;

  constructor(private readonly service: Service, private readonly digestKey: Buffer, private readonly ids: IdSource, private readonly reports: () => readonly ServiceReports[]) {
    this.answers = new SealedAnswers(digestKey);
  }

  /** An organization with a secret and a publishable key for each environment. */
  async createOrganization(name: string, actor: string, repeatable: Repeatable): Promise<Made<{ id: string; name: string; keys: NewKey[] }>> {
    const organizationId = this.ids.next('org');
    const at = this.service.clock.now();
    const wanted = (['test', 'live'] as const).flatMap((environment) => (['secret', 'publishable'] as const).map((kind): WantedKey =>
      ({ organizationId, environment, kind, name: `first ${kind} key`, ...(kind === 'publishable' ? { subjects: [] } : {}) })));
    const keys = wanted.map((key) => this.newKey(key));
    return this.make({ id: organizationId, name, keys }, [
      instruct(organizationDecider, { type: 'CreateOrganization', organizationId, name, at }, this.context(actor, at)),
      ...keys.map((key) => this.issue(key, actor, at)),
    ], repeatable);
  }

  async createKey(wanted: WantedKey, actor: string, repeatable: Repeatable): Promise<Made<NewKey>> {
    const key = this.newKey(wanted);
    return this.make(key, [this.issue(key, actor, this.service.clock.now())], repeatable);
  }

  /** Revokes a key for ever. Refuses with `key_not_found`. */
  async revokeKey(keyId: string, actor: string): Promise<'ready' | 'pending'> {
    const at = this.service.clock.now();
    const instructions = [instruct(credentialDecider, { type: 'RevokeCredential' as const, keyId, at }, this.context(actor, at))];
    return this.confirmed(await this.service.log.transact({ role: 'worker' }, async (tx) => (await this.service.log.execute(tx, instructions)).flatMap(({ positions }) => positions)));
  }

  private newKey(wanted: WantedKey): NewKey {
    const { text, prefix } = newKeyText(wanted.environment, wanted.kind);
    return { ...wanted, id: this.ids.next('key'), key: text, prefix };
  }

  private issue({ key, id, ...facts }: NewKey, actor: string, at: string): Instruction {
    const scopes = facts.kind === 'secret' ? SECRET_SCOPES : SENDER_SCOPES;
    return instruct(credentialDecider, { ...facts, type: 'IssueCredential', keyId: id, digest: digestOf(this.digestKey, key), scopes, at }, this.context(actor, at));
  }

  /** Makes something, or finds what the same request made before: its answer is kept sealed, because it holds keys. */
  private async make<T>(wanted: T, instructions: readonly Instruction[], repeatable: Repeatable): Promise<Made<T>> {
    const { made, positions, replayed } = await this.service.log.transact({ role: 'worker' }, async (tx) => {
      let written: Position[] = [];
      const work = async (): Promise<{ status: number; headers: Record<string, string>; body: string }> => {
        written = (await this.service.log.execute(tx, instructions)).flatMap((outcome) => outcome.positions);
        return { status: 201, headers: {}, body: this.answers.seal(wanted) };
      };
      const answer = repeatable === undefined ? { ...(await work()), replayed: false } : await withIdempotency(tx, { ...repeatable, tenant: PLATFORM_TENANT }, work);
      return { made: answer.replayed ? this.answers.open<T>(answer.body as string) : wanted, positions: written, replayed: answer.replayed };
    });
    return { made, status: await this.confirmed(positions), replayed };
  }

  /** Waits until every service has read the facts, so that a new key works wherever it is shown first. */
  private async confirmed(positions: readonly Position[]): Promise<'ready' | 'pending'> {
    const deadline = performance.now() + CONFIRMED_WITHIN_MS;
    let open = this.reports().flatMap((service) => positions.map((position) => ({ service, ...position })));
    while (open.length > 0 && performance.now() < deadline) {
      const known = await Promise.all(open.map(({ service, partition, position }) => service.hasConsumed('identity.credentials', partition, position).catch(() => false)));
      open = open.filter((_, index) => !known[index]);
      if (open.length > 0) await new Promise((resolve) => { setTimeout(resolve, LOOK_EVERY_MS); });
    }
    return open.length === 0 ? 'ready' : 'pending';
  }

  private context(actor: string, at: string): CommandContext { return { tenant: PLATFORM_TENANT, at, actor, traceparent: requestContext()?.traceparent }; }
}
