import { COUNTERS, type SessionReport } from './accounting';
import { beganAt, MICROS, START_TOLERANCE_MICROS } from './beginning';

/** What a report is held against where its session was heard of through another client. */
interface Elsewhere { readonly startedAt: number; readonly updatedAt: number; readonly seconds: bigint | undefined; readonly subject: string; readonly callingStation: string | undefined }
interface Heard { readonly report: SessionReport; readonly at: number }

/** Whether both tell the same, other things, or one of them nothing. */
type Agreement = 'same' | 'other' | 'untold';
const agreementOf = (told: string | undefined, known: string | undefined): Agreement => (told === undefined || known === undefined ? 'untold' : told === known ? 'same' : 'other');

const onWho = ({ subject, callingStation }: Elsewhere, { report }: Heard): readonly [subject: Agreement, station: Agreement] => [agreementOf(report.subject, subject), agreementOf(report.callingStation, callingStation)];
/** A beginning as it was told first or last: a clock of a NAS is set, and runs otherwise than the time of its sessions. */
const onBeginning = ({ startedAt, updatedAt, seconds }: Elsewhere, { report, at }: Heard): Agreement => {
  const began = beganAt(report, at);
  if (began === undefined) return 'untold';
  const known = [startedAt, ...(seconds === undefined ? [] : [updatedAt - Number(seconds) * MICROS])];
  return known.some((beginning) => Math.abs(beginning - began) <= START_TOLERANCE_MICROS) ? 'same' : 'other';
};
const count = (agreements: readonly Agreement[], wanted: Agreement): number => agreements.filter((agreement) => agreement === wanted).length;

/** Of subject, beginning and calling station so many have to be told by both and be the same, and none may be another. */
const SAME_MIN = 2;

/** Whether a session that was heard of through another client is, beside its NAS and its Acct-Session-Id, the one that a report tells of. */
export const isSameElsewhere = (session: Elsewhere, heard: Heard): boolean => {
  const agreements = [...onWho(session, heard), onBeginning(session, heard)];
  return count(agreements, 'other') === 0 && count(agreements, 'same') >= SAME_MIN;
};

/** Whether a report with the identity of one that came through another client is that one: it tells a time or counts something, of the same subject or calling station. A Start of a NAS without a clock says nothing of its own. */
export const isSameReport = (session: Elsewhere, heard: Heard): boolean => {
  const { timestamp, counters } = heard.report;
  const who = onWho(session, heard);
  return (timestamp !== undefined || COUNTERS.some((counter) => (counters[counter] ?? 0n) > 0n)) && count(who, 'other') === 0 && count(who, 'same') > 0;
};
