import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import type { Font, Measure, Page } from '../domain/page';
import { TrueTypeFont } from './true-type-font';

/** A font as it lies in a PDF. */
export interface EmbeddedFont {
  readonly name: string;
  readonly file: Buffer;
  readonly fileLength: number;
  readonly descriptor: string;
  readonly widths: string;
  readonly toUnicode: Buffer;
  /** A text as numbers of glyphs, four hexadecimal digits each. */
  encode(text: string): string;
  widthOf(text: string, size: number): number;
}
export type EmbeddedFonts = Readonly<Record<Font, EmbeddedFont>>;

const FONTS = join(__dirname, '../fonts');
const EM = 1_000;
const HEX = 16;
const MAPPED_AT_ONCE = 100;
/** Printable ASCII, and what our own words are written with: the characters of most documents. More of them would make every document larger. */
const USUAL = [...Array.from({ length: 0x7f - 0x20 }, (_, nth) => 0x20 + nth), ...[...'§©·ÄÖÜßäöüé–€'].map((character) => character.codePointAt(0)!)];
/** What is written in the place of a character that the fonts have not. */
const UNKNOWN = 0x3f;

const hex = (value: number): string => value.toString(HEX).padStart(4, '0');
const charactersOf = (text: string): number[] => Array.from(text, (character) => character.codePointAt(0)!);

/** Which character each glyph stands for, so that a text can be found and copied. */
const toUnicodeOf = (characters: readonly number[], glyphOf: (character: number) => number): string => {
  const pairs = characters.map((character) => `<${hex(glyphOf(character))}> <${hex(character)}>`);
  const blocks = Array.from({ length: Math.ceil(pairs.length / MAPPED_AT_ONCE) }, (_, nth) => pairs.slice(nth * MAPPED_AT_ONCE, (nth + 1) * MAPPED_AT_ONCE));
  return [
    '/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def /CMapName /Adobe-Identity-UCS def /CMapType 2 def',
    '1 begincodespacerange <0000> <ffff> endcodespacerange', ...blocks.map((block) => `${block.length} beginbfchar\n${block.join('\n')}\nendbfchar`), 'endcmap CMapName currentdict /CMap defineresource pop end end',
  ].join('\n');
};

/** A font of ours, read once; with the usual characters it is cut and packed once for all documents. */
class DocumentFont {
  private readonly font: TrueTypeFont;
  private readonly usual: EmbeddedFont;
  private readonly isUsual: ReadonlySet<number>;

  constructor(fileName: string, private readonly name: string, private readonly weight: number) {
    this.font = new TrueTypeFont(name, readFileSync(join(FONTS, fileName)));
    this.isUsual = new Set(USUAL);
    this.usual = this.embedded([]);
  }

  widthOf(text: string, size: number): number {
    let width = 0;
    for (let at = 0; at < text.length; at++) {
      const character = text.codePointAt(at)!;
      if (character > 0xffff) at++;
      width += this.font.widthOf(this.glyphOf(character));
    }
    return width * size / EM;
  }

  /** The font with the usual characters and those of the texts. */
  for(texts: readonly string[]): EmbeddedFont {
    const more = new Set<number>();
    for (const text of texts) for (let at = 0; at < text.length; at++) if (!this.isUsual.has(text.charCodeAt(at))) more.add(text.codePointAt(at)!);
    const known = [...more].filter((character) => this.font.glyphOf(character) !== 0);
    return known.length === 0 ? this.usual : this.embedded(known.sort((one, other) => one - other));
  }

  private glyphOf(character: number): number { return this.font.glyphOf(character) || this.font.glyphOf(UNKNOWN); }

  private embedded(more: readonly number[]): EmbeddedFont {
    const { font } = this;
    const characters = [...USUAL, ...more];
    const glyphs = [...new Set(characters.map((character) => this.glyphOf(character)))].sort((one, other) => one - other);
    const file = font.subset(glyphs);
    return {
      // The six letters say that it is a part of the font.
      name: `VALUEV+${this.name}`, file: deflateSync(file), fileLength: file.length, toUnicode: deflateSync(toUnicodeOf(characters, (character) => font.glyphOf(character))), widths: [0, ...glyphs].map((glyph) => `${glyph} [${font.widthOf(glyph)}]`).join(' '),
      descriptor: `/Flags 4 /FontBBox [${font.box.join(' ')}] /ItalicAngle 0 /Ascent ${font.ascent} /Descent ${font.descent} /CapHeight ${font.ascent} /StemV ${this.weight}`,
      encode: (text) => charactersOf(text).map((character) => hex(this.glyphOf(character))).join(''), widthOf: (text, size) => this.widthOf(text, size),
    };
  }
}

let loaded: Readonly<Record<Font, DocumentFont>> | undefined;
/** Read when the first document is made: not everybody who starts makes one. */
const fonts = (): Readonly<Record<Font, DocumentFont>> =>
  loaded ??= { text: new DocumentFont('DejaVuSans.subset.ttf', 'DejaVuSans', 80), bold: new DocumentFont('DejaVuSans-Bold.subset.ttf', 'DejaVuSans-Bold', 140) };

export const measure: Measure = (text, font, size) => fonts()[font].widthOf(text, size);

/** The fonts of a document, with the characters that are in it. They have Latin, Greek and Cyrillic; in the place of any other character is a question mark. */
export const fontsFor = (pages: readonly Page[]): EmbeddedFonts => {
  const texts: Record<Font, string[]> = { text: [], bold: [] };
  for (const mark of pages.flatMap(({ marks }) => marks)) {
    if (mark.kind === 'text') texts[mark.font].push(mark.text);
    if (mark.kind === 'stamp') texts.bold.push(mark.text);
  }
  return { text: fonts().text.for(texts.text), bold: fonts().bold.for(texts.bold) };
};
