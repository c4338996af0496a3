import { createSocket, type Socket } from 'node:dgram';
import { zstdCompressSync } from 'node:zlib';
import { CompressionCodecs, CompressionTypes, type IHeaders } from 'kafkajs';
import type { Counter } from 'prom-client';
import { eventually, kafkaForTests } from '@valueverse/testing';
import { digestKeyOf, digestOf } from '@valueverse/auth';
import { HostBed, MASTER_KEY, type Answer } from '../host-bed.spec-kit';
import type { Import } from '../imports/imports';
import { KafkaBed } from '../ingress/kafka-bed.spec-kit';
import { md5 } from '../radius/accounting';
import { encodeRequest } from '../radius/domain/authenticator';
import { attribute, type Values } from '../radius/nas.spec-kit';
import type { AnyCase, Case, Datagrams, File, KafkaInput, KeyName, Request } from './cases.spec-kit';

const SECRET = 'a secret of the table';
const ORGANIZATION = 'org_hostile', OTHER = 'org_other';
const BATCH = 'application/cloudevents-batch+json', STRUCTURED = 'application/cloudevents+json';
/** All bad records and good ones are in one partition: one that is stuck would hold up those behind it. */
const PARTITION = 0;
const PERIOD = 'from=1970-01-01T00:00:00Z&to=2200-01-01T00:00:00Z&groupBy=subject';

const goodEvent = (subject: string): string => JSON.stringify({ specversion: '1.0', id: 'good', source: 'hostile', type: 'good', subject, time: '2026-03-01T12:00:00Z', data: { n: 1 } });
const words = (...parts: readonly (string | number | undefined)[]): string => parts.filter((part) => part !== undefined && part !== '').join(' ');
/** What a client of Kafka sends in zstd; kafkajs reads none, and neither must the service have to. */
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async ({ buffer }: { buffer: Buffer }) => zstdCompressSync(buffer),
  decompress: () => { throw new Error('zstd is not read here'); },
});

/** One service with all its ways in, and what each input of the table comes to there. */
export class HostileBed {
  private readonly keys = new Map<KeyName, string>();
  private reading = '';
  private readingOther = '';
  private port = 0;

  private constructor(private readonly host: HostBed, private readonly kafka: KafkaBed | undefined) {}

  static async make(subjects: readonly string[]): Promise<HostileBed> {
    const found = await kafkaForTests();
    const kafka = found.available ? await KafkaBed.make(found.brokers) : undefined;
    const bed = new HostileBed(kafka?.host ?? await HostBed.make(), kafka);
    await bed.prepare(subjects);
    return bed;
  }
  private async prepare(subjects: readonly string[]): Promise<void> {
    const { host, keys } = this;
    [this.reading, this.readingOther, this.port] = [await host.key(ORGANIZATION), await host.key(OTHER), await host.radius()];
    keys.set('own', await host.key(ORGANIZATION, 'ingest')).set('revoked', await host.key(ORGANIZATION, 'ingest')).set('secret', this.reading)
      .set('publishable', await host.key(ORGANIZATION, 'publishable', subjects)).set('of another tenant', await host.key(OTHER, 'ingest'));
    const own = keys.get('own')!;
    keys.set('forged', own.slice(0, -4) + (own.endsWith('aaaa') ? 'bbbb' : 'aaaa'));
    await host.service.database.transaction({ role: 'worker' }, (tx) => tx.query('UPDATE credentials SET revoked = true WHERE digest = $1', [digestOf(digestKeyOf(MASTER_KEY), keys.get('revoked')!)]));
    const made = [
      await host.ask('POST', 'radius/clients', this.reading, { name: 'bng', address: '127.0.0.1', secret: SECRET }),
      ...await Promise.all([this.reading, this.readingOther].flatMap((key) => [{ key: 'good', eventType: 'good', aggregation: 'count' }, { key: 'odd', eventType: 'odd', aggregation: 'count' },
        { key: 'octets', eventType: 'radius.accounting', aggregation: 'sum', valueProperty: '$.totalOctets' }].map((meter) => host.ask('POST', 'meters', key, meter)))),
    ];
    if (made.some(({ status }) => status !== 201)) throw new Error(JSON.stringify(made));
  }
  get hasKafka(): boolean { return this.kafka !== undefined; }

  /** Sends the input of a case and the good event of its subject; answers where the input ended. */
  send(one: AnyCase, subject: string): Promise<string> {
    const good = goodEvent(subject);
    switch (one.way) {
      case 'HTTP': return this.overHttp(one.input(good, subject), good);
      case 'Kafka': return this.overKafka(one, subject);
      case 'file': return this.inFile(one.input(good, subject), good);
      case 'RADIUS': return this.overRadius(one.input(good, subject), subject);
    }
  }

