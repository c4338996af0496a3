import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { eventually } from '@valueverse/testing';
import { RetentionBed } from '../retention/retention-bed.spec-kit';
import { lookAtAltered } from '../statements/look';
import { bodyHashOf, bodyOf, envelopeIn, HEAD_CHARACTERS, keptBody, opened, PACKED_FROM_CHARACTERS } from './body';

const TIMEOUT_MS = 60_000;
const envelopeOf = (characters: number): string => {
  const text = (note: string): string => JSON.stringify({ id: 'env_1', tenant: 'org_1:test', recordedAt: '2026-01-01T00:00:00Z', events: [], note });
  return text('x'.repeat(characters - text('').length));
};

const oneBitOff = (frame: Buffer): Buffer => Buffer.from(frame.map((byte, nth) => (nth === frame.length - 9 ? byte ^ 1 : byte)));

describe('a body as it is kept', () => {
  test.each([[PACKED_FROM_CHARACTERS - 1, false], [PACKED_FROM_CHARACTERS, true], [300_000, true]])('of %d characters is the same when it is read; packed: %p', (characters, isPacked) => {
    const body = envelopeOf(characters);
    const kept = keptBody(body);
    expect(kept.packed !== null).toBe(isPacked);
    expect(kept.body).toBe(isPacked ? body.slice(0, HEAD_CHARACTERS) : body);
    expect(bodyOf(kept)).toBe(body);
    expect(envelopeIn(kept)).toEqual(JSON.parse(body));
    expect(opened({ ...kept, body_hash: bodyHashOf(body) })).toEqual({ envelope: JSON.parse(body), isIntact: true });
  });

  test('any character survives, also where the head ends inside of one', () => {
    const body = `${'x'.repeat(HEAD_CHARACTERS - 1)}\u{1f600}${'\u00fc\u{1f4a1}\u0000\ufeff'.repeat(PACKED_FROM_CHARACTERS)}`;
    expect(bodyOf(keptBody(body))).toBe(body);
  });

  test('one that was dropped is nothing', () => { expect([bodyOf({ body: null, packed: null }), envelopeIn({ body: null, packed: null })]).toEqual([null, null]); });

  test.each([
    ['another body', zstdCompressSync(envelopeOf(9_001)), { envelope: expect.anything(), isIntact: false }], ['a frame of no JSON', zstdCompressSync('{'), { isIntact: false }], ['no frame', Buffer.from('none'), { isIntact: false }],
    ['half a frame', zstdCompressSync(envelopeOf(9_000)).subarray(0, -9), { isIntact: false }], ['one bit of it changed', oneBitOff(keptBody(envelopeOf(9_000)).packed!), { envelope: undefined, isIntact: false }], ['nothing but the head', null, { isIntact: false }],
  ])('%s in its place is not intact', (_, packed, found) => {
    const body = envelopeOf(9_000);
    expect(opened({ ...keptBody(body), packed, body_hash: bodyHashOf(body) })).toMatchObject(found);
  });

  test('what does not know of packed bodies finds no JSON', () => { expect(() => JSON.parse(keptBody(envelopeOf(9_000)).body) as unknown).toThrow(SyntaxError); });
});

