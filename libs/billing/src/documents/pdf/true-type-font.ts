/** The tables that a font inside a PDF keeps. Characters are mapped by the PDF itself. */
const KEPT = ['cvt ', 'fpgm', 'glyf', 'head', 'hhea', 'hmtx', 'loca', 'maxp', 'prep'] as const;
const CHARACTERS = 0x1_0000;
const EM = 1_000;
const COMPOSITE = { wordArguments: 1, scale: 8, more: 32, scaleTwo: 64, matrix: 128 };
const UNICODE = { platform: 3, encoding: 1, format: 4 };
const HEAD = { unitsPerEm: 18, box: 36, longOffsets: 50 };
const ALIGNED = 4;

/**
 * A TrueType font, as far as a document needs it: which glyph a character has, how wide it is, and the font with some of its glyphs alone. It reads fonts with short glyph offsets and a
 * Unicode table of format 4, such as those beside it. The source of the tables: OpenType 1.9.
 */
export class TrueTypeFont {
  private readonly tables = new Map<string, Buffer>();
  /** Character -> glyph, of the basic plane; glyph 0 stands for what the font has not. */
  private readonly glyphs = new Uint16Array(CHARACTERS);
  /** Glyph -> width, in thousandths of the size. */
  private readonly widths: Uint16Array;
  readonly ascent: number;
  readonly descent: number;
  readonly box: readonly number[];

  constructor(readonly name: string, file: Buffer) {
    const count = file.readUInt16BE(4);
    for (let at = 12; at < 12 + count * 16; at += 16) this.tables.set(file.toString('latin1', at, at + 4), file.subarray(file.readUInt32BE(at + 8), file.readUInt32BE(at + 8) + file.readUInt32BE(at + 12)));
    const [head, hhea, hmtx] = [this.table('head'), this.table('hhea'), this.table('hmtx')];
    if (head.readInt16BE(HEAD.longOffsets) !== 0) throw new Error(`${name}: glyph offsets are long`);
    const perEm = head.readUInt16BE(HEAD.unitsPerEm);
    const scaled = (units: number): number => Math.round(units * EM / perEm);
    this.ascent = scaled(hhea.readInt16BE(4));
    this.descent = scaled(hhea.readInt16BE(6));
    this.box = [0, 2, 4, 6].map((at) => scaled(head.readInt16BE(HEAD.box + at)));
    const metrics = hhea.readUInt16BE(34);
    this.widths = Uint16Array.from({ length: this.table('maxp').readUInt16BE(4) }, (_, glyph) => scaled(hmtx.readUInt16BE(Math.min(glyph, metrics - 1) * 4)));
    this.readCharacters();
  }

  glyphOf(character: number): number { return character < CHARACTERS ? this.glyphs[character]! : 0; }
  widthOf(glyph: number): number { return this.widths[glyph]!; }

  /** The font with these glyphs alone, under the numbers that they have. Glyphs that are made of others bring those with them. */
  subset(glyphs: Iterable<number>): Buffer {
    const [loca, glyf] = [this.table('loca'), this.table('glyf')];
    const wanted = [...glyphs, 0];
    const kept = new Map<number, Buffer>();
    for (let glyph = wanted.pop(); glyph !== undefined; glyph = wanted.pop()) {
      if (kept.has(glyph)) continue;
      const data = glyf.subarray(loca.readUInt16BE(glyph * 2) * 2, loca.readUInt16BE(glyph * 2 + 2) * 2);
      kept.set(glyph, data);
      wanted.push(...componentsOf(data));
    }
    const offsets = Buffer.alloc(loca.length);
    const parts: Buffer[] = [];
    let length = 0;
    for (let glyph = 0; glyph < this.widths.length; glyph++) {
      const data = padded(kept.get(glyph) ?? Buffer.alloc(0));
      parts.push(data);
      length += data.length;
      offsets.writeUInt16BE(length / 2, glyph * 2 + 2);
    }
    return fileOf(new Map([...this.tables, ['loca', offsets], ['glyf', Buffer.concat(parts)]]));
  }

  private table(name: string): Buffer {
    const found = this.tables.get(name);
    if (found === undefined) throw new Error(`${this.name} has no table ${name}`);
    return found;
  }

  private readCharacters(): void {
    const cmap = this.table('cmap');
    const entry = Array.from({ length: cmap.readUInt16BE(2) }, (_, nth) => 4 + nth * 8).find((at) => cmap.readUInt16BE(at) === UNICODE.platform && cmap.readUInt16BE(at + 2) === UNICODE.encoding);
    const map = entry === undefined ? undefined : cmap.subarray(cmap.readUInt32BE(entry + 4));
    if (map === undefined || map.readUInt16BE(0) !== UNICODE.format) throw new Error(`${this.name} has no Unicode table of format 4`);
    const size = map.readUInt16BE(6);
    for (let at = 0; at < size; at += 2) {
      const [end, start, delta, range] = [14, 16 + size, 16 + size * 2, 16 + size * 3].map((base) => map.readUInt16BE(base + at)) as [number, number, number, number];
      for (let character = start; character <= end && character < CHARACTERS - 1; character++) {
        const listed = range === 0 ? character : map.readUInt16BE(16 + size * 3 + at + range + (character - start) * 2);
        this.glyphs[character] = range !== 0 && listed === 0 ? 0 : (listed + delta) % CHARACTERS;
      }
    }
  }
}

const padded = (data: Buffer): Buffer => (data.length % ALIGNED === 0 ? data : Buffer.concat([data, Buffer.alloc(ALIGNED - data.length % ALIGNED)]));

/** The glyphs that a glyph is made of. */
const componentsOf = (data: Buffer): number[] => {
  if (data.length === 0 || data.readInt16BE(0) >= 0) return [];
  const components: number[] = [];
  for (let at = 10, flags = COMPOSITE.more; (flags & COMPOSITE.more) !== 0;) {
    flags = data.readUInt16BE(at);
    components.push(data.readUInt16BE(at + 2));
    at += 4 + ((flags & COMPOSITE.wordArguments) === 0 ? 2 : 4) + ((flags & COMPOSITE.scale) === 0 ? (flags & COMPOSITE.scaleTwo) === 0 ? (flags & COMPOSITE.matrix) === 0 ? 0 : 8 : 4 : 2);
  }
  return components;
};

const checksumOf = (data: Buffer): number => {
  let sum = 0;
  for (let at = 0; at < data.length; at += ALIGNED) sum = (sum + data.readUInt32BE(at)) >>> 0;
  return sum;
};

const fileOf = (tables: ReadonlyMap<string, Buffer>): Buffer => {
  const kept = KEPT.filter((name) => tables.has(name));
  const directory = Buffer.alloc(12 + kept.length * 16);
  directory.writeUInt32BE(0x1_0000, 0);
  directory.writeUInt16BE(kept.length, 4);
  // How a reader of 1990 looks a table up by halves.
  const halves = Math.floor(Math.log2(kept.length));
  directory.writeUInt16BE(2 ** halves * 16, 6);
  directory.writeUInt16BE(halves, 8);
  directory.writeUInt16BE(kept.length * 16 - 2 ** halves * 16, 10);
  const parts: Buffer[] = [directory];
  let offset = directory.length;
  for (const [nth, name] of kept.entries()) {
    const table = tables.get(name)!;
    const data = padded(table);
    directory.write(name, 12 + nth * 16, 'latin1');
    for (const [field, value] of [checksumOf(data), offset, table.length].entries()) directory.writeUInt32BE(value, 16 + nth * 16 + field * 4);
    parts.push(data);
    offset += data.length;
  }
  return Buffer.concat(parts);
};
