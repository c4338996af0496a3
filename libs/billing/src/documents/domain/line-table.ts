import type { Money } from '@valueverse/kernel';
import type { Look } from './letterhead';
import { GREY, LIGHT, lineHeight, oneLine, type Sheet } from './page';

/** A row: what it is, what is said below it, its cells from left to right, and what it adds to the sum that is carried over. */
export interface TableRow { readonly title: string; readonly notes: readonly string[]; readonly cells: readonly string[]; readonly amount: Money }
/** Rows that belong together, under a title where there are several groups. */
export interface TableGroup { readonly title?: string; readonly sum?: string; readonly rows: readonly TableRow[] }
export interface Table {
  readonly look: Look;
  /** Heads of the cells; the last one is that of the amount. */
  readonly heads: readonly string[];
  readonly groups: readonly TableGroup[];
  readonly nothing: Money;
}

const SIZE = 9;
const SMALL = 7.5;
const GAP = 14;
const CELL_WIDTH_MAX = 150;
/** Kept below the rows of a page for what is carried over. */
const CARRY_HEIGHT = 20;
const HEAD_HEIGHT = 20;
const BELOW_ROW = 5;
/** What widths that were added up may differ by. */
const ROUGHLY = 0.01;

/** Each column of numbers is as wide as its widest; what is wider than the most is broken. */
const widthsOf = (sheet: Sheet, { heads, groups }: Table): number[] => heads.map((head, column) => {
  const cells = groups.flatMap(({ rows, sum }) => [...rows.map(({ cells: own }) => own[column]!), ...(sum === undefined || column < heads.length - 1 ? [] : [sum])]);
  const widest = cells.reduce((most, cell) => Math.max(most, sheet.measure(cell, 'text', SIZE)), sheet.measure(head, 'bold', SIZE));
  return Math.min(widest, CELL_WIDTH_MAX) + GAP;
});

/** Writes a table over as many pages as it takes: with its head on each, and the sum so far carried over. */
export const writeTable = (sheet: Sheet, table: Table): void => new TableWriter(sheet, table).write();

class TableWriter {
  private readonly widths: readonly number[];
  private readonly firstWidth: number;
  private sum: Money;
  private count = 0;

  constructor(private readonly sheet: Sheet, private readonly table: Table) {
    this.widths = widthsOf(sheet, table);
    this.firstWidth = sheet.width - this.widths.reduce((all, width) => all + width, 0);
    this.sum = table.nothing;
  }

  write(): void {
    const { sheet, table } = this;
    this.head();
    sheet.onFull = () => this.carry(table.look.words.carriedOver);
    for (const { title, sum, rows } of table.groups) {
      if (title !== undefined) this.groupHead(title, sum ?? '');
      for (const row of rows) this.row(row);
    }
    sheet.onFull = () => undefined;
  }

  private need(height: number): void {
    if (!this.sheet.need(height + CARRY_HEIGHT)) return;
    this.head();
    this.carry(this.table.look.words.broughtForward);
    if (this.count > 0) this.sheet.y += CARRY_HEIGHT;
  }

  private head(): void {
    const { sheet, table: { look: { words }, heads } } = this;
    sheet.line(words.description, sheet.y, sheet.left, this.firstWidth, { font: 'bold', size: SIZE - 0.5, color: GREY });
    this.cells(heads, { font: 'bold', size: SIZE - 0.5, color: GREY });
    sheet.rule(sheet.y + HEAD_HEIGHT - 6);
    sheet.y += HEAD_HEIGHT;
  }

  private groupHead(title: string, sum: string): void {
    const { sheet } = this;
    const cells = [...this.widths.slice(1).map(() => ''), sum];
    const lines = sheet.lines(title, this.firstWidth, { font: 'bold', size: SIZE });
    const height = Math.max(lines.length, this.cellLines(cells)) * lineHeight(SIZE) + BELOW_ROW - 1;
    // A title stays with the first row below it.
    this.need(height + lineHeight(SIZE) * 3);
    this.cells(cells, { size: SIZE, color: GREY });
    lines.forEach((line, nth) => sheet.line(line, sheet.y + nth * lineHeight(SIZE), sheet.left, this.firstWidth, { font: 'bold', size: SIZE }));
    sheet.y += height;
  }

  private row({ title, notes, cells, amount }: TableRow): void {
    const { sheet } = this;
    const titles = sheet.lines(oneLine(title), this.firstWidth, { size: SIZE });
    const below = notes.flatMap((note) => sheet.lines(note, this.firstWidth, { size: SMALL }));
    const height = Math.max(titles.length * lineHeight(SIZE) + below.length * lineHeight(SMALL), this.cellLines(cells) * lineHeight(SIZE)) + BELOW_ROW;
    this.need(height);
    const { y } = sheet;
    this.cells(cells, { size: SIZE });
    titles.forEach((line, nth) => sheet.line(line, y + nth * lineHeight(SIZE), sheet.left, this.firstWidth, { size: SIZE }));
    below.forEach((line, nth) => sheet.line(line, y + titles.length * lineHeight(SIZE) + nth * lineHeight(SMALL), sheet.left, this.firstWidth, { size: SMALL, color: GREY }));
    sheet.y = y + height;
    this.sum = this.sum.add(amount);
    this.count += 1;
  }

  /** Numbers at the right end of their columns, at the height where the row begins. */
  private cells(cells: readonly string[], style: { font?: 'text' | 'bold'; size: number; color?: string }): void {
    const { sheet } = this;
    let x = sheet.left + this.firstWidth;
    for (const [nth, cell] of cells.entries()) {
      const width = this.widths[nth]!;
      sheet.lines(cell, width - GAP + ROUGHLY, style).forEach((line, row) => sheet.line(line, sheet.y + row * lineHeight(style.size), x + GAP, width - GAP, { ...style, align: 'right' }));
      x += width;
    }
  }

  private cellLines(cells: readonly string[]): number { return Math.max(...cells.map((cell, nth) => this.sheet.lines(cell, this.widths[nth]! - GAP + ROUGHLY, { size: SIZE }).length)); }

  private carry(label: string): void {
    if (this.count === 0) return;
    const { sheet, table: { look: { formats } } } = this;
    sheet.line(label, sheet.y + 2, sheet.left, this.firstWidth, { size: SIZE, color: GREY });
    this.lastCell(formats.number(this.sum.toString()), sheet.y + 2);
    sheet.rule(sheet.y + CARRY_HEIGHT - 4, sheet.left, sheet.width, LIGHT);
  }

  private lastCell(text: string, y: number): void {
    this.sheet.line(text, y, this.sheet.left, this.sheet.width, { size: SIZE, color: GREY, align: 'right' });
  }
}
