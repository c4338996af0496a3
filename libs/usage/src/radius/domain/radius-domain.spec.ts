import fc from 'fast-check';
import { runs } from '@valueverse/testing';
import { md5 } from '../accounting';
import { readAccounting, type AccountingReport, type SessionReport } from './accounting';
import { ATTRIBUTE } from './attributes';
import { encodeRequest, encodeResponse, requestAuthenticatorOf } from './authenticator';
import { EMPTY_CHAIN, LINKS_MAX, place, type Chain, type Link } from './counter-chain';
import { eventMicros } from './event-time';
import { contains, networkText, parseNetwork } from './network';
import { decodePacket, encodePacket, PacketFault, type Packet } from './packet';
import { receive, type Heard, type Received, type Session } from './sessions';

const SECRET = Buffer.from('xyzzy5461');
/** Put together by the tables of RFC 2865, 2866 and 2869, octet by octet, signed by another program. The last one is what radclient 3.2.1 sent. */
const START = '0401003cddbc6a19555c3c26943b87e736c8b6c328060000000101066e656d6f0406c0a801100506000000142c0a3841334330303031370669a42a40';
const INTERIM = '040200723fad0f013b56527fe9af54f41507219e28060000000301066e656d6f0406c0a801100506000000142c0a38413343303030312a06000003e82b06ee6b28002e06000002582f060000000a300600000bb83406000000003506000000001a0c00003a8c030600000007370669a42c98';
const STOP = '0403007693f7c4f310ac665aa0e89fea7507b93528060000000201066e656d6f0406c0a801100506000000142c0a38413343303030312a06000007d02b06000000642e06000004b02f0600000014300600000c1c340600000000350600000001310600000001370669a42ef021056f6e65210574776f';
const ON = '04040026bdda8cdd9bd9c96e04ca19dc5c0639872806000000070406c0a80110370669a43dc8';
const RADCLIENT = '04530065253ce23b9a0ab8841db089d2c3828ffd2806000000030105626f622007626e672d372c083831613066662a060000000c3406000000032b06000000222e060000012c370669a42b6c08060a0908071f1330302d31312d32322d33332d34342d3535';
const T = 1_772_366_400;

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const decoded = (hex: string): Packet => {
  const packet = decodePacket(bytes(hex));
  if (packet instanceof PacketFault) throw new Error(packet.code);
  return packet;
};
const reported = (hex: string): AccountingReport | PacketFault => readAccounting(decoded(hex), '192.168.1.16', 'User-Name');

describe('recorded packets', () => {
  test.each([['a Start', START], ['an interim update', INTERIM], ['a Stop', STOP], ['Accounting-On', ON], ["radclient's", RADCLIENT]])('%s is signed with its secret and no other, and is encoded to the same octets', (_, hex) => {
    const packet = decoded(hex);
    expect(Buffer.from(requestAuthenticatorOf(packet.bytes, SECRET, md5)).equals(packet.authenticator)).toBe(true);
    expect(Buffer.from(requestAuthenticatorOf(packet.bytes, Buffer.from('xyzzy5462'), md5)).equals(packet.authenticator)).toBe(false);
    expect(Buffer.from(encodeRequest(packet.identifier, packet.attributes, SECRET, md5)).toString('hex')).toBe(hex);
  });

  test('what they report: octets are joined with gigawords, attributes of vendors are passed over', () => {
    const session = { nas: '192.168.1.16', sessionId: '8A3C0001', subject: 'nemo', delay: 0 };
    expect(reported(START)).toMatchObject({ status: 'start', ...session, timestamp: T, counters: {} });
    expect(reported(INTERIM)).toMatchObject({ status: 'interim', ...session, timestamp: T + 600, counters: { inputOctets: 1_000n, outputOctets: 4_000_000_000n, inputPackets: 10n, outputPackets: 3_000n, seconds: 600n } });
    expect(reported(STOP)).toMatchObject({ status: 'stop', ...session, cause: 'user_request', counters: { inputOctets: 2_000n, outputOctets: 4_294_967_396n, seconds: 1_200n } });
    expect(reported(ON)).toEqual({ status: 'accounting_on', nas: '192.168.1.16', timestamp: T + 5_000, delay: 0 });
    expect(reported(RADCLIENT)).toMatchObject({ status: 'interim', nas: 'bng-7', sessionId: '81a0ff', subject: 'bob', framedAddress: '10.9.8.7', callingStation: '00-11-22-33-44-55', counters: { inputOctets: 12_884_901_900n, outputOctets: 34n } });
  });

  test('the answer carries the proxies\' states in their order and is signed over the request', () => {
    const answer = Buffer.from(encodeResponse(decoded(STOP), SECRET, md5));
    expect(answer.toString('hex', 0, 4)).toBe('0503001e');
    expect(answer.toString('hex', 20)).toBe('21056f6e65210574776f');
    expect(answer.toString('hex', 4, 20)).toBe(Buffer.from(md5(answer.subarray(0, 4), decoded(STOP).authenticator, answer.subarray(20), SECRET)).toString('hex'));
  });
});

