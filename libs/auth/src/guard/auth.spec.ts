import { Controller, Get, Module, UseGuards } from '@nestjs/common';
import { createTestDatabase, eventually, type TestDatabase } from '@valueverse/testing';
import { IDENTITY_EVENTS, type CredentialIssued, type CredentialRevoked } from '@valueverse/contracts';
import { Codec, PostgresFeed, recordOf } from '@valueverse/event-log';
import { createHost, createLogger, HealthRegistry, LocalFanOut, Metrics, Service, systemClock, type Host, type RateLimiter } from '@valueverse/platform';
import { authFor, type ServiceAuth } from '../auth.module';
import type { Caller } from '../caller';
import { CREDENTIALS } from '../keys/credential-table';
import { digestKeyOf, digestOf, newKeyText, type KeyKind } from '../keys/key-text';
import { KEY_LIMIT } from './admit';
import { Allow, AuthGuard, CurrentCaller } from './auth.guard';

const TIMEOUT_MS = 30_000;
const MASTER_KEY = Buffer.alloc(32, 7);
const NOW = '2026-01-01T00:00:00Z';
const OPERATOR = 'operator-token';
const SERVICE = 'service-token';

@Controller('things')
class ThingsController {
  @Get() @Allow('billing:read') read(@CurrentCaller() caller: Caller) { return caller; }
  @Get('operator') @Allow('operator') operator() { return {}; }
  @Get('service') @Allow('service') service() { return {}; }
  @Get('bare') @UseGuards(AuthGuard) bare() { return {}; }
}
@Controller('twice')
@Allow('billing:read')
class TwiceController {
  @Get() @Allow('billing:write') write() { return {}; }
}

let test_: TestDatabase;
let feed: PostgresFeed;
let service: Service;
let host: Host;
let appended = 0n;
/** The position of the last fact, by partition. */
const last = new Map<number, bigint>();
const taken: string[] = [];
let allowed = true;
const limiter: RateLimiter = { take: async (key) => { taken.push(key); return { allowed, remaining: allowed ? 41 : 0, waitSeconds: 3 }; } };

const serviceOn = (url: string): Service => new Service({
  name: 'payments', databaseUrl: url, feed, masterKey: MASTER_KEY, clock: systemClock, logger: createLogger({ service: 'payments', level: 'silent' }), health: new HealthRegistry(),
  metrics: new Metrics(), fanOut: new LocalFanOut(), anchors: { append: async () => undefined, read: async () => [] }, contexts: [{ name: 'auth', definitions: [...IDENTITY_EVENTS], readModels: [], migrations: [CREDENTIALS] }],
});
const hostFor = ({ module }: ServiceAuth): Promise<Host> => {
  @Module({ imports: [module], controllers: [ThingsController, TwiceController] })
  class ThingsModule {}
  return createHost({ service: 'things', module: ThingsModule, port: 0, cursorSecret: 'cursor', logger: createLogger({ service: 'things', level: 'silent' }), rateLimiter: limiter });
};
const authOf = (owner: Service): ServiceAuth => authFor(owner, { digestKey: digestKeyOf(MASTER_KEY), operatorToken: OPERATOR, serviceToken: SERVICE });

beforeEach(async () => {
  test_ = await createTestDatabase(async (url) => {
    feed = new PostgresFeed(url);
    await feed.ensureTopics();
    const preparing = serviceOn(url);
    await preparing.migrate();
    await Promise.all([preparing.database.close(), feed.close()]);
  }, 'auth');
  feed = new PostgresFeed(test_.url);
  service = serviceOn(test_.url);
  const auth = authOf(service);
  service.use([{ consumers: auth.consumers, jobs: [] }]);
  host = await hostFor(auth);
  [appended, allowed] = [0n, true];
  taken.length = 0;
  last.clear();
}, TIMEOUT_MS);
afterEach(async () => {
  await host.close();
  await service.stop();
  await feed.close();
  await test_.drop();
}, TIMEOUT_MS);

/** Puts a fact of identity on its topic, as billing's relay would. */
const publish = async (event: CredentialIssued | CredentialRevoked, version: number): Promise<void> => {
  const stream = `key-${event.keyId}`;
  const fact = new Codec('billing', [...IDENTITY_EVENTS]).encode(event, stream, version, { tenant: 'platform', at: NOW, actor: 'test' }, NOW);
  const previous = last.get(fact.partition) ?? 0n;
  appended += 1n;
  last.set(fact.partition, appended);
  await feed.append('identity.credentials', fact.partition, [recordOf({ ...fact, position: appended }, previous)]);
};
const issue = async (more: { kind?: KeyKind; scopes?: string[]; subjects?: string[] } = {}): Promise<{ text: string; keyId: string }> => {
  const { text, prefix } = newKeyText('test', more.kind ?? 'secret');
  const keyId = `key_${appended}`;
  await publish({ type: 'CredentialIssued', keyId, organizationId: 'org_1', environment: 'test', kind: more.kind ?? 'secret', name: 'a key', prefix, digest: digestOf(digestKeyOf(MASTER_KEY), text), scopes: more.scopes ?? ['billing:read'], issuedAt: NOW, ...(more.subjects === undefined ? {} : { subjects: more.subjects }) }, 1);
  return { text, keyId };
};
const revoke = (keyId: string): Promise<void> => publish({ type: 'CredentialRevoked', keyId, organizationId: 'org_1', revokedAt: NOW }, 2);
const ask = async (key: string | undefined, path = '/things', on = host) => {
  const { statusCode, headers, payload } = await on.app.inject({ method: 'GET', url: path, headers: key === undefined ? {} : { authorization: `Bearer ${key}` } });
  return { status: statusCode, headers, body: JSON.parse(payload) as { code?: string; tenant?: string; actor?: string; subjects?: string[] } };
};
const until = (status: number, key: string, on = host) => eventually(`the answer ${status}`, async (saw) => {
  const answer = await ask(key, '/things', on);
  saw(answer);
  return answer.status === status ? answer : undefined;
}, { timeoutMs: 5_000 });

