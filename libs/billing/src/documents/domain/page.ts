/** Points from the upper left corner of the page; a text stands on its `y`. */
export interface TextMark { readonly kind: 'text'; readonly x: number; readonly y: number; readonly text: string; readonly font: Font; readonly size: number; readonly color: string }
export interface BoxMark { readonly kind: 'box'; readonly x: number; readonly y: number; readonly width: number; readonly height: number; readonly color: string }
/** A text across the page, upwards, behind everything else. */
export interface StampMark { readonly kind: 'stamp'; readonly text: string; readonly size: number; readonly color: string }
export type Mark = TextMark | BoxMark | StampMark;
export interface Page { readonly marks: Mark[] }
export type Font = 'text' | 'bold';
export type PageSize = 'A4' | 'Letter';

/** In points of 1/72 inch. ISO 216, ANSI Y14.1. */
export const PAPERS: Readonly<Record<PageSize, { readonly width: number; readonly height: number }>> = { A4: { width: 595.28, height: 841.89 }, Letter: { width: 612, height: 792 } };

/** How wide a text is, in points. */
export type Measure = (text: string, font: Font, size: number) => number;

export interface Style { readonly font?: Font; readonly size?: number; readonly color?: string; readonly align?: 'left' | 'right' }
export const BLACK = '#101828';
export const GREY = '#667085';
export const LIGHT = '#d0d5dd';
const SIZE_DEFAULT = 9;
const LEADING = 1.3;
const ASCENT = 0.93;

const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;
/** A text as one line, each letter and its accent one character where there is one: a font has those. */
export const oneLine = (text: string): string => text.normalize('NFC').replace(CONTROL, ' ').trim();

/** A text in lines that fit into a width: broken at spaces and ends of lines, and inside of a word that is longer than a line. */
export const wrapped = (text: string, width: number, widthOf: (text: string) => number): string[] => text.split(/\r\n|[\r\n\u2028\u2029]/).flatMap((paragraph) => {
  const lines: string[] = [];
  let line = '';
  for (const word of oneLine(paragraph).split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (widthOf(longer) <= width) { line = longer; continue; }
    if (line !== '') lines.push(line);
    line = word;
    while (widthOf(line) > width) {
      const part = fitting(line, width, widthOf);
      lines.push(part);
      line = line.slice(part.length);
    }
  }
  return [...lines, line];
});

/** As many characters of the beginning of a text as fit, one at least. */
const fitting = (text: string, width: number, widthOf: (text: string) => number): string => {
  const characters = [...text];
  let [least, most] = [1, characters.length];
  while (least < most) {
    const half = Math.ceil((least + most) / 2);
    if (widthOf(characters.slice(0, half).join('')) <= width) least = half;
    else most = half - 1;
  }
  return characters.slice(0, least).join('');
};

export const lineHeight = (size: number): number => size * LEADING;

/** The pages of a document, written from above to below. `y` is where the next thing begins. */
export class Sheet {
  readonly pages: Page[] = [];
  y = 0;
  /** What stands on each page before anything else, and what is said where a page is full. */
  onPage: () => void = () => undefined;
  onFull: () => void = () => undefined;

  constructor(readonly left: number, readonly right: number, private readonly bottom: number, readonly measure: Measure) {}

  get width(): number { return this.right - this.left; }
  get isFirst(): boolean { return this.pages.length === 1; }

  newPage(): void {
    this.pages.push({ marks: [] });
    this.onPage();
  }

  /** Begins a page where so much does not fit on this one. */
  need(height: number): boolean {
    if (this.y + height <= this.bottom) return false;
    this.onFull();
    this.newPage();
    return true;
  }

  lines(text: string, width: number, { font = 'text', size = SIZE_DEFAULT }: Style = {}): string[] { return wrapped(text, width, (part) => this.measure(part, font, size)); }

  /** Writes one line of text at a height, without going on. */
  line(text: string, y: number, x: number, width: number, { font = 'text', size = SIZE_DEFAULT, color = BLACK, align = 'left' }: Style = {}): void {
    if (text === '') return;
    const at = align === 'left' ? x : x + width - this.measure(text, font, size);
    this.mark({ kind: 'text', x: at, y: y + size * ASCENT, text, font, size, color });
  }

  /** Writes a text in as many lines as it takes and goes on below it. */
  text(text: string, x: number, width: number, style: Style = {}): void {
    for (const line of this.lines(text, width, style)) {
      this.need(lineHeight(style.size ?? SIZE_DEFAULT));
      this.line(line, this.y, x, width, style);
      this.y += lineHeight(style.size ?? SIZE_DEFAULT);
    }
  }

  rule(y: number, x = this.left, width = this.width, color = LIGHT): void { this.box(x, y, width, 0.7, color); }
  box(x: number, y: number, width: number, height: number, color: string): void { this.mark({ kind: 'box', x, y, width, height, color }); }
  stamp(text: string, size: number, color: string): void { this.mark({ kind: 'stamp', text, size, color }); }

  /** A page that was written before, to write on it once more. */
  onPageOf(nth: number): Sheet {
    const other = new Sheet(this.left, this.right, this.bottom, this.measure);
    other.pages.push(this.pages[nth]!);
    return other;
  }

  private mark(mark: Mark): void { this.pages.at(-1)!.marks.push(mark); }
}
