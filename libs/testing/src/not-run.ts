import { appendFileSync } from 'node:fs';

/** Notes a group of specs that could not run here; the run prints and counts these at its end. */
export function noteNotRun(name: string, reason: string): void {
  const file = process.env['VV_NOT_RUN_FILE'];
  if (!file) throw new Error(`${name} is not run (${reason}), and there is no report to say so`);
  appendFileSync(file, `${JSON.stringify({ name, reason })}\n`);
}
