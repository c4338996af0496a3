import type { PostalAddress } from '@valueverse/contracts';
import type { Formats } from './formats';
import { BLACK, GREY, lineHeight, oneLine, PAPERS, Sheet, type Measure, type Page, type PageSize } from './page';
import type { Words } from './words';

export interface Party { readonly name: string; readonly email?: string | undefined; readonly address?: PostalAddress | undefined; readonly taxId?: string | undefined }
export interface Look { readonly words: Words; readonly formats: Formats; readonly pageSize: PageSize; readonly accent: string; readonly zone: string }
/** What stands around the lines of a document. */
export interface Letter {
  readonly look: Look;
  readonly title: string;
  readonly number: string;
  /** Name -> value, beside the address. */
  readonly facts: readonly (readonly [string, string])[];
  readonly billTo: Party;
  readonly seller?: (Party & { readonly footer?: string | undefined }) | undefined;
  readonly headline?: string | undefined;
  /** Across every page. */
  readonly stamp?: string | undefined;
}

export const ACCENT_DEFAULT = '#101828';
const MARGIN = 50;
const STRIP = 6;
const TOP = 42;
const TITLE_SIZE = 20;
const FACTS_WIDTH = 210;
const FACT_NAME_WIDTH = 70;
const GAP = 18;
const SMALL = 8.5;
const FOOTER_SIZE = 7;
const FOOTER_LINES_MAX = 10;
const STAMP = { size: 110, color: '#fbd5d5' };
/** Where the city stands before the state and the code. */
const CITY_FIRST = new Set(['US', 'CA', 'AU']);

const regionName = (country: string, language: string): string => {
  try {
    return new Intl.DisplayNames(language, { type: 'region' }).of(country) ?? country;
  } catch {
    return country;
  }
};
const placeOf = ({ city, postalCode, state, country }: PostalAddress): string => {
  const words = CITY_FIRST.has(country) ? [[city, state].filter(Boolean).join(', '), postalCode] : [postalCode, [city, state].filter(Boolean).join(', ')];
  return words.filter(Boolean).join(' ');
};
const addressLines = ({ address }: Party, { language }: Words): string[] =>
  (address === undefined ? [] : [address.line1, address.line2, placeOf(address), regionName(address.country, language)].flatMap((line) => (line === undefined || line === '' ? [] : [line])));

const footerOf = (sheet: Sheet, { seller }: Letter): string[] => {
  if (seller?.footer === undefined) return [];
  const lines = sheet.lines(seller.footer, sheet.width, { size: FOOTER_SIZE });
  // Many short lines become a few long ones: nothing of it is lost.
  return lines.length <= FOOTER_LINES_MAX ? lines : sheet.lines(lines.filter((line) => line !== '').join(' · '), sheet.width, { size: FOOTER_SIZE });
};

/** The sheet of a letter, with its head on the first page and a running head on the others. */
export const beginLetter = (letter: Letter, measure: Measure): Sheet => {
  const { look: { pageSize }, stamp } = letter;
  const { width, height } = PAPERS[pageSize];
  const footer = footerOf(new Sheet(MARGIN, width - MARGIN, height, measure), letter);
  const sheet = new Sheet(MARGIN, width - MARGIN, height - MARGIN - footer.length * lineHeight(FOOTER_SIZE), measure);
  sheet.onPage = () => {
    if (stamp !== undefined) sheet.stamp(stamp, STAMP.size, STAMP.color);
    sheet.box(0, 0, width, STRIP, letter.look.accent);
    if (sheet.isFirst) firstHead(sheet, letter);
    else runningHead(sheet, letter);
  };
  sheet.newPage();
  return sheet;
};

