// Two sides of a comparison in one run: interleaved rounds in shuffled order, medians, and CPU over every process that takes part.
import { cpuSecondsOf } from './cpu.mjs';

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const random = (seed) => () => { seed = (seed * 1_664_525 + 1_013_904_223) % 2 ** 32; return seed / 2 ** 32; };

/** Runs `side.round()` again and again for a time; a round answers how many units it did (and in what time, where a program says so itself: its start is not what is compared); it prepares itself outside the time that counts. */
async function measure(side, milliseconds, pids) {
  let [units, elapsed, cpu] = [0, 0, 0];
  while (elapsed < milliseconds) {
    const work = await side.prepare?.();
    const [began, cpuBefore] = [performance.now(), cpuSecondsOf(pids)];
    const done = await side.round(work);
    units += done.units ?? done;
    elapsed += done.milliseconds ?? performance.now() - began;
    cpu += cpuSecondsOf(pids) - cpuBefore;
    await side.tidy?.();
  }
  return { perSecond: Math.round(units / (elapsed / 1_000)), cpuMicrosPerUnit: Number((cpu * 1e6 / units).toFixed(1)) };
}

/**
 * Compares `ours` with `others` by name: `rounds` rounds of each, `seconds` in all. Answers each side's medians and the ratio of ours to each, per round.
 */
export async function pairs({ ours, others, seconds, rounds, seed, pids }) {
  const sides = { ours, ...others };
  const next = random(seed);
  const samples = Object.fromEntries(Object.keys(sides).map((name) => [name, []]));
  const each = seconds * 1_000 / rounds / Object.keys(sides).length;
  for (const side of Object.values(sides)) await measure(side, each / 2, pids);
  for (let round = 0; round < rounds; round++) {
    const order = Object.keys(sides).map((name) => [next(), name]).sort(([a], [b]) => a - b).map(([, name]) => name);
    for (const name of order) samples[name].push(await measure(sides[name], each, pids));
  }
  const ratios = (name, of) => samples.ours.map((one, round) => of(one, samples[name][round]));
  return {
    samples,
    sides: Object.fromEntries(Object.entries(samples).map(([name, all]) => [name, { perSecond: median(all.map(({ perSecond }) => perSecond)), cpuMicrosPerUnit: median(all.map(({ cpuMicrosPerUnit }) => cpuMicrosPerUnit)) }])),
    ratio: Object.fromEntries(Object.keys(others).map((name) => [name, {
      speed: median(ratios(name, (a, b) => a.perSecond / b.perSecond)),
      cpu: median(ratios(name, (a, b) => b.cpuMicrosPerUnit / a.cpuMicrosPerUnit)),
      spread: [Math.min(...ratios(name, (a, b) => a.perSecond / b.perSecond)), Math.max(...ratios(name, (a, b) => a.perSecond / b.perSecond))],
    }])),
  };
}