  private async overHttp({ body, type = BATCH, headers = {}, key = 'own' }: Request, good: string): Promise<string> {
    const answer = await this.host.ask('POST', 'events', this.keys.get(key), body, { 'content-type': type, ...headers });
    if (answer.status !== 202) await this.goodAlone(good);
    if (answer.status !== 202) return faultOf(answer);
    if (key === 'of another tenant') { await this.goodAlone(good); return 'elsewhere'; }
    const [first] = answer.body.rejected as { index: number; pointer: string; code: string }[];
    return first === undefined ? 'accepted' : `202 /${first.index}${first.pointer} ${first.code}`;
  }
  private async goodAlone(good: string): Promise<void> {
    const answer = await this.host.ask('POST', 'events', this.keys.get('own'), good, { 'content-type': STRUCTURED });
    if (answer.status !== 202) throw new Error(`the good event was refused: ${JSON.stringify(answer.body)}`);
  }

  private async overKafka({ input, ends }: Case<'Kafka', KafkaInput>, subject: string): Promise<string> {
    const good = goodEvent(subject);
    const { value, type = STRUCTURED, headers = {}, key = 'own', recordKey = Buffer.from('odd'), timestamp, compression } = input(good, subject);
    const own = this.keys.get('own')!;
    const topic = `${this.kafka!.namespace}usage.ingress`;
    const send = (message: { key: Buffer | null; value: Buffer | null; headers: IHeaders; timestamp?: string }, codec = CompressionTypes.None) => this.kafka!.producer.send({ topic, acks: -1, compression: codec, messages: [{ ...message, partition: PARTITION }] });
    let saw: string | undefined;
    let offset = '';
    try {
      const authorization = { 'none': [], 'twice': [`Bearer ${own}`, `Bearer ${own}`], 'not UTF-8': [Buffer.from([0xff, 0xfe])] }[key as string] ?? [`Bearer ${this.keys.get(key)}`];
      const [{ baseOffset } = { baseOffset: undefined }] = await send({
        key: recordKey, value: value === null ? null : Buffer.from(value), headers: { ...(type === '' ? {} : { 'content-type': type }), ...(authorization.length === 0 ? {} : { authorization }), ...headers } as IHeaders, ...(timestamp === undefined ? {} : { timestamp }),
      }, compression === undefined ? CompressionTypes.None : { gzip: CompressionTypes.GZIP, zstd: CompressionTypes.ZSTD }[compression]);
      offset = baseOffset!;
    } catch (error) {
      const { type: refusal, cause } = error as { type?: string; cause?: { type?: string } };
      saw = `broker ${refusal ?? cause?.type ?? String(error)}`;
    }
    // An input that takes the good event has it inside.
    if (input.length === 0) await send({ key: Buffer.from(subject), value: Buffer.from(good), headers: { 'content-type': STRUCTURED, 'authorization': `Bearer ${own}` } });
    if (saw !== undefined) return saw;
    if (!ends.startsWith('rejected')) return ends;
    const found = await eventually(`the rejection of offset ${offset}`, () => this.kafka!.rejected.find(({ headers: { vv_record: record } }) => record === `usage.ingress/${PARTITION}/${offset}`), { timeoutMs: 20_000 });
    const { vv_index: index, vv_pointer: pointer, vv_code: code } = found.headers;
    return words('rejected', `${index === undefined ? '' : `/${index}`}${pointer ?? ''}`, code);
  }

  private async inFile({ body, type = 'text/csv', mapping, encoding, key = 'own', sha256 }: File, good: string): Promise<string> {
    const { host } = this;
    const by = this.keys.get(key)!;
    let answer: Answer;
    if (sha256 === undefined) answer = await host.ask('POST', `imports${mapping === undefined ? '' : `?mapping=${encodeURIComponent(JSON.stringify(mapping))}`}`, by, body, { 'content-type': type, ...(encoding === undefined ? {} : { 'content-encoding': encoding }) });
    else {
      const { id } = (await host.ask('POST', 'imports', by, { format: 'csv', sha256 })).body as Import;
      await host.ask('POST', `imports/${id}/chunks?offset=0`, by, body, { 'content-type': type });
      answer = await host.ask('POST', `imports/${id}/complete`, by, {});
    }
    if (answer.status !== 202) { await this.goodFile(good); return faultOf(answer); }
    const done = await this.read(answer.body.id as string);
    if (done.status === 'failed') { await this.goodFile(good); return `failed ${done.code}`; }
    if (done.rejected === 0) return 'accepted';
    const rejected = await (await fetch(`${host.url}/api/v1/usage/imports/${done.id}/rejected`, { headers: { authorization: `Bearer ${this.reading}` } })).text();
    const [, code] = /^(?:rejection,[^\n]*\n"|\{"rejection":")(\w+): /.exec(rejected) ?? [];
    return `rejected ${done.rejected === 1 ? code : `${done.rejected} rows`}`;
  }
  private async goodFile(good: string): Promise<void> {
    const done = await this.read((await this.host.ask('POST', 'imports', this.keys.get('own'), good, { 'content-type': 'application/x-ndjson' })).body.id as string);
    if (done.accepted !== 1) throw new Error(`the good file was not read: ${JSON.stringify(done)}`);
  }
  private read(id: string): Promise<Import> {
    return eventually(`the import ${id} to end`, async (saw) => {
      const { body } = await this.host.ask('GET', `imports/${id}`, this.reading);
      saw(body);
      return body.status === 'done' || body.status === 'failed' ? body as Import : undefined;
    }, { timeoutMs: 20_000 });
  }

