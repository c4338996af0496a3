import { COUNTERS, type SessionReport } from './accounting';
import { EMPTY_CHAIN, place, type Chain, type Growth } from './counter-chain';
import { beganAt, MICROS, START_TOLERANCE_MICROS } from './beginning';
import { isSameElsewhere, isSameReport } from './moved';
import { PacketFault } from './packet';

/** Why a session is over when nobody said so: its NAS started again, or said that it would stop. */
export type NasEnding = 'accounting_on' | 'accounting_off';

/** One session of a NAS. Instants are microseconds since 1970. */
export interface Session {
  /** Our name for it: a NAS may use an Acct-Session-Id again. */
  readonly id: string;
  /** Through which client it was last heard of. */
  readonly client: string;
  readonly startedAt: number;
  /** Where its own time begins, by its first report; reports are ordered by it. */
  readonly anchor: number;
  /** When it began by our clock: a clock of a NAS may be set in the middle of a session. */
  readonly heardFrom: number;
  readonly updatedAt: number;
  readonly endedAt: number | undefined;
  /** The cause that the NAS gave, `stop` where it gave none, or how the NAS itself ended. */
  readonly cause: string | undefined;
  readonly subject: string;
  readonly framedAddress: string | undefined;
  readonly callingStation: string | undefined;
  /** What it has used so far: the sum of all growths. */
  readonly used: Growth;
  /** The longest session time that was told. */
  readonly seconds: bigint | undefined;
  readonly chain: Chain;
}

const NOTHING_USED: Growth = { inputOctets: 0n, outputOctets: 0n, inputPackets: 0n, outputPackets: 0n, seconds: 0n };
const NAS_ENDINGS: ReadonlySet<string> = new Set(['accounting_on', 'accounting_off'] satisfies NasEnding[]);
const endedWithNas = ({ cause }: Session): boolean => NAS_ENDINGS.has(cause ?? '');

/** A report, the client that it came through, and its two clocks: when it happened by what the NAS says, and when it was sent by our clock. */
export interface Heard { readonly client: string; readonly report: SessionReport; readonly at: number; readonly sentAt: number }

/** Whether a report is of another session under the same Acct-Session-Id, later than this one. */
const isLaterSession = (session: Session, { report, at, sentAt }: Heard): boolean => {
  const began = beganAt(report, at);
  const { startedAt, endedAt, updatedAt, heardFrom } = session;
  if (endedAt !== undefined && (began ?? at) > endedAt) {
    if (report.status === 'start') return true;
    if (!endedWithNas(session)) return (began ?? at) > startedAt + START_TOLERANCE_MICROS;
  }
  if (began === undefined || began <= Math.max(startedAt + START_TOLERANCE_MICROS, updatedAt)) return false;
  // Not because the clock of the NAS was set forward meanwhile: then it began, by our clock, when this one did.
  return report.status === 'start' || report.counters.seconds! < (session.seconds ?? 0n) || beganAt(report, sentAt)! > heardFrom + START_TOLERANCE_MICROS;
};

/**
 * The session that a report is of, among those of one NAS and one Acct-Session-Id; undefined where it is of one that is not known. A NAS that has started again may use its ids again
 * (RFC 2866, section 5.5 asks for no more than that they are easy to match), so sessions are told apart by when they began.
 */
const sessionOf = (sessions: readonly Session[], heard: Heard): Session | undefined => {
  if (sessions.length === 0) return undefined;
  const { report, at } = heard;
  const began = beganAt(report, at);
  const byStart = [...sessions].sort((a, b) => a.startedAt - b.startedAt);
  if (began === undefined) {
    const current = byStart.filter(({ startedAt }) => startedAt <= at).at(-1) ?? byStart[0]!;
    return isLaterSession(current, heard) ? undefined : current;
  }
  const nearest = byStart.reduce((best, session) => (Math.abs(session.startedAt - began) < Math.abs(best.startedAt - began) ? session : best));
  if (Math.abs(nearest.startedAt - began) <= START_TOLERANCE_MICROS && !isLaterSession(nearest, heard)) return nearest;
  const current = byStart.filter(({ startedAt }) => startedAt <= began).at(-1);
  return current === undefined || isLaterSession(current, heard) ? undefined : current;
};