describe('the codec', () => {
  test('any octets are a packet or a named fault, and a packet is put together again to the same octets', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), fc.boolean(), (noise, looksRight) => {
      const datagram = Uint8Array.from(noise);
      if (looksRight && datagram.length >= 20) datagram.set([4, 1, 0, datagram.length]);
      const packet = decodePacket(datagram);
      if (packet instanceof PacketFault) expect(packet.code).toMatch(/^[a-z_]+$/);
      else {
        expect(Buffer.from(encodePacket(packet.code, packet.identifier, packet.authenticator, packet.attributes)).equals(packet.bytes)).toBe(true);
        const report = readAccounting(packet, '192.0.2.1', 'Class');
        if (report instanceof PacketFault) expect(report.code).toMatch(/^[a-z_]+$/);
      }
    }), runs(71, 2_000));
  });

  test('a good packet with any octet changed, cut anywhere, or with anything behind it never passes as another one', () => {
    const good = bytes(STOP);
    fc.assert(fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(good.length), (at, flip, cut) => {
      const spoilt = Uint8Array.from(good);
      spoilt[at]! ^= flip;
      const packet = decodePacket(spoilt);
      // The identifier and the rest are under the authenticator alike.
      if (!(packet instanceof PacketFault)) expect(Buffer.from(requestAuthenticatorOf(packet.bytes, SECRET, md5)).equals(packet.authenticator)).toBe(false);
      expect(decodePacket(good.subarray(0, cut)) instanceof PacketFault).toBe(cut < good.length);
      expect(decoded(`${STOP}${'ab'.repeat(cut)}`).bytes).toEqual(good);
    }), runs(72, 500));
  });

  const attribute = (type: number, ...value: number[]): { type: number; value: Uint8Array } => ({ type, value: Uint8Array.from(value) });
  const status = attribute(ATTRIBUTE.ACCT_STATUS_TYPE, 0, 0, 0, 3);
  const id = attribute(ATTRIBUTE.ACCT_SESSION_ID, 0x31);
  const read = (...attributes: { type: number; value: Uint8Array }[]): AccountingReport | PacketFault => readAccounting({ attributes }, '192.0.2.1', 'Class');

  test('texts that are none are shown as octets, an empty attribute is absent, the first Class counts, half of a counter is none', () => {
    expect(read(status, attribute(ATTRIBUTE.ACCT_SESSION_ID, 0xff, 0x00), attribute(ATTRIBUTE.CLASS, 0x61), attribute(ATTRIBUTE.CLASS, 0x62))).toMatchObject({ sessionId: '0xff00', subject: 'a', nas: '192.0.2.1' });
    expect(read(status, attribute(ATTRIBUTE.ACCT_SESSION_ID))).toMatchObject({ code: 'session_id_missing' });
    expect(read(status, id, attribute(ATTRIBUTE.ACCT_INPUT_GIGAWORDS, 0, 0, 0, 1))).toMatchObject({ counters: {} });
    expect(read(status, id, attribute(ATTRIBUTE.NAS_IPV6_ADDRESS, 0x20, 1, 0xd, 0xb8, ...Array<number>(11).fill(0), 7))).toMatchObject({ nas: '2001:db8::7' });
  });
});

