import { isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, stringify, type Document } from 'yaml';

/** What is wrong, and where in the file: line and column from 1. */
export interface PlacedFault { readonly line: number; readonly column: number; readonly text: string }
/** A fault as the installation names it: a pointer into what was sent. */
export interface PointedFault { readonly pointer: string; readonly code: string; readonly detail: string }
export interface CatalogText { readonly value: unknown; readonly placeOf: (fault: PointedFault) => PlacedFault }

const partsOf = (pointer: string): string[] => pointer.split('/').slice(1).map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));

/** Where a pointer leads, or the nearest thing around it that is there: a missing field has no place of its own. A field of a map is where its name is. */
const offsetOf = (document: Document, pointer: string): number => {
  let node: unknown = document.contents;
  let offset = 0;
  for (const part of partsOf(pointer)) {
    const next: unknown = isMap(node) ? node.items.find((pair) => isPair(pair) && isScalar(pair.key) && String(pair.key.value) === part) : isSeq(node) ? node.items[Number(part)] : undefined;
    if (next === undefined) break;
    const place = isPair(next) ? next.key : next;
    offset = (place as { range?: [number, number, number] | null }).range?.[0] ?? offset;
    node = isPair(next) ? next.value : next;
  }
  return offset;
};

/** A file of the catalogue in YAML or JSON. Numbers of money are texts there: `"49.00"`. */
export const readCatalogText = (text: string): CatalogText | { readonly faults: readonly PlacedFault[] } => {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const placed = (offset: number, what: string): PlacedFault => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col, text: what };
  };
  if (document.errors.length > 0) return { faults: document.errors.map(({ pos, message }) => placed(pos[0], message)) };
  let value: unknown;
  try {
    value = document.toJS() ?? {};
  } catch (error) {
    // An alias of nothing, or aliases that would become a file without end.
    if ((error as Error).name !== 'ReferenceError') throw error;
    return { faults: [placed(0, (error as Error).message)] };
  }
  // The text of a fault names the field, so that a list of them can be read without the file.
  return { value, placeOf: ({ pointer, code, detail }) => placed(offsetOf(document, pointer), `${pointer === '' ? 'the file' : pointer}: ${detail} (${code})`) };
};

/** The catalogue as a file; the same catalogue is always the same text. */
export const writeCatalogText = (catalog: unknown): string => stringify(catalog, { lineWidth: 0 });

interface FieldChange { readonly field: string; readonly old?: unknown; readonly new?: unknown }
interface ListDiff { readonly added: readonly { key: string }[]; readonly removed: readonly { key: string }[]; readonly changed: readonly { key: string; fields: readonly FieldChange[] }[] }
/** What applying a file does, as the installation says it. */
export interface Applied {
  readonly applied: boolean; readonly onlyHere: readonly { kind: string; key: string }[];
  readonly changes: readonly { action: string; kind: string; key: string; fields?: readonly FieldChange[]; diff?: { fields: readonly FieldChange[]; charges: ListDiff; phases: ListDiff } }[];
}

const valueText = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value));
const fieldLines = (fields: readonly FieldChange[], of = ''): string[] => fields.map(({ field, ...change }) => `    ${of}${field}: ${valueText(change.old)} -> ${valueText(change.new)}`);
const listLines = ({ added, removed, changed }: ListDiff, noun: string): string[] => [
  ...added.map(({ key }) => `    + ${noun} ${key}`), ...removed.map(({ key }) => `    - ${noun} ${key}`), ...changed.flatMap(({ key, fields }) => fieldLines(fields, `${noun} ${key} `)),
];
const ACTIONS: Readonly<Record<string, string>> = { create: '+', add_version: '~', change: '~', restore: '^' };

export const appliedLines = ({ applied, changes, onlyHere }: Applied): string[] => [
  ...changes.flatMap(({ action, kind, key, fields = [], diff }) => [
    `${ACTIONS[action] ?? action} ${kind} ${key}${action === 'add_version' ? ', a new version' : action === 'restore' ? ', restored' : ''}`,
    ...(action === 'create' ? [] : fieldLines(fields)), ...(diff === undefined ? [] : [...fieldLines(diff.fields), ...listLines(diff.charges, 'charge'), ...listLines(diff.phases, 'phase')]),
  ]),
  ...onlyHere.map(({ kind, key }) => `  ${kind} ${key} is not in the file, and stays`),
  changes.length === 0 ? 'nothing changes' : `${changes.length} change${changes.length === 1 ? '' : 's'}${applied ? ' applied' : ', not applied'}`,
];