/**
 * The same among sessions that were heard of through other clients. A NAS falls under another client when a narrower network is added, or a client is removed and made again: its sessions go on. But two
 * NAS behind two clients may have one name and use the same short ids, so only a session that agrees is gone on with.
 */
const movedSessionOf = (sessions: readonly Session[], heard: Heard): Session | undefined => sessionOf(sessions.filter((session) => isSameElsewhere(session, heard)), heard);

const opened = (id: string, subject: string, { client, report, at, sentAt }: Heard): Session => {
  const startedAt = Math.max(0, beganAt(report, at) ?? at);
  return {
    id, client, startedAt, anchor: startedAt, heardFrom: beganAt(report, sentAt) ?? sentAt, updatedAt: at, endedAt: undefined, cause: undefined, subject, framedAddress: undefined, callingStation: undefined,
    used: NOTHING_USED, seconds: undefined, chain: EMPTY_CHAIN,
  };
};

const orderOf = ({ anchor }: Session, { counters }: SessionReport, at: number): number => (counters.seconds === undefined ? at : anchor + Number(counters.seconds) * MICROS);

const endingOf = (session: Session, report: SessionReport, at: number): Pick<Session, 'endedAt' | 'cause'> => {
  if (report.status === 'stop') return { endedAt: at, cause: report.cause ?? 'stop' };
  // It was taken to be over because its NAS had started again, and it lives.
  const isAlive = session.endedAt !== undefined && endedWithNas(session) && at > session.endedAt;
  return isAlive ? { endedAt: undefined, cause: undefined } : { endedAt: session.endedAt, cause: session.cause };
};

/** What became of a report: the session as it is now, and by how much its use grew. A repeated one changes nothing. */
export interface Received { readonly session: Session; readonly growth: Growth; readonly isRepeated: boolean }

const grown = (session: Session, { client, report: told, at, sentAt }: Heard, reportId: string): Received => {
  // Nothing was used at a Start; what it may say of counters is not looked at.
  const counters = told.status === 'start' ? {} : told.counters;
  const { chain, growth } = place(session.chain, { id: reportId, order: orderOf(session, told, at), counters });
  const used = Object.fromEntries(COUNTERS.map((counter) => [counter, session.used[counter] + growth[counter]])) as Growth;
  const { seconds } = counters;
  const ending = told.status === 'start' ? { startedAt: Math.min(session.startedAt, at) } : endingOf(session, told, at);
  const after: Session = {
    ...session, ...ending, client, used, chain, heardFrom: Math.min(session.heardFrom, beganAt(told, sentAt) ?? sentAt), updatedAt: Math.max(session.updatedAt, at), framedAddress: told.framedAddress ?? session.framedAddress, callingStation: told.callingStation ?? session.callingStation,
    seconds: seconds === undefined || (session.seconds !== undefined && session.seconds > seconds) ? session.seconds : seconds,
  };
  return { session: after, growth, isRepeated: false };
};

/**
 * Takes a report in. `sessions` are those of its NAS and Acct-Session-Id, through whichever client, `reportId` is its identity, `newId` the name of a new session. Fault: `subject_missing` where
 * neither the packet nor the session says whose usage it is.
 */
export const receive = (sessions: readonly Session[], heard: Heard, { reportId, newId }: { readonly reportId: string; readonly newId: string }): Received | PacketFault => {
  const [own, others] = [sessions.filter(({ client }) => client === heard.client), sessions.filter(({ client }) => client !== heard.client)];
  const has = ({ chain }: Session): boolean => chain.links.some(({ id }) => id === reportId);
  const repeated = own.find(has) ?? others.find((session) => has(session) && isSameReport(session, heard));
  if (repeated !== undefined) return { session: repeated, growth: NOTHING_USED, isRepeated: true };
  const known = sessionOf(own, heard) ?? movedSessionOf(others, heard);
  const subject = heard.report.subject ?? known?.subject;
  if (subject === undefined) return new PacketFault('subject_missing', 'the attribute that names the subject is missing, and no earlier packet of the session had it');
  return grown({ ...(known ?? opened(newId, subject, heard)), subject }, heard, reportId);
};