describe('the time of an event', () => {
  const arrived = (T + 100) * 1_000_000;
  test.each([
    ['Event-Timestamp', { timestamp: T, delay: 7 }, T], ['the arrival less the delay', { delay: 7 }, T + 93], ['not a clock that was never set', { timestamp: 30, delay: 7 }, T + 93],
    ['not a clock that is far ahead', { timestamp: T + 401, delay: 0 }, T + 100], ['a clock that is a little ahead', { timestamp: T + 400, delay: 0 }, T + 400], ['never before 1970', { delay: 2 ** 32 - 1 }, 0],
  ])('%s', (_, told, seconds) => expect(eventMicros(told, arrived)).toBe(seconds * 1_000_000));
});

test('networks: one text each, what is in them, and what is none', () => {
  expect(['192.0.2.1', '192.0.2.77/24', '0.0.0.0/0', '2001:DB8:0:0:1:0:0:1', '2001:db8::/32', '::', '::ffff:192.0.2.9', 'fe80::1%eth0'].map((text) => networkText(parseNetwork(text)!)))
    .toEqual(['192.0.2.1', '192.0.2.0/24', '0.0.0.0/0', '2001:db8::1:0:0:1', '2001:db8::/32', '::', '192.0.2.9', 'fe80::1']);
  for (const wrong of ['', '192.0.2', '192.0.2.256', '192.0.2.01', '192.0.2.0/33', '192.0.2.0/-1', '192.0.2.0/2/2', '1:2:3', '::1::', '12345::', 'localhost', '1:2:3:4:5:6:7:8:9', '1::2:3:4:5:6:7:8']) expect([wrong, parseNetwork(wrong)]).toEqual([wrong, undefined]);
  const inside = (network: string, address: string): boolean => contains(parseNetwork(network)!, parseNetwork(address)!);
  expect([inside('192.0.2.0/24', '192.0.2.255'), inside('192.0.2.0/24', '192.0.3.0'), inside('0.0.0.0/0', '::1'), inside('::/0', '::ffff:192.0.2.1'), inside('2001:db8::/33', '2001:db8:8000::')]).toEqual([true, false, false, false, false]);
});

describe('counters', () => {
  /** What a NAS counted: readings in the order of the session, with the places where it was set back. */
  const history = fc.array(fc.record({ grows: fc.nat(1_000_000), isSetBack: fc.boolean() }), { minLength: 1, maxLength: LINKS_MAX });
  const readings = (steps: readonly { grows: number; isSetBack: boolean }[], withResets: boolean): { links: Link[]; truth: bigint } => {
    let [counter, truth] = [0n, 0n];
    const links = steps.map(({ grows, isSetBack }, index): Link => {
      // A counter that was set back and has grown beyond where it was cannot be told from one that was not.
      const back = withResets && isSetBack && counter > 1n;
      const growth = back ? BigInt(grows) % counter : BigInt(grows);
      counter = back ? growth : counter + growth;
      truth += growth;
      return { id: `r${index}`, order: index, counters: { inputOctets: counter } };
    });
    return { links, truth };
  };
  const total = (links: readonly Link[]): bigint => {
    let [chain, sum]: [Chain, bigint] = [EMPTY_CHAIN, 0n];
    for (const link of links) {
      const placed = place(chain, link);
      if (placed.growth.inputOctets < 0n) throw new Error('a negative growth');
      [chain, sum] = [placed.chain, sum + placed.growth.inputOctets];
    }
    return sum;
  };
  const shuffled = <X>(list: readonly X[], seed: readonly number[]): X[] => list.map((item, index) => ({ item, key: seed[index % seed.length]! })).sort((a, b) => a.key - b.key).map(({ item }) => item);

  test('in any order and with repetitions, and where they were set back, they come to what was used; no growth is negative', () => {
    fc.assert(fc.property(history, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 40, maxLength: 40 }), (steps, seed) => {
      const { links, truth } = readings(steps, true);
      expect(total(shuffled([...links, ...links.slice(0, 5)], seed))).toBe(truth);
    }), runs(73, 500));
  });

  test('a session of many more reports than are kept comes to the same where nothing was set back', () => {
    fc.assert(fc.property(fc.array(fc.record({ grows: fc.nat(1_000), isSetBack: fc.constant(false) }), { minLength: 60, maxLength: 60 }), fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 60, maxLength: 60 }), (steps, seed) => {
      const { links, truth } = readings(steps, false);
      expect(total(shuffled(links, seed))).toBe(truth);
      expect(total([...links, ...links])).toBe(truth);
    }), runs(74, 100));
  });

  test('64 bits are counted to the last octet', () => {
    const most = 2n ** 64n - 1n;
    expect(total([{ id: 'a', order: 1, counters: { inputOctets: most } }, { id: 'b', order: 2, counters: { inputOctets: most } }, { id: 'c', order: 3, counters: { inputOctets: 5n } }])).toBe(most + 5n);
  });
});

