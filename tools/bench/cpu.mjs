// What processes cost, by /proc.
import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;
const statOf = (pid) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');

/** The processes that descend from one, by /proc. */
export function family(pid) {
  const parents = new Map();
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try { parents.set(Number(entry), Number(statOf(entry)[1])); } catch { /* it has just ended */ }
  }
  const found = [pid];
  for (const parent of found) for (const [child, of] of parents) if (of === parent) found.push(child);
  return found;
}

/** CPU seconds of processes and all that descends from them, children that have ended included. */
export const cpuSecondsOf = (pids) => pids.flatMap(family).reduce((sum, pid) => {
  try {
    const stat = statOf(pid);
    return sum + [11, 12, 13, 14].reduce((ticks, field) => ticks + Number(stat[field]), 0) / TICKS_PER_SECOND;
  } catch { return sum; }
}, 0);