  private async overRadius({ packets, more = [], secret = SECRET, from = '127.0.0.1', change = (packet) => packet }: Datagrams, subject: string): Promise<string> {
    const session = (of: string): Values => ({ NAS_IDENTIFIER: 'bng', ACCT_SESSION_ID: of, USER_NAME: of });
    const encode = (values: Values, extra: Datagrams['more'] = [], by = SECRET): Uint8Array => encodeRequest(this.identifier++ % 256, [...Object.entries(values).filter(([, value]) => value !== '').map(([name, value]) => attribute(name as never, value)), ...extra], Buffer.from(by), md5);
    let last = '';
    for (const values of packets) {
      const before = await this.packetsByResult();
      await this.throw(change(encode({ ...session(`odd ${subject}`), ...values }, more, secret)) ?? new Uint8Array(), from);
      last = await eventually('the packet to be counted', async () => [...await this.packetsByResult()].find(([result, count]) => count > (before.get(result) ?? 0))?.[0]);
    }
    const before = (await this.packetsByResult()).get('recorded') ?? 0;
    await this.throw(encode({ ...session(subject), ACCT_STATUS_TYPE: 2, EVENT_TIMESTAMP: 1_772_366_400, ACCT_SESSION_TIME: 60, ACCT_INPUT_OCTETS: 1 }), '127.0.0.1');
    await eventually('the good packet to be recorded', async () => ((await this.packetsByResult()).get('recorded') === before + 1 ? true : undefined));
    if (last !== 'recorded' && last !== 'repeated') return `dropped ${last}`;
    const { body } = await this.host.ask('GET', `sessions?subject=${encodeURIComponent(`odd ${subject}`)}`, this.reading);
    return `${last} ${body.data.reduce((sum: bigint, { totalOctets }: { totalOctets: string }) => sum + BigInt(totalOctets), 0n)}`;
  }
  private identifier = 0;
  private readonly sockets = new Map<string, Socket>();
  private async throw(datagram: Uint8Array, from: string): Promise<void> {
    const socket = this.sockets.get(from) ?? createSocket('udp4');
    if (!this.sockets.has(from)) await new Promise<void>((resolve) => { socket.bind(0, from, resolve); });
    this.sockets.set(from, socket);
    await new Promise<void>((resolve, reject) => { socket.send(datagram, this.port, '127.0.0.1', (error) => { if (error) reject(error); else resolve(); }); });
  }
  private async packetsByResult(): Promise<Map<string, number>> {
    const { values } = await (this.host.service.metrics.registry.getSingleMetric('valueverse_usage_radius_packets_total') as Counter).get();
    return new Map(values.map(({ labels, value }) => [String(labels['result']), value]));
  }

  /** What a meter has counted, by subject, of this tenant or of the other one. */
  async counted(meter: 'good' | 'odd' | 'octets', whose: 'own' | 'other' = 'own'): Promise<Record<string, string>> {
    const { body } = await this.host.ask('GET', `meters/${meter}/query?${PERIOD}`, whose === 'own' ? this.reading : this.readingOther);
    return Object.fromEntries((body.data as { subject: string; value: string }[]).map(({ subject, value }) => [subject, value]));
  }
  async arrived(): Promise<void> { await this.kafka?.arrived(); }

  async close(): Promise<void> {
    await Promise.all([...this.sockets.values()].map((socket) => new Promise<void>((resolve) => { socket.close(() => resolve()); })));
    await (this.kafka ?? this.host).close();
  }
}

const faultOf = ({ status, body }: Answer): string => words(status, body.errors?.[0]?.pointer as string | undefined, body.code as string);
