import type { MeterRule } from './domain/measure';
import { Tally, type TallyColumns } from './domain/tally';

/** A bucket of a series of a subject, by name. */
export interface CellName { readonly subject: string; readonly meter: string; readonly version: number; readonly groups: string; readonly bucket: number }
/** What buckets hold, or have to hold, by their names. */
export type NamedCells = Map<string, { readonly named: CellName; readonly tally: Tally }>;

export const cellName = ({ subject, meter, version, groups, bucket }: CellName): string => JSON.stringify([subject, meter, version, bucket, groups]);

/** The tally of a bucket, made where there is none. */
export const cellIn = (cells: NamedCells, named: CellName, fresh: () => Tally): Tally => {
  const known = cells.get(cellName(named));
  if (known !== undefined) return known.tally;
  const tally = fresh();
  cells.set(cellName(named), { named, tally });
  return tally;
};
export const freshTally = ({ aggregation: { fold, weighsTime } }: MeterRule): Tally => new Tally(fold, weighsTime);

/** A bucket as a row: `values` are those that it tells apart, and how many events had each. */
export interface CellRow { readonly events: bigint; readonly total: string; readonly moment: string | null; readonly at: bigint | null; readonly tie: string | null; readonly values: readonly (readonly [value: string, events: number])[] | null }

/** What a row of a bucket holds. */
export const storedTally = ({ aggregation: { fold } }: MeterRule, { events, total, moment, at, tie, values }: CellRow): Tally => {
  const columns: TallyColumns = { events: Number(events), total, moment, at: at === null ? null : Number(at), tie };
  const tally = new Tally(fold, moment !== null);
  tally.mergeColumns(columns);
  for (const [value, count] of values ?? []) tally.see(value, count);
  return tally;
};

/** All that a tally holds, as one text: the same for two that hold the same. Nothing is the empty text. */
export const tallyText = (tally: Tally | undefined): string => (tally === undefined || tally.events === 0 ? ''
  : JSON.stringify([tally.columns, [...tally.values].filter(([, events]) => events !== 0).sort(([left], [right]) => (left < right ? -1 : 1))]));

/** The names of what two lists of buckets do not hold alike, in the order of the first, then of the second. */
export const differingCells = (expected: NamedCells, stored: NamedCells): CellName[] =>
  [...new Map([...expected, ...stored]).entries()].flatMap(([name, { named }]) => (tallyText(expected.get(name)?.tally) === tallyText(stored.get(name)?.tally) ? [] : [named]));
