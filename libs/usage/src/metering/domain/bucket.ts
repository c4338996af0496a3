/** Usage is added up per quarter of an hour, or per sample window of a meter, counted in UTC. All instants here are microseconds since 1970. */
export const BUCKET_MICROS = 900_000_000;

/** The start of the bucket that an instant is in. */
export const bucketOf = (micros: number, length = BUCKET_MICROS): number => micros - (micros % length);

/** The first start of a bucket at or after an instant. */
export const bucketFrom = (micros: number, length = BUCKET_MICROS): number => bucketOf(micros + length - 1, length);

/** Half-open, in microseconds. */
export interface Stretch { readonly from: number; readonly to: number }

/** The whole buckets in a stretch: from the first start to the end of the last one. Empty where `to` is not above `from`. */
export const wholeBuckets = ({ from, to }: Stretch, length = BUCKET_MICROS): Stretch => ({ from: bucketFrom(from, length), to: bucketOf(to, length) });

/** What is left of a stretch beside its whole buckets: at most a piece at each end. */
export const raggedEdges = (stretch: Stretch, length = BUCKET_MICROS): Stretch[] => {
  const { from, to } = stretch;
  if (from >= to) return [];
  const whole = wholeBuckets(stretch, length);
  if (whole.from > whole.to) return [stretch];
  return [{ from, to: whole.from }, { from: whole.to, to }].filter((edge) => edge.from < edge.to);
};

/** Windows of one length, each as far from the one before: the nth of them, from 0, begins at `from + n x every`. `first` is the place of the first of them among all windows. */
export interface WindowRun { readonly from: number; readonly every: number; readonly length: number; readonly count: number; readonly first: number }

/** Windows in order as runs: a month of hours is one of them, and of days one or two where its zone changes its clocks. */
export const runsOfWindows = (windows: readonly Stretch[]): WindowRun[] => {
  const runs: WindowRun[] = [];
  for (let at = 0; at < windows.length;) {
    const [{ from, to }, next] = [windows[at]!, windows[at + 1]];
    const [length, every] = [to - from, next !== undefined && next.to - next.from === to - from ? next.from - from : to - from];
    let count = 1;
    while (windows[at + count]?.from === from + count * every && windows[at + count]!.to === from + count * every + length) count += 1;
    runs.push({ from, every, length, count, first: at });
    at += count;
  }
  return runs;
};

/** Stretches as ones that do not overlap. */
export const united = (stretches: readonly Stretch[]): Stretch[] => {
  const all: { from: number; to: number }[] = [];
  for (const { from, to } of [...stretches].sort((left, right) => left.from - right.from)) {
    const last = all.at(-1);
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to);
    else all.push({ from, to });
  }
  return all;
};
