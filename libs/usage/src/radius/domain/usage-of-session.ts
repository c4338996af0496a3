import { derivedId, instantFromMicros } from '@valueverse/kernel';
import { COUNTERS, type SessionReport } from './accounting';
import type { Growth } from './counter-chain';
import type { Session } from './sessions';

export const ACCOUNTING_EVENT_TYPE = 'radius.accounting';

/**
 * The identity of a report, and the id of the event that it leads to: the same packet again is the same report, whichever client it comes through. A NAS that sends Event-Timestamp may use its session ids again and report the
 * same counters; one that does not would have that taken for a repetition.
 */
export const reportIdOf = ({ nas, sessionId, status, counters, timestamp }: SessionReport): string =>
  derivedId('acct', nas, sessionId, status, ...COUNTERS.map((counter) => String(counters[counter] ?? '')), String(timestamp ?? ''));

/** The usage of one report as a CloudEvent. Octets and packets are decimal strings, because they may have more digits than a number of JSON can hold; input is what the subject sent. */
export const usageEventOf = (client: string, report: SessionReport, session: Session, growth: Growth, given: { readonly id: string; readonly at: number }): object => ({
  specversion: '1.0', id: given.id, source: `radius/${client}`, type: ACCOUNTING_EVENT_TYPE, subject: session.subject, time: instantFromMicros(given.at),
  data: {
    session: session.id, sessionId: report.sessionId, nas: report.nas, status: report.status,
    inputOctets: String(growth.inputOctets), outputOctets: String(growth.outputOctets), totalOctets: String(growth.inputOctets + growth.outputOctets),
    inputPackets: String(growth.inputPackets), outputPackets: String(growth.outputPackets), sessionSeconds: Number(growth.seconds),
    ...(report.status === 'stop' ? { cause: session.cause } : {}), ...(session.framedAddress === undefined ? {} : { framedAddress: session.framedAddress }),
    ...(session.callingStation === undefined ? {} : { callingStation: session.callingStation }),
  },
});