describe('sessions', () => {
  interface Sent { readonly report: SessionReport; readonly at: number }
  /** Sessions of one NAS under one Acct-Session-Id, one after the other, as the NAS lives through them. */
  const life = fc.array(fc.record({ interims: fc.nat(4), every: fc.integer({ min: 60, max: 600 }), rest: fc.integer({ min: 1, max: 100 }), rate: fc.integer({ min: 1, max: 10_000 }) }), { minLength: 1, maxLength: 3 });
  const sentBy = (lives: readonly { interims: number; every: number; rest: number; rate: number }[], hasTimestamps: boolean): { sent: Sent[]; truth: bigint } => {
    const sent: Sent[] = [];
    let [now, truth] = [T, 0n];
    for (const { interims, every, rest, rate } of lives) {
      const [start, length] = [now, (interims + 1) * every];
      const packet = (status: SessionReport['status'], elapsed: number): Sent => ({
        at: (start + elapsed) * 1_000_000,
        report: { status, nas: 'nas', sessionId: 's', subject: 'nemo', delay: 0, timestamp: hasTimestamps ? start + elapsed : undefined, counters: status === 'start' ? {} : { seconds: BigInt(elapsed), inputOctets: BigInt(elapsed * rate) } },
      });
      sent.push(packet('start', 0), ...Array.from({ length: interims }, (_, nth) => packet('interim', (nth + 1) * every)), packet('stop', length));
      truth += BigInt(length * rate);
      now += length + rest;
    }
    return { sent, truth };
  };
  const run = (sent: readonly Sent[], shift = 0): { sessions: Session[]; sum: bigint; seconds: bigint } => {
    let [sessions, sum, seconds]: [Session[], bigint, bigint] = [[], 0n, 0n];
    for (const [index, { report, at }] of sent.entries()) {
      const reportId = JSON.stringify([report.status, report.timestamp, String(report.counters.inputOctets), String(report.counters.seconds)]);
      const received = receive(sessions, { client: 'c', report, at: at + shift, sentAt: at + shift }, { reportId, newId: `n${index}` });
      if (received instanceof PacketFault) throw new Error(received.code);
      sessions = [...sessions.filter(({ id }) => id !== received.session.id), received.session];
      sum += received.growth.inputOctets;
      seconds += received.growth.seconds;
    }
    return { sessions, sum, seconds };
  };

  test('whatever the order and the repetitions, with ids that are used again: the same use, one session each', () => {
    fc.assert(fc.property(life, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 30, maxLength: 30 }), (lives, seed) => {
      const { sent, truth } = sentBy(lives, true);
      const order = [...sent, ...sent.slice(0, 4)].map((one, index) => ({ one, key: seed[index % seed.length]! })).sort((a, b) => a.key - b.key).map(({ one }) => one);
      const { sessions, sum } = run(order);
      expect([sum, sessions.length, sessions.filter(({ endedAt }) => endedAt === undefined).length]).toEqual([truth, lives.length, 0]);
      expect(sessions.reduce((all, { used }) => all + used.inputOctets, 0n)).toBe(truth);
    }), runs(75, 500));
  });

  test('a NAS without Event-Timestamp: the same in any order as long as its ids are its own', () => {
    fc.assert(fc.property(life, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 30, maxLength: 30 }), ([first], seed) => {
      const { sent, truth } = sentBy([first!], false);
      const { sessions, sum } = run([...sent, ...sent].map((one, index) => ({ one, key: seed[index % seed.length]! })).sort((a, b) => a.key - b.key).map(({ one }) => one));
      expect([sum, sessions.length]).toEqual([truth, 1]);
    }), runs(76, 200));
  });

  const interim = (elapsed: number, octets: number, more: Partial<SessionReport> = {}): SessionReport =>
    ({ status: 'interim', nas: 'nas', sessionId: 's', subject: 'nemo', delay: 0, counters: { seconds: BigInt(elapsed), inputOctets: BigInt(octets) }, ...more });
  const at = (seconds: number): number => (T + seconds) * 1_000_000;

  test('a clock that is set in the middle of a session begins no other session', () => {
    const known = receive([], { client: 'c', report: interim(300, 100), at: at(-86_400), sentAt: at(300) }, { reportId: '1', newId: 'a' });
    if (known instanceof PacketFault) throw new Error(known.code);
    expect(receive([known.session], { client: 'c', report: interim(600, 150), at: at(600), sentAt: at(600) }, { reportId: '2', newId: 'b' })).toMatchObject({ session: { id: 'a' }, growth: { inputOctets: 50n } });
  });

  test('a session whose NAS started again is over until it is heard of again', () => {
    const known = receive([], { client: 'c', report: interim(300, 100), at: at(300), sentAt: at(300) }, { reportId: '1', newId: 'a' });
    if (known instanceof PacketFault) throw new Error(known.code);
    const ended: Session = { ...known.session, endedAt: at(400), cause: 'accounting_on' };
    expect(receive([ended], { client: 'c', report: interim(600, 150), at: at(600), sentAt: at(600) }, { reportId: '2', newId: 'b' })).toMatchObject({ session: { id: 'a', endedAt: undefined, cause: undefined }, growth: { inputOctets: 50n } });
    expect(receive([ended], { client: 'c', report: interim(350, 120), at: at(350), sentAt: at(350) }, { reportId: '3', newId: 'b' })).toMatchObject({ session: { id: 'a', endedAt: at(400) }, growth: { inputOctets: 20n } });
    expect(receive([ended], { client: 'c', report: interim(100, 30), at: at(600), sentAt: at(600) }, { reportId: '4', newId: 'b' })).toMatchObject({ session: { id: 'b', endedAt: undefined }, growth: { inputOctets: 30n } });
  });

  test('a session that is heard of through another client begins when it said first or last: a clock that was set before it moved begins no other one, one that is set by the move does', () => {
    const heard = (client: string, elapsed: number, octets: number, ahead: number): Heard => ({ client, report: interim(elapsed, octets, { timestamp: T + elapsed + ahead }), at: at(elapsed + ahead), sentAt: at(elapsed) });
    const take = (sessions: readonly Session[], one: Heard): Received => {
      const received = receive(sessions, one, { reportId: String(one.at), newId: `by ${one.client}` });
      if (received instanceof PacketFault) throw new Error(received.code);
      return received;
    };
    const first = take([], heard('c', 300, 100, 0)).session;
    const set = take([first], heard('c', 600, 150, 86_400)).session;
    expect(take([set], heard('d', 900, 175, 86_400))).toMatchObject({ session: { id: 'by c', client: 'd' }, growth: { inputOctets: 25n } });
    expect(take([first], heard('d', 600, 150, 0))).toMatchObject({ session: { id: 'by c', client: 'd' }, growth: { inputOctets: 50n } });
    expect(take([first], heard('d', 600, 150, 86_400))).toMatchObject({ session: { id: 'by d' }, growth: { inputOctets: 150n } });
  });

  test('the subject is known from an earlier packet of the session, or the packet is at fault', () => {
    const known = receive([], { client: 'c', report: interim(300, 100), at: at(300), sentAt: at(300) }, { reportId: '1', newId: 'a' });
    if (known instanceof PacketFault) throw new Error(known.code);
    const nameless = interim(600, 150, { subject: undefined });
    expect(receive([known.session], { client: 'c', report: nameless, at: at(600), sentAt: at(600) }, { reportId: '2', newId: 'b' })).toMatchObject({ session: { subject: 'nemo' } });
    expect(receive([], { client: 'c', report: nameless, at: at(600), sentAt: at(600) }, { reportId: '2', newId: 'b' })).toMatchObject({ code: 'subject_missing' });
  });
});
