import type { FastifyReply, FastifyRequest } from 'fastify';
import { CommitUnknown } from '@valueverse/event-log';
import { problemOf } from '../problem/problem-of';
import type { Service } from '../service/service';
import { sending, ServiceBed, TENANT, worker } from '../service/service-bed.spec-kit';
import { answerOnce, created } from './once';

const TIMEOUT_MS = 30_000;
let bed: ServiceBed;
let service: Service;
beforeEach(async () => { bed = await ServiceBed.make(); service = bed.open('usage'); }, TIMEOUT_MS);
afterEach(() => bed.close(), TIMEOUT_MS);

const post = async (key: string | undefined, parcelId: string, more: { tenant?: string; before?: () => Promise<void> | void; after?: () => void } = {}): Promise<{ status: number; headers: Record<string, string>; body: unknown }> => {
  const answer = { status: 0, headers: {} as Record<string, string> };
  const reply = { code: (status: number) => { answer.status = status; }, headers: (headers: Record<string, string>) => { answer.headers = headers; } } as unknown as FastifyReply;
  const request = { method: 'POST', url: '/parcels', headers: key === undefined ? {} : { 'idempotency-key': key }, rawBody: Buffer.from(parcelId) } as unknown as FastifyRequest;
  const tenant = more.tenant ?? TENANT;
  const body = await answerOnce(service, { tenant, route: 'POST /parcels', request, reply }, async (tx) => {
    await more.before?.();
    const [outcome] = await service.log.execute(tx, [{ decider: sending, command: { type: 'Send', parcelId } as never, context: { tenant, at: bed.clock.at, actor: 'test' } }]);
    more.after?.();
    return created(`/parcels/${parcelId}`, { id: outcome!.facts[0]!.id });
  });
  return { ...answer, body };
};
const facts = async (): Promise<number> => (await bed.facts(service, 'parcel.sent')).length;

test('a repetition is answered the same and does nothing; another payload is refused; another tenant has keys of its own', async () => {
  const first = await post('k', 'a');
  expect(await post('k', 'a')).toEqual({ ...first, headers: { ...first.headers, 'Idempotency-Replayed': 'true' } });
  expect(await facts()).toBe(1);
  await expect(post('k', 'b')).rejects.toMatchObject({ status: 422, code: 'idempotency_key_reused' });
  expect((await post('k', 'b', { tenant: 'org_2:test' })).status).toBe(201);
  expect(await facts()).toBe(2);
}, TIMEOUT_MS);

test('of many at once one does the work, the others are told so or are given its answer', async () => {
  const answers = await Promise.allSettled(Array.from({ length: 8 }, () => post('k', 'a')));
  for (const answer of answers) if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ status: 409, code: 'idempotency_in_flight' });
  expect(answers.some(({ status }) => status === 'fulfilled')).toBe(true);
  expect(await facts()).toBe(1);
}, TIMEOUT_MS);

test('work that is refused stores nothing, and may be sent again under its key', async () => {
  await expect(post('k', 'a', { after: () => { throw new Error('refused'); } })).rejects.toThrow('refused');
  expect([await facts(), (await worker(service, 'SELECT FROM idempotency_keys')).length]).toEqual([0, 0]);
  expect((await post('k', 'a')).headers).not.toHaveProperty('Idempotency-Replayed');
}, TIMEOUT_MS);

test('who is overtaken decides anew under the same key', async () => {
  let isFirst = true;
  const answer = await post('k', 'a', { after: () => { /* Both streams are read by now. */ }, before: async () => {
    if (!isFirst) return;
    isFirst = false;
    const other = bed.open('usage');
    await new Promise<void>((resolve, reject) => { setImmediate(() => { bed.send(other, 'a').then(() => resolve(), reject); }); });
  } });
  expect(answer.status).toBe(201);
  expect(await facts()).toBe(2);
  expect((await post('k', 'a')).body).toEqual(answer.body);
}, TIMEOUT_MS);

test('a commit that is not known is answered so, and nothing that was not written is called broken', () => {
  expect(problemOf(new CommitUnknown('x')).problem).toMatchObject({ status: 503, code: 'outcome_unknown' });
  expect(problemOf(Object.assign(new Error('terminating connection'), { code: '57P01' })).problem).toMatchObject({ status: 503, code: 'unavailable', headers: { 'Retry-After': '1' } });
});
