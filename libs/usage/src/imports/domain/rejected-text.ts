import { DELIMITERS, type Delimiter } from './csv-cells';
import { REJECTION_COLUMN } from './row-event';

/** A rejected row: why, and the row as it came. */
export interface Rejection { readonly code: string; readonly detail: string; readonly raw: Buffer }

const reasonOf = ({ code, detail }: Rejection): string => `${code}: ${detail}`;
const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
/** The reason for which a row was rejected before it was sent again, as it stands before the row. */
const REASON_CELL = /^"(?:[^"]|"")*"/;
const REASON_FIELD = /^\{\s*"rejection"\s*:\s*"(?:[^"\\]|\\.)*"\s*,?/;

/** The header of rejected rows: their columns behind the reason, which comes first because rows may have too few cells or too many. */
export const rejectedHeader = (columns: readonly string[], delimiter: Delimiter): string =>
  `${[REJECTION_COLUMN, ...columns.filter((column) => column !== REJECTION_COLUMN).map((column) => (/["\r\n]/.test(column) || column.includes(DELIMITERS[delimiter]) ? quoted(column) : column))].join(DELIMITERS[delimiter])}\n`;

/** A rejected row of CSV behind its reason; `wasMended` where the file had reasons already, which are replaced. */
export const rejectedRow = (rejection: Rejection, delimiter: Delimiter, wasMended: boolean): Buffer => {
  const between = DELIMITERS[delimiter];
  const text = rejection.raw.toString('latin1');
  const reason = wasMended ? REASON_CELL.exec(text)?.[0] ?? text.slice(0, Math.max(0, text.indexOf(between))) : undefined;
  const rest = reason === undefined ? rejection.raw : rejection.raw.subarray(Math.min(rejection.raw.length, reason.length + between.length));
  return Buffer.concat([Buffer.from(quoted(reasonOf(rejection)) + between), rest, Buffer.from('\n')]);
};

/** A rejected line with its reason as its first field; a line that is no object stands as a text in `line`. */
export const rejectedLine = (rejection: Rejection): string => {
  const text = rejection.raw.toString();
  const reason = `{${JSON.stringify(REJECTION_COLUMN)}:${JSON.stringify(reasonOf(rejection))}`;
  if (!isObjectText(text)) return `${reason},"line":${JSON.stringify(text)}}\n`;
  const inner = (REASON_FIELD.test(text) ? text.replace(REASON_FIELD, '') : text.trimStart().slice(1)).trimStart();
  return inner.startsWith('}') ? `${reason}${inner}\n` : `${reason},${inner}\n`;
};

const isObjectText = (text: string): boolean => {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
};
