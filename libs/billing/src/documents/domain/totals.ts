import { BLACK, lineHeight, type Sheet } from './page';

/** One line of a sum at the end of a document. */
export interface TotalRow { readonly label: string; readonly amount: string; readonly isStrong?: boolean; readonly color?: string }

const WIDTH = 290;
const GAP = 14;
const BETWEEN = 4;
const sizeOf = ({ isStrong = false }: TotalRow): number => (isStrong ? 10.5 : 9);

/** Writes what the lines come to at the right, all of it on one page. */
export const writeTotals = (sheet: Sheet, rows: readonly TotalRow[]): void => {
  const x = sheet.right - WIDTH;
  const amountWidth = rows.reduce((most, row) => Math.max(most, sheet.measure(row.amount, row.isStrong === true ? 'bold' : 'text', sizeOf(row))), 0);
  const labelWidth = WIDTH - amountWidth - GAP;
  const laid = rows.map((row) => {
    const style = { font: row.isStrong === true ? 'bold' as const : 'text' as const, size: sizeOf(row), color: row.color ?? BLACK };
    const lines = sheet.lines(row.label, labelWidth, style);
    return { row, style, lines, height: lines.length * lineHeight(style.size) + BETWEEN };
  });
  sheet.need(laid.reduce((sum, { height }) => sum + height, 0) + GAP);
  sheet.rule(sheet.y);
  sheet.y += BETWEEN * 2;
  for (const { row, style, lines, height } of laid) {
    sheet.line(row.amount, sheet.y, x, WIDTH, { ...style, align: 'right' });
    lines.forEach((line, nth) => sheet.line(line, sheet.y + nth * lineHeight(style.size), x, labelWidth, style));
    sheet.y += height;
  }
};
