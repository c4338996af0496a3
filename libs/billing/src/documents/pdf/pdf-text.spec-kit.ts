import { inflateSync } from 'node:zlib';

/** A text on a page: points from the upper left corner. */
export interface PrintedText { readonly x: number; readonly y: number; readonly size: number; readonly font: string; readonly text: string; readonly isTurned: boolean }
export interface PrintedPage { readonly width: number; readonly height: number; readonly texts: readonly PrintedText[] }

const found = (text: string, pattern: RegExp): string => {
  const match = pattern.exec(text)?.[1];
  if (match === undefined) throw new Error(`there is no ${pattern.source} in ${text.slice(0, 200)}`);
  return match;
};

/** The objects of a file by their number, found by its cross-reference table as a reader finds them. */
const objectsOf = (file: Buffer): ReadonlyMap<string, { readonly head: string; readonly stream: Buffer }> => {
  const text = file.toString('latin1');
  const table = text.slice(Number(found(text, /startxref\n(\d+)\n%%EOF\n$/)));
  const offsets = [...table.matchAll(/^(\d{10}) 00000 n $/gm)].map(([, offset]) => Number(offset));
  return new Map(offsets.map((offset) => {
    const head = found(text.slice(offset), /^(\d+ 0 obj\n.*)\n/);
    const length = /\/Length (\d+)/.exec(head)?.[1];
    const begin = offset + head.length + '\nstream\n'.length;
    return [found(head, /^(\d+) /), { head, stream: length === undefined ? Buffer.alloc(0) : file.subarray(begin, begin + Number(length)) }];
  }));
};

/** What a reader sees: each text with its place, in the characters that the file says its glyphs stand for. */
export const readPdf = (file: Buffer): { readonly info: string; readonly language: string; readonly pages: readonly PrintedPage[] } => {
  const objects = objectsOf(file);
  const object = (id: string): string => objects.get(id)!.head;
  const unpacked = (id: string): string => inflateSync(objects.get(id)!.stream).toString('latin1');
  const trailer = file.toString('latin1').slice(file.lastIndexOf('trailer'));
  const root = object(found(trailer, /\/Root (\d+)/));
  const words = (hex: string): string => Buffer.from(hex, 'hex').swap16().toString('utf16le').replace(/^\ufeff/, '');
  const charactersOf = (fontId: string): ReadonlyMap<string, string> =>
    new Map([...unpacked(found(object(fontId), /\/ToUnicode (\d+)/)).matchAll(/^<([0-9a-f]{4})> <([0-9a-f]{4})>$/gm)].map(([, glyph, character]) => [glyph!, words(character!)]));
  const pages = found(object(found(root, /\/Pages (\d+)/)), /\/Kids \[(.*?)\]/).split(' 0 R').map((id) => id.trim()).filter((id) => id !== '').map((id) => {
    const [width, height] = found(object(id), /\/MediaBox \[0 0 (.*?)\]/).split(' ').map(Number) as [number, number];
    const fonts = new Map([...object(found(object(id), /\/Resources (\d+)/)).matchAll(/\/(\w+) (\d+) 0 R/g)].map(([, name, font]) => [name!, charactersOf(font!)]));
    const texts = [...unpacked(found(object(id), /\/Contents (\d+)/)).matchAll(/BT \/(\w+) ([\d.]+) Tf (\S+) \S+ \S+ \S+ (\S+) (\S+) Tm <([0-9a-f]*)> Tj ET/g)].map(([, font, size, turn, x, y, glyphs]) => ({
      x: Number(x), y: Math.round((height - Number(y)) * 100) / 100, size: Number(size), font: font!, text: glyphs!.replace(/.{4}/g, (glyph) => fonts.get(font!)!.get(glyph) ?? '\ufffd'), isTurned: turn !== '1',
    }));
    return { width, height, texts };
  });
  return { info: words(found(object(found(trailer, /\/Info (\d+)/)), /\/Title <([0-9a-f]+)>/)), language: words(found(root, /\/Lang <([0-9a-f]+)>/)), pages };
};

/** A page as its rows: what stands at one height, from left to right. What goes across the page is in none. */
export const rowsOf = ({ texts }: PrintedPage): string[] => {
  const byHeight = Map.groupBy(texts.filter(({ isTurned }) => !isTurned), ({ y }) => Math.round(y));
  return [...byHeight].sort(([one], [other]) => one - other).map(([, row]) => [...row].sort((one, other) => one.x - other.x).map(({ text }) => text).join(' | '));
};
