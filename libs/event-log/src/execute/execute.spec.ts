import { dispatch, type Decider } from '@valueverse/kernel';
import { defineEvent, object, optional, text, type EventOf } from '@valueverse/contracts';
import { eventually } from '@valueverse/testing';
import { Codec, UnknownFact } from '../codec/codec';
import { Bed, NOW, TENANT, wallClock } from '../contract/bed.spec-kit';
import { parcel, scan, type ParcelScanned, type ScanParcel } from '../contract/parcels.spec-kit';
import { Log } from '../log';
import { ensureStreamViews, rebuildAndCompare } from '../project/build';
import type { ReadModel } from '../project/read-model';
import { EventStore } from '../store/event-store';
import { instruct, type DeciderDefinition, type Instruction, type Outcome } from './execute';

const TIMEOUT_MS = 30_000;
let bed: Bed;
let log: Log;
beforeEach(async () => { bed = await Bed.make(); log = bed.open(); }, TIMEOUT_MS);
afterEach(() => bed.close(), TIMEOUT_MS);

const context = (commandId?: string): Instruction['context'] => ({ tenant: TENANT, at: NOW, actor: 'test', commandId });
const batch = (...instructions: Instruction[]): Promise<Outcome[]> => log.transact({ role: 'worker' }, (tx) => log.execute(tx, instructions));

