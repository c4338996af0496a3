import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { type Mark, type Page, PAPERS, type PageSize } from '../domain/page';
import { fontsFor, type EmbeddedFonts } from './embedded-fonts';

export interface PdfContent {
  readonly pages: readonly Page[];
  readonly pageSize: PageSize;
  readonly title: string;
  readonly author: string;
  /** A language tag: readers speak it, and search by it. */
  readonly language: string;
  readonly createdAt: string;
}

const HEADER = Buffer.from('%PDF-1.7\n%\xe2\xe3\xcf\xd3\n', 'latin1');
const STAMP_TURN = 0.62;
const SECONDS = 'YYYY-MM-DDTHH:MM:SS'.length;

/** A text of any characters: UTF-16 with its mark, in hexadecimal digits. */
const textString = (text: string): string => `<feff${Buffer.from(text, 'utf16le').swap16().toString('hex')}>`;
const dateString = (instant: string): string => `(D:${instant.slice(0, SECONDS).replace(/\D/g, '')}Z)`;
const number = (value: number): string => String(Math.round(value * 100) / 100);
const colorOf = (color: string): string => [1, 3, 5].map((at) => number(Number.parseInt(color.slice(at, at + 2), 16) / 255)).join(' ');

/** The marks of a page in the language of pages, which counts from below. */
const contentOf = ({ marks }: Page, { width, height }: { readonly width: number; readonly height: number }, fonts: EmbeddedFonts): string => {
  let color = '';
  const colored = (wanted: string): string => {
    if (wanted === color) return '';
    color = wanted;
    return `${colorOf(wanted)} rg\n`;
  };
  const shown = (mark: Mark): string => {
    if (mark.kind === 'box') return `${colored(mark.color)}${number(mark.x)} ${number(height - mark.y - mark.height)} ${number(mark.width)} ${number(mark.height)} re f\n`;
    if (mark.kind === 'text') return `${colored(mark.color)}BT /${mark.font} ${number(mark.size)} Tf 1 0 0 1 ${number(mark.x)} ${number(height - mark.y)} Tm <${fonts[mark.font].encode(mark.text)}> Tj ET\n`;
    const [sin, cos, half] = [Math.sin(STAMP_TURN), Math.cos(STAMP_TURN), fonts.bold.widthOf(mark.text, mark.size) / 2];
    return `${colored(mark.color)}BT /bold ${number(mark.size)} Tf ${number(cos)} ${number(sin)} ${number(-sin)} ${number(cos)} ${number(width / 2 - half * cos)} ${number(height / 2 - half * sin)} Tm <${fonts.bold.encode(mark.text)}> Tj ET\n`;
  };
  return marks.map(shown).join('');
};

/** The numbered objects of a file, and where each begins. */
class Objects {
  private readonly parts: Buffer[] = [HEADER];
  private readonly offsets: number[] = [];
  private length = HEADER.length;
  private count = 0;

  /** A number for an object that is written later. */
  reserve(): number { return ++this.count; }
  add(body: string, stream?: Buffer): number { return this.put(this.reserve(), body, stream); }
  put(id: number, body: string, stream?: Buffer): number {
    this.offsets[id] = this.length;
    this.push(Buffer.from(`${id} 0 obj\n${body}\n`, 'latin1'));
    if (stream !== undefined) for (const part of [Buffer.from('stream\n'), stream, Buffer.from('\nendstream\n')]) this.push(part);
    this.push(Buffer.from('endobj\n'));
    return id;
  }
  packed(content: Buffer | string, more = ''): number {
    const stream = deflateSync(content);
    return this.add(`<< /Length ${stream.length} /Filter /FlateDecode ${more}>>`, stream);
  }
  /** The whole file. Its id follows from what is in it, so that the same document is the same bytes. */
  file(root: number, info: number): Buffer {
    const id = createHash('sha256').update(Buffer.concat(this.parts)).digest('hex').slice(0, 32);
    const table = Array.from({ length: this.count }, (_, nth) => `${String(this.offsets[nth + 1]).padStart(10, '0')} 00000 n \n`).join('');
    const end = `xref\n0 ${this.count + 1}\n0000000000 65535 f \n${table}trailer\n<< /Size ${this.count + 1} /Root ${root} 0 R /Info ${info} 0 R /ID [<${id}> <${id}>] >>\nstartxref\n${this.length}\n%%EOF\n`;
    return Buffer.concat([...this.parts, Buffer.from(end, 'latin1')]);
  }

  private push(part: Buffer): void {
    this.parts.push(part);
    this.length += part.length;
  }
}

/** Pages of texts and boxes as a PDF 1.7 with its fonts inside. The same content is the same bytes. The source of the format: ISO 32000-1. */
export const pdfFile = ({ pages, pageSize, title, author, language, createdAt }: PdfContent): Buffer => {
  const fonts = fontsFor(pages);
  const paper = PAPERS[pageSize];
  const objects = new Objects();
  const [root, tree] = [objects.reserve(), objects.reserve()];
  const fontIds = Object.entries(fonts).map(([name, font]) => {
    const { file, fileLength, descriptor, widths, name: fontName, toUnicode } = font;
    const fileId = objects.add(`<< /Length ${file.length} /Length1 ${fileLength} /Filter /FlateDecode >>`, file);
    const described = objects.add(`<< /Type /FontDescriptor /FontName /${fontName} ${descriptor} /FontFile2 ${fileId} 0 R >>`);
    const unicode = objects.add(`<< /Length ${toUnicode.length} /Filter /FlateDecode >>`, toUnicode);
    const inner = objects.add(`<< /Type /Font /Subtype /CIDFontType2 /BaseFont /${fontName} /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /FontDescriptor ${described} 0 R /CIDToGIDMap /Identity /W [${widths}] >>`);
    return `/${name} ${objects.add(`<< /Type /Font /Subtype /Type0 /BaseFont /${fontName} /Encoding /Identity-H /DescendantFonts [${inner} 0 R] /ToUnicode ${unicode} 0 R >>`)} 0 R`;
  });
  const resources = objects.add(`<< /Font << ${fontIds.join(' ')} >> >>`);
  const kids = pages.map((page) => {
    const content = objects.packed(contentOf(page, paper, fonts));
    return `${objects.add(`<< /Type /Page /Parent ${tree} 0 R /MediaBox [0 0 ${paper.width} ${paper.height}] /Resources ${resources} 0 R /Contents ${content} 0 R >>`)} 0 R`;
  });
  objects.put(tree, `<< /Type /Pages /Count ${kids.length} /Kids [${kids.join(' ')}] >>`);
  objects.put(root, `<< /Type /Catalog /Pages ${tree} 0 R /Lang ${textString(language)} /ViewerPreferences << /DisplayDocTitle true >> >>`);
  const info = objects.add(`<< /Title ${textString(title)} /Author ${textString(author)} /Creator ${textString('ValueVerse')} /CreationDate ${dateString(createdAt)} >>`);
  return objects.file(root, info);
};
