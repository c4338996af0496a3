import { compareInstants } from '@valueverse/kernel';
import type { ClockReport } from '@valueverse/contracts';

/**
 * What a clock still waits for; nothing when it is quiet: every service stands at its time, no job of it is due, and every fact of it is in
 * the feed and handled by every service that reads its topic. Two rounds in a row with the same facts make sure.
 */
export const waitsFor = (reports: readonly ClockReport[], now: string): string[] => {
  const waiting = reports.flatMap((report) => [
    ...(report.now === now ? [] : [`${report.service}: the clock to stand at ${now}`]),
    ...report.waitingFor,
  ]);
  for (const { service, appended, relayed } of reports) {
    for (const { topic, partition, position } of appended) {
      if (BigInt(relayed[String(partition)] ?? 0) < BigInt(position)) { waiting.push(`${service}: ${topic}/${partition} to be published`); continue; }
      for (const reader of reports) {
        const consumed = reader.consumed[`${topic}/${partition}`];
        if (consumed !== undefined && BigInt(consumed) < BigInt(position)) waiting.push(`${reader.service}: ${topic}/${partition} to be read`);
      }
    }
  }
  return waiting;
};

/** The next instant at which anything of this clock falls due anywhere, or the target. */
export const nextStep = (reports: readonly ClockReport[], target: string): string =>
  reports.reduce((next, { nextDue }) => (nextDue !== undefined && compareInstants(nextDue, next) < 0 ? nextDue : next), target);