describe('a batch', () => {
  test('refuses a command id that comes twice with different commands, on one stream or on two', async () => {
    await expect(batch(instruct(parcel, scan('a'), context('c1')), instruct(parcel, scan('b'), context('c1')))).rejects.toMatchObject({ code: 'command_conflict' });
    expect(await bed.facts(log)).toBe(0);
  });

  test('decides several commands of one stream one after the other', async () => {
    const outcomes = await batch(...['c1', 'c2', 'c1'].map((id) => instruct(parcel, scan('a'), context(id))));
    expect(outcomes.map(({ repeated, facts }) => [repeated, facts.map(({ version }) => version)])).toEqual([[false, [1]], [false, [2]], [true, [1]]]);
    expect(outcomes.map(({ positions }) => positions.length)).toEqual([1, 1, 0]);
  });

  test('lets each decider fold for itself, though two belong to one stream', async () => {
    // Counts in a unit of its own: what one decider knows must not be taken for what the other knows.
    const twice: DeciderDefinition<ScanParcel, ParcelScanned, { halves: number }> = { name: 'twice', stream: parcel.stream, decider: {
      initial: { halves: 0 }, decide: ({ parcelId }, { halves }) => [{ type: 'ParcelScanned', parcelId, scan: halves / 2 + 1 }], evolve: ({ scan: count }) => ({ halves: count * 2 }),
    } };
    await batch(instruct(parcel, scan('a'), context()), instruct(twice, scan('a'), context()), instruct(parcel, scan('a'), context()));
    const facts = await log.database.transaction({ role: 'worker' }, (tx) => log.store.read<ParcelScanned>(tx, TENANT, 'parcel-a'));
    expect(facts.map(({ event }) => event.scan)).toEqual([1, 2, 3]);
  });

  test('writes all rows of the streams that it writes, also those that processes of an older release have not written', async () => {
    const byOdd: ReadModel<ParcelScanned, { scans: number }> = {
      table: 'odd_scans', version: 1, key: ({ parcelId, scan: nth }) => `${parcelId}/${nth % 2}`, initial: { scans: 0 }, on: { ParcelScanned: (_, { scans }) => ({ scans: scans + 1 }) }, sortBy: () => '',
    };
    await ensureStreamViews(log.store, 'billing', [byOdd]);
    await batch(...Array.from({ length: 3 }, () => instruct(parcel, scan('a'), context())));
    await batch(instruct({ ...parcel, views: [byOdd] }, scan('a'), context()));
    const { live, rebuilt } = await rebuildAndCompare(log.store, 'billing', byOdd);
    expect(rebuilt).toBe(live);
  });

  test('writes rows in one order, whatever the order of its commands: two of them do not wait for each other', async () => {
    await batch(...['a', 'b'].map((id) => instruct(parcel, scan(id), context())));
    const [held, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const holding = log.database.transaction({ role: 'worker' }, async (tx) => {
      await tx.query(`SELECT FROM parcels_v1 WHERE key = 'a' FOR UPDATE`);
      held.resolve();
      await release.promise;
    });
    await held.promise;
    const writing = batch(...['b', 'a'].map((id) => instruct(parcel, scan(id), context())));
    const look = (sql: string): Promise<number | null> => log.database.transaction({ role: 'worker' }, async (tx) => (await tx.query(sql)).rowCount);
    const free = await eventually('it to wait for the row that is held', async () => (await look(`SELECT FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted`)) === 1 || undefined)
      .then(() => look(`SELECT FROM parcels_v1 WHERE key = 'b' FOR UPDATE SKIP LOCKED`)).finally(release.resolve);
    await Promise.all([holding, writing]);
    expect(free).toBe(1);
  });

  test('with versions that leave one out is refused by the store itself', async () => {
    const fact = (version: number) => log.store.codec.encode({ type: 'ParcelScanned', parcelId: 'a', scan: version } as ParcelScanned, 'parcel-a', version, context(), NOW);
    for (const versions of [[1, 3], [2], [0]]) {
      await expect(log.database.transaction({ role: 'worker' }, (tx) => log.store.append(tx, versions.map(fact)))).rejects.toThrow(/moved on/);
    }
    await log.database.transaction({ role: 'worker' }, (tx) => log.store.append(tx, [1, 2].map(fact)));
    expect(await bed.facts(log)).toBe(2);
  });
});

describe('a fact', () => {
  const NOTED = defineEvent({ name: 'PlanNoted', topic: 'billing.plans', fact: 'plan.noted', data: object({ planId: text(), note: optional(text()) }) });
  type Noted = EventOf<typeof NOTED>;
  interface Note { readonly type: 'Note'; readonly planId: string; readonly note?: string | undefined }
  const decider: Decider<Note, Noted, null> = {
    initial: null, evolve: () => null,
    decide: dispatch<Note, null, readonly Noted[]>({ Note: ({ planId, note }) => [{ type: 'PlanNoted', planId, note } as Noted] }),
  };
  const view: ReadModel<Noted, { planId: string; note?: string | undefined }> = {
    table: 'notes', version: 1, key: ({ planId }) => planId, initial: { planId: '' }, on: { PlanNoted: ({ type: _, ...data }, row) => ({ ...row, ...data }) }, sortBy: ({ planId }) => planId,
  };
  const definition: DeciderDefinition<Note, Noted, null> = { name: 'note', decider, stream: ({ planId }) => `plan-${planId}`, views: [view] };

  test('is folded live as every later reader of its text will fold it, also where a field was left out', async () => {
    const store = new EventStore(log.database, new Codec('billing', [NOTED]));
    const noting = new Log(store, wallClock);
    await ensureStreamViews(store, 'billing', [view]);
    await noting.executeOne(definition, { type: 'Note', planId: 'a', note: 'kept' }, context());
    await noting.executeOne(definition, { type: 'Note', planId: 'a', note: undefined }, context());
    const { live, rebuilt } = await rebuildAndCompare(store, 'billing', view);
    expect(rebuilt).toBe(live);
  });

  test('of a version that is newer than this release is not read as if it were older', () => {
    const codec = new Codec('billing', [NOTED]);
    const body = codec.encode({ type: 'PlanNoted', planId: 'a' } as Noted, 'plan-a', 1, context(), NOW).body;
    expect(() => codec.decode(body.replace('plan.noted.v1', 'plan.noted.v2'))).toThrow(UnknownFact);
  });
});