test('nobody is a stranger while a credential is set aside', async () => {
  const { isTenant } = authOf(service);
  await issue();
  service.start();
  await eventually('the tenant to be known', async () => ((await isTenant('org_1:test').catch(() => false)) ? true : undefined), { timeoutMs: 5_000 });
  expect(await isTenant('org_2:test')).toBe(false);
  await service.database.transaction({ role: 'worker' }, (tx) => tx.query(`INSERT INTO parked_streams (consumer, tenant, stream, reason) VALUES ('credentials@1', 'platform', 'key-x', 'a test')`));
  await expect(isTenant('org_2:test')).rejects.toMatchObject({ code: 'not_yet_known' });
  expect(await isTenant('org_1:test')).toBe(true);
});

test('a key that this service has not heard of yet is asked again for, never refused; an unknown one is refused', async () => {
  const { text } = await issue();
  expect(await ask(text)).toMatchObject({ status: 503, body: { code: 'credentials_behind' }, headers: { 'retry-after': '1' } });
  service.start();
  expect((await until(200, text)).body).toMatchObject({ tenant: 'org_1:test', actor: 'key_0' });
  expect(await ask(newKeyText('test', 'secret').text)).toMatchObject({ status: 401, body: { code: 'invalid_credential' }, headers: { 'www-authenticate': 'Bearer' } });
  expect(await ask(`${text.slice(0, -1)}${text.endsWith('0') ? '1' : '0'}`)).toMatchObject({ status: 401, body: { code: 'invalid_credential' } });
  for (const wrong of [undefined, 'x', '']) expect((await ask(wrong)).status).toBe(401);
}, TIMEOUT_MS);

test('while the feed does not answer an unknown key may still be on its way', async () => {
  service.start();
  await feed.close();
  expect(await ask(newKeyText('test', 'secret').text)).toMatchObject({ status: 503, body: { code: 'credentials_behind' } });
}, TIMEOUT_MS);

test('a revoked key is refused within five seconds, also by a process that did not hear of it itself', async () => {
  const { text, keyId } = await issue();
  service.start();
  const deaf = serviceOn(test_.url);
  const deafHost = await hostFor(authOf(deaf));
  await Promise.all([until(200, text), until(200, text, deafHost)]);
  await revoke(keyId);
  const refused = await Promise.all([until(401, text), until(401, text, deafHost)]);
  expect(refused.map(({ body }) => body.code)).toEqual(['credential_revoked', 'credential_revoked']);
  await deafHost.close();
  await deaf.stop();
}, TIMEOUT_MS);

test('a key does what its scopes say; a route without a policy does nothing; the tokens open what is the installation\'s own', async () => {
  const reader = await issue();
  const sender = await issue({ kind: 'publishable', scopes: ['usage:write'], subjects: ['s1'] });
  service.start();
  await until(200, reader.text);
  expect(await ask(sender.text)).toMatchObject({ status: 403, body: { code: 'permission_missing' } });
  expect((await ask(reader.text, '/twice')).status).toBe(403);
  for (const key of [reader.text, OPERATOR, SERVICE]) expect((await ask(key, '/things/bare')).status).toBe(403);
  for (const path of ['operator', 'service']) {
    expect((await ask(reader.text, `/things/${path}`)).status).toBe(403);
    expect((await ask(path === 'operator' ? OPERATOR : SERVICE, `/things/${path}`)).status).toBe(200);
    expect((await ask(path === 'operator' ? SERVICE : OPERATOR, `/things/${path}`)).status).toBe(403);
  }
}, TIMEOUT_MS);

test('each key has its rate, told in the headers; what exceeds it waits, the installation\'s own is not counted', async () => {
  const { text } = await issue({ scopes: ['billing:read', 'billing:write'] });
  service.start();
  const { headers } = await until(200, text);
  expect([headers['ratelimit-policy'], headers['ratelimit']]).toEqual([`"default";q=${KEY_LIMIT.quota};w=${KEY_LIMIT.windowSeconds}`, '"default";r=41;t=3']);
  taken.length = 0;
  expect((await ask(text, '/twice')).status).toBe(200);
  await ask(OPERATOR, '/things/operator');
  expect(taken).toEqual(['tenant org_1:test key_0']);
  allowed = false;
  expect(await ask(text)).toMatchObject({ status: 429, body: { code: 'rate_limited' }, headers: { 'retry-after': '3', 'ratelimit': '"default";r=0;t=3' } });
}, TIMEOUT_MS);
