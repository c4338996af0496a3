import { parse } from 'csv-parse/sync';

/** What may stand between cells. */
export const DELIMITERS = { comma: ',', semicolon: ';', tab: '\t', pipe: '|' } as const;
export type Delimiter = keyof typeof DELIMITERS;

/** The cells of records that are known to be whole. */
export const cellsOf = (records: Buffer, delimiter: Delimiter): string[][] =>
  parse(records, { delimiter: DELIMITERS[delimiter], relax_column_count: true, record_delimiter: ['\r\n', '\n'] });

const NUMBER = /^[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
/** What makes a spreadsheet run a cell (OWASP, CSV injection). */
const RUNS = /^[=+\-@\t\r]/;
const KEPT_FROM_RUNNING = /^'[=+\-@\t\r]/;

/** Whether a spreadsheet would run the cell as a formula; a number with its sign is none. */
export const isFormula = (cell: string): boolean => RUNS.test(cell) && !NUMBER.test(cell);
/** A cell as it was before an apostrophe kept it from being run. */
export const asItWas = (cell: string): string => (KEPT_FROM_RUNNING.test(cell) ? cell.slice(1) : cell);

/** A cell as text of CSV, in quotes where it has to be. */
export const cellText = (cell: string, delimiter: Delimiter): string => {
  const safe = isFormula(cell) ? `'${cell}` : cell;
  return /["\r\n]|^\s|\s$/.test(safe) || safe.includes(DELIMITERS[delimiter]) ? `"${safe.replaceAll('"', '""')}"` : safe;
};