describe('a hundred events in one packed envelope', () => {
  const [DAY, NEXT] = ['2026-01-05T00:00:00Z', '2026-01-06T00:00:00Z'];
  let bed: RetentionBed;
  const events = Array.from({ length: 100 }, (_, nth) => ({ id: `e${nth}`, time: `2026-01-05T10:${String(nth % 60).padStart(2, '0')}:00Z`, data: { n: 1, note: `the note of event ${nth}` } }));
  const found = async (query: string): Promise<string[]> => (await bed.ask('GET', `events?limit=100&${query}`)).body.data.map(({ id, status }: { id: string; status: string }) => `${id} ${status}`);
  beforeAll(async () => {
    bed = await RetentionBed.make();
    await bed.meter('tokens');
    await bed.metersFollow();
    await bed.subscribe('sub_1', ['acme'], '2026-01-01T00:00:00Z');
    await bed.receive('2026-01-05T11:00:00Z', events);
    await bed.receive('2026-01-05T11:00:01Z', [events[7]!, { id: 'alone', time: '2026-01-05T10:07:00Z', data: { n: 1 } }]);
    expect(await bed.rows('SELECT body, packed IS NOT NULL AS is_packed FROM usage_envelopes WHERE position = 1')).toEqual([{ body: expect.stringMatching(/^.{512}$/), is_packed: true }]);
  }, TIMEOUT_MS);
  afterAll(() => bed.close(), TIMEOUT_MS);

  test('each is found by its name, its type and where it stands; what is not there is not', async () => {
    expect([await found('id=e42'), await found('id=e7'), await found('id=e7&subject=acme'), await found('id=e100'), await found('type=other'), await found('status=duplicate')])
      .toEqual([['e42 counted'], ['e7 duplicate', 'e7 counted'], ['e7 duplicate', 'e7 counted'], [], [], ['e7 duplicate']]);
    expect(await found('from=2026-01-05T10:07:00Z&to=2026-01-05T10:08:00Z')).toEqual(['alone counted', 'e7 duplicate', 'e67 counted', 'e7 counted']);
    expect((await bed.ask('GET', 'events/lookup?subject=acme&source=gateway&id=e7')).body).toMatchObject({ occurrences: [{ status: 'counted', data: { note: 'the note of event 7' } }, { status: 'duplicate' }] });
    expect((await bed.ask('GET', 'exceptions?code=duplicate')).body.data).toMatchObject([{ id: 'e7', event: { data: { note: 'the note of event 7' } } }]);
  }, TIMEOUT_MS);

  test('it is stated to a part of a bucket, read again behind the statement, taken back and amended', async () => {
    // 10:07 to 10:10: e7, e8, e9, e67, e68, e69 and the one that came alone
    const usage = [{ subject: 'acme', from: '2026-01-05T10:07:00Z', to: '2026-01-05T10:10:00Z' }];
    const { id } = await bed.stated(usage);
    expect(await bed.reader.recompute(bed.tenant, id)).toMatchObject({ quantities: [{ value: '7', events: 7 }] });
    expect((await bed.ask('GET', `statements/${id}/events`)).body.data).toHaveLength(7);
    expect((await bed.ask('POST', 'meters/preview', { eventType: 'call', aggregation: 'sum', valueProperty: '$.n' })).body).toMatchObject({ counted: 101 });
    await bed.takeBack('2026-01-05T12:00:00Z', 'acme', 'e8');
    await bed.amend('2026-01-05T12:00:01Z', { id: 'e9', subject: 'acme', time: '2026-01-05T10:09:00Z', data: { n: 5 } });
    // 101 less e8, and 5 for e9 in the place of 1
    expect((await bed.query('tokens', DAY, NEXT)).body.data).toMatchObject([{ value: '104' }]);
    // What was stated stays as it was.
    expect((await bed.ask('GET', `statements/${id}`)).body).toMatchObject({ quantities: [{ value: '7' }] });
    expect((await bed.ask('GET', `reconciliation?from=${DAY}&to=${NEXT}`)).body).toMatchObject({ isEqual: true, meters: [{ fromEnvelopes: 100, inBuckets: 100 }] });
  }, TIMEOUT_MS);

  test('a meter that is made later counts it', async () => {
    await bed.meter('later');
    await bed.metersFollow();
    expect((await bed.query('later', DAY, NEXT)).body.data).toMatchObject([{ value: '104' }]);
  }, TIMEOUT_MS);

  /** The envelope of the hundred, changed by hand and put right after. */
  const altered = async (packed: (body: string) => Buffer, look: () => Promise<void>): Promise<void> => {
    const [kept] = await bed.rows<{ packed: Buffer }>('SELECT packed FROM usage_envelopes WHERE position = 1');
    await bed.rows('UPDATE usage_envelopes SET packed = $1 WHERE position = 1', [packed(zstdDecompressSync(kept!.packed).toString())]);
    try { await look(); } finally { await bed.rows('UPDATE usage_envelopes SET packed = $1 WHERE position = 1', [kept!.packed]); }
  };
  const ELSEWHERE = (body: string): Buffer => zstdCompressSync(body.replace('the note of event 50', 'the note of event 05'));
  const second = (at: string): { subject: string; from: string; to: string }[] => [{ subject: 'acme', from: `2026-01-05T10:${at}:00Z`, to: `2026-01-05T10:${at}:01Z` }];

  test.each([['an event beside it that was changed', ELSEWHERE, '2'], ['what is no frame', (): Buffer => Buffer.from('none'), undefined], ['a time that is none', (body: string): Buffer => zstdCompressSync(body.replaceAll('2026-01-05T10:50', '2026-13-05T10:50')), undefined]])('%s is found by who computes a statement again', async (_, packed, value) => {
    const statement = await bed.stated(second('20'));
    await altered(packed, async () => {
      const again = (await bed.reader.recompute(bed.tenant, statement.id))!;
      expect([again.quantities[0]?.value, again.evidence === statement.evidence]).toEqual([value, false]);
    });
    expect(await bed.reader.recompute(bed.tenant, statement.id)).toMatchObject({ evidence: statement.evidence });
  }, TIMEOUT_MS);

  test('nobody counts by an envelope that was changed: statements of it wait and the doctor names them, others are answered, queries of parts of buckets are refused', async () => {
    await altered(ELSEWHERE, async () => {
      const waiting = await bed.request(second('30'));
      const whole = await bed.stated([{ subject: 'acme', from: DAY, to: NEXT }]);
      expect(whole).toMatchObject({ quantities: [{ value: '104' }] });
      await eventually('the doctor to name it', async (saw) => {
        const found = await lookAtAltered(bed.host.service);
        saw(found);
        return found.ok ? undefined : found;
      });
      expect(await lookAtAltered(bed.host.service)).toMatchObject({ ok: false, detail: expect.stringContaining('envelope_altered'), next: expect.any(String) });
      expect((await bed.ask('GET', `statements/${waiting}`)).status).toBe(404);
      expect(await bed.query('tokens', '2026-01-05T10:30:00Z', '2026-01-05T10:30:01Z')).toMatchObject({ status: 409, body: { code: 'envelope_altered', detail: expect.stringContaining('/1') } });
      expect((await bed.query('tokens', DAY, NEXT)).body.data).toMatchObject([{ value: '104' }]);
    });
  }, TIMEOUT_MS);

  test('a meter that is made meanwhile does not count it as it is, and goes on when it is put right', async () => {
    await altered((body) => zstdCompressSync(body.replaceAll('"n":1', '"n":7')), async () => {
      await bed.meter('meanwhile');
      await eventually('the back-fill to say why it waits', async (saw) => {
        const jobs = await bed.rows<{ waits_for: string | null }>(`SELECT waits_for FROM jobs WHERE waits_for IS NOT NULL`);
        saw(jobs);
        return jobs.some(({ waits_for: reason }) => reason!.includes('not what its hash says')) ? true : undefined;
      });
    });
    await bed.metersFollow();
    expect((await bed.query('meanwhile', DAY, NEXT)).body.data).toMatchObject([{ value: '104' }]);
  }, TIMEOUT_MS);

  test('a greatest value is not chosen anew without it: its partition stands still until it is put right', async () => {
    await bed.meter('peak', { aggregation: 'max' });
    await bed.metersFollow();
    await bed.receive('2026-01-05T12:30:00Z', [{ id: 'greatest', time: '2026-01-05T10:05:00Z', data: { n: 9 } }]);
    const peak = async (): Promise<unknown> => (await bed.query('peak', DAY, NEXT)).body.data[0].value;
    expect(await peak()).toBe('9');
    await altered(() => Buffer.from('none'), async () => {
      await bed.host.ingest.correct(bed.tenant, { id: 'greatest', source: 'gateway', type: 'dev.valueverse.usage.event.void', subject: 'acme', time: '2026-01-05T13:00:00Z', correction: { id: 'cor_greatest', kind: 'void', reason: 'a test' } }, '2026-01-05T13:00:00Z');
      await eventually('metering to say why it stands still', async () => ((await bed.rows(`SELECT FROM checkpoints WHERE halted LIKE '%not what its hash says%' UNION ALL SELECT FROM parked_records`)).length > 0 ? true : undefined));
      expect(await peak()).toBe('9');
    });
  }, TIMEOUT_MS);
});
