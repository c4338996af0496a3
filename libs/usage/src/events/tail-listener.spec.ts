import type { ListedEvent } from './listed-events';
import { Listener, WAITING_EVENTS_MAX } from './tail-listener';

const event = (id: string, data: unknown = {}): ListedEvent => ({ subject: 'acme', type: 'call', id, data, place: { partition: 1, position: '2', index: 3 } }) as ListedEvent;
const holds = async (): Promise<undefined> => undefined;
const nextOf = async (frames: AsyncGenerator<string>): Promise<string> => (await frames.next()).value as string;

test('a client that does not take what it is told loses the rest, and is told how much', async () => {
  const listener = new Listener({});
  listener.begin();
  const frames = listener.frames(holds);
  expect(await nextOf(frames)).toBe('event: ready\ndata: {}\n\n');
  for (let nth = 0; nth < WAITING_EVENTS_MAX + 17; nth++) listener.tell(event(String(nth)));
  const text = await nextOf(frames);
  expect(text.split('\n\n')).toHaveLength(WAITING_EVENTS_MAX + 2);
  expect(text.startsWith('id: 1-2-3\ndata: {"subject":"acme"')).toBe(true);
  expect(text.endsWith('event: dropped\ndata: {"events":17,"reason":"slow"}\n\n')).toBe(true);
  listener.tell(event('large', 'x'.repeat(999_900)));
  listener.tell(event('too large beside it', 'x'.repeat(1_000)));
  expect(await nextOf(frames)).toMatch(/"events":1,"reason":"slow"/);
  listener.passedOver();
  expect(await nextOf(frames)).toBe('event: dropped\ndata: {"events":null,"reason":"behind"}\n\n');
});

test('it says that it lives, and ends with its credential: what waits is not sent any more', async () => {
  let [nowMs, isRevoked] = [0, false];
  const listener = new Listener({});
  listener.begin();
  const frames = listener.frames(async () => (isRevoked ? { code: 'credential_revoked', detail: 'the key was revoked' } : undefined), () => nowMs);
  await nextOf(frames);
  nowMs += 15_000;
  expect(await nextOf(frames)).toBe(': heartbeat\n\n');
  nowMs += 2_000;
  isRevoked = true;
  listener.tell(event('after'));
  expect(await nextOf(frames)).toBe('event: end\ndata: {"code":"credential_revoked","detail":"the key was revoked"}\n\n');
  expect((await frames.next()).done).toBe(true);
});

test('it wants what it asked for', () => {
  const wants = (filter: object): boolean[] => [{ subject: 'a', type: 'x' }, { subject: 'b', type: 'x' }, { subject: 'a', type: 'y' }].map((one) => new Listener(filter).wants(one));
  expect([wants({}), wants({ subject: 'a' }), wants({ subject: 'a', type: 'y' })]).toEqual([[true, true, true], [true, false, true], [false, false, true]]);
});
