import { COUNTERS, type Counter, type Counters } from './accounting';

/** One report in the order of its session. */
export interface Link {
  /** What tells this report from others of its session; the same again is the same report. */
  readonly id: string;
  /** Where in the session it stands, in microseconds: by the session's own time where it is told, else by the clock. */
  readonly order: number;
  readonly counters: Counters;
}
/** The latest reports of a session, and what the counters were before them. */
export interface Chain {
  readonly links: readonly Link[];
  /** The counters at the end of what is no longer kept. */
  readonly floor: { readonly order: number; readonly counters: Counters } | undefined;
}
export const EMPTY_CHAIN: Chain = { links: [], floor: undefined };
export type Growth = Readonly<Record<Counter, bigint>>;

/** So many reports of a session are kept to put one in its place that comes late. */
export const LINKS_MAX = 16;

/** From one report to the next. A counter that is lower than before was set back, and has counted from zero since. */
const step = (before: bigint, after: bigint): bigint => (after >= before ? after - before : after);

const compare = (a: Link, b: Link, counter: Counter): number => a.order - b.order || Number((a.counters[counter] ?? 0n) - (b.counters[counter] ?? 0n));
/** Reports of the same second go by what they count. */
const inOrder = (a: Link, b: Link): number => COUNTERS.reduce((found, counter) => found || compare(a, b, counter), 0);

const growthOf = (chain: Chain, link: Link, counter: Counter): bigint => {
  const value = link.counters[counter];
  if (value === undefined) return 0n;
  const row = [...chain.links.filter(({ counters }) => counters[counter] !== undefined), link].sort((a, b) => compare(a, b, counter));
  const at = row.indexOf(link);
  const previous = row[at - 1]?.counters[counter] ?? chain.floor?.counters[counter] ?? 0n;
  const next = row[at + 1]?.counters[counter];
  return next === undefined ? step(previous, value) : step(previous, value) + step(value, next) - step(previous, next);
};

const NO_GROWTH: Growth = { inputOctets: 0n, outputOctets: 0n, inputPackets: 0n, outputPackets: 0n, seconds: 0n };

/**
 * Puts a report in its place and answers by how much the session's use grows: by what all reports together come to with it, less what they came to without. That is never negative,
 * and in whatever order the reports of a session come, the growths add up to the same. A report from before everything that is kept adds
 * nothing: what it counted is in the floor.
 */
export const place = (chain: Chain, link: Link): { chain: Chain; growth: Growth } => {
  if (chain.links.some(({ id }) => id === link.id) || (chain.floor !== undefined && link.order <= chain.floor.order)) return { chain, growth: NO_GROWTH };
  const growth = Object.fromEntries(COUNTERS.map((counter) => [counter, growthOf(chain, link, counter)])) as Growth;
  const links = [...chain.links, link].sort(inOrder);
  if (links.length <= LINKS_MAX) return { chain: { ...chain, links }, growth };
  const [oldest, ...rest] = links as [Link, ...Link[]];
  return { chain: { links: rest, floor: { order: oldest.order, counters: { ...chain.floor?.counters, ...oldest.counters } } }, growth };
};

export const hasGrown = (growth: Growth): boolean => COUNTERS.some((counter) => growth[counter] > 0n);