const runningHead = (sheet: Sheet, { title, number, seller }: Letter): void => {
  const name = seller === undefined ? '' : sheet.lines(oneLine(seller.name), sheet.width / 2, { size: SMALL })[0]!;
  sheet.line(`${title} ${number}`, STRIP + GAP, sheet.left, sheet.width, { size: SMALL, color: GREY });
  sheet.line(name, STRIP + GAP, sheet.left, sheet.width, { size: SMALL, color: GREY, align: 'right' });
  sheet.y = TOP + 2;
};

const firstHead = (sheet: Sheet, letter: Letter): void => {
  const { look: { accent, words }, title, seller, billTo, headline } = letter;
  const x = sheet.right - FACTS_WIDTH;
  const width = sheet.width - FACTS_WIDTH - GAP;
  const size = Math.min(TITLE_SIZE, TITLE_SIZE * FACTS_WIDTH / sheet.measure(title, 'bold', TITLE_SIZE));
  sheet.line(title, TOP, x, FACTS_WIDTH, { font: 'bold', size, color: accent });
  sheet.y = TOP + 32;
  facts(sheet, letter, x);
  const factsEnd = sheet.y;
  sheet.y = TOP;
  if (seller !== undefined) {
    sheet.text(oneLine(seller.name), sheet.left, width, { font: 'bold', size: 12 });
    for (const line of [...addressLines(seller, words), ...(seller.email === undefined ? [] : [seller.email]), ...(seller.taxId === undefined ? [] : [`${words.taxId} ${seller.taxId}`])]) sheet.text(line, sheet.left, width, { size: SMALL, color: GREY });
    sheet.y += GAP;
  }
  sheet.text(words.billedTo, sheet.left, width, { size: SMALL, color: GREY });
  sheet.text(oneLine(billTo.name), sheet.left, width, { font: 'bold', size: 10 });
  for (const line of [...addressLines(billTo, words), ...(billTo.email === undefined ? [] : [billTo.email]), ...(billTo.taxId === undefined ? [] : [`${words.taxId} ${billTo.taxId}`])]) sheet.text(line, sheet.left, width);
  sheet.y = Math.max(sheet.y, factsEnd) + GAP;
  if (headline !== undefined) {
    sheet.text(headline, sheet.left, sheet.width, { font: 'bold', size: 13, color: accent });
    sheet.y += GAP / 2;
  }
};

const facts = (sheet: Sheet, { facts: all }: Letter, x: number): void => {
  for (const [name, value] of all) {
    const [nameLines, valueLines] = [sheet.lines(name, FACT_NAME_WIDTH), sheet.lines(value, FACTS_WIDTH - FACT_NAME_WIDTH)];
    for (let nth = 0; nth < Math.max(nameLines.length, valueLines.length); nth++) {
      sheet.line(nameLines[nth] ?? '', sheet.y, x, FACT_NAME_WIDTH, { color: GREY });
      sheet.line(valueLines[nth] ?? '', sheet.y, x + FACT_NAME_WIDTH, FACTS_WIDTH - FACT_NAME_WIDTH, { color: BLACK });
      sheet.y += lineHeight(9);
    }
    sheet.y += 2;
  }
};

/** The pages, each with its number and the seller's footer. */
export const endLetter = (sheet: Sheet, letter: Letter): readonly Page[] => {
  const { look: { pageSize, words } } = letter;
  const footer = footerOf(sheet, letter);
  const top = PAPERS[pageSize].height - MARGIN + 4 - footer.length * lineHeight(FOOTER_SIZE);
  const count = sheet.pages.length;
  sheet.pages.forEach((_, nth) => {
    const on = sheet.onPageOf(nth);
    on.rule(top);
    footer.forEach((line, row) => on.line(line, top + 5 + row * lineHeight(FOOTER_SIZE), sheet.left, sheet.width, { size: FOOTER_SIZE, color: GREY }));
    on.line(words.page(nth + 1, count), top + 6 + footer.length * lineHeight(FOOTER_SIZE), sheet.left, sheet.width, { size: FOOTER_SIZE + 0.5, color: GREY, align: 'right' });
  });
  return sheet.pages;
};
