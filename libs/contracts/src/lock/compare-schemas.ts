export type Json = Readonly<Record<string, unknown>>;

/** What a change breaks: where, and what it is. */
export interface Break { readonly pointer: string; readonly detail: string }

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const shown = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value));
const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

/** Limits, and whether a greater value is the wider one. */
const LIMITS: Readonly<Record<string, boolean>> = { maxLength: true, maxItems: true, maximum: true, minLength: false, minItems: false, minimum: false };
const COMPARED = new Set(['type', 'properties', 'required', 'items', 'enum', 'anyOf', 'additionalProperties', 'pattern', 'x-personal', ...Object.keys(LIMITS)]);
/** For people only. */
const WORDS = new Set(['title', 'description', 'examples']);

const limitBreak = (name: string, isWiderUp: boolean, before: unknown, after: unknown): string => {
  if (before === undefined) return `the limit ${name} is new`;
  if (after === undefined) return `the limit ${name} was lifted, which readers of earlier releases do not expect`;
  const isWider = isWiderUp ? Number(after) > Number(before) : Number(after) < Number(before);
  return `the limit ${name} was ${isWider ? 'widened, which readers of earlier releases do not expect' : 'narrowed'} from ${shown(before)} to ${shown(after)}`;
};

const propertyBreaks = (before: Json, after: Json, pointer: string): Break[] => {
  const [old, now] = [before['properties'], after['properties']].map((properties) => (isObject(properties) ? properties : {})) as [Json, Json];
  const [needed, needs] = [before['required'], after['required']].map((names) => new Set((names ?? []) as string[])) as [Set<string>, Set<string>];
  const kept = Object.keys(old).flatMap((name): Break[] => {
    const at = `${pointer}/properties/${escaped(name)}`;
    if (now[name] === undefined) return [{ pointer: at, detail: 'the property was removed' }];
    const becomes = needed.has(name) === needs.has(name) ? [] : [{ pointer: at, detail: needs.has(name) ? 'the property became required, and older events lack it' : 'the property became optional, and older readers rely on it' }];
    return [...becomes, ...compareSchemas(old[name] as Json, now[name] as Json, at)];
  });
  const added = Object.keys(now).filter((name) => old[name] === undefined && needs.has(name))
    .map((name) => ({ pointer: `${pointer}/properties/${escaped(name)}`, detail: 'a new property is required, and older events lack it' }));
  return [...kept, ...added];
};

const choiceBreaks = (before: unknown, after: unknown, pointer: string): Break[] => {
  const [old, now] = [before, after].map((choices) => (choices ?? []) as readonly Json[]) as [readonly Json[], readonly Json[]];
  if (old.length !== now.length) return [{ pointer, detail: `${old.length} choices became ${now.length}` }];
  return old.flatMap((choice, nth) => compareSchemas(choice, now[nth]!, `${pointer}/${nth}`));
};

/** Schemas of what is inside a list or a map. */
const innerBreaks = (before: unknown, after: unknown, pointer: string): Break[] => {
  if (isObject(before) && isObject(after)) return compareSchemas(before, after, pointer);
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ pointer, detail: `${shown(before)} became ${shown(after)}` }];
};

/**
 * What breaks when events that were written by one schema are read by the rules of the other, in either direction. Inside a version optional properties may be
 * added; everything else does. Both are schemas as `schema.ts` makes them; a keyword that it does not know counts as a change.
 */
export const compareSchemas = (before: Json, after: Json, pointer = ''): Break[] => {
  const breaks: Break[] = [];
  if (JSON.stringify(before['type']) !== JSON.stringify(after['type'])) return [{ pointer: `${pointer}/type`, detail: `the type ${shown(before['type'])} became ${shown(after['type'])}` }];
  if ((before['x-personal'] === true) !== (after['x-personal'] === true)) breaks.push({ pointer, detail: after['x-personal'] === true ? 'the property became personal, and older events hold it in plain' : 'the property is no longer personal' });
  const [values, now] = [before['enum'], after['enum']] as (readonly unknown[] | undefined)[];
  if (JSON.stringify(values) !== JSON.stringify(now)) {
    const [gone, come] = [(values ?? []).filter((value) => !now?.includes(value)), (now ?? []).filter((value) => !values?.includes(value))];
    if (gone.length > 0 || values === undefined) breaks.push({ pointer: `${pointer}/enum`, detail: `the values were narrowed by ${shown(gone)}` });
    if (come.length > 0 || now === undefined) breaks.push({ pointer: `${pointer}/enum`, detail: `the values ${shown(come)} are new, which readers of earlier releases do not know` });
  }
  if (before['pattern'] !== after['pattern']) breaks.push({ pointer: `${pointer}/pattern`, detail: `the pattern ${shown(before['pattern'])} became ${shown(after['pattern'])}` });
  for (const [name, isWiderUp] of Object.entries(LIMITS)) if (before[name] !== after[name]) breaks.push({ pointer: `${pointer}/${name}`, detail: limitBreak(name, isWiderUp, before[name], after[name]) });
  breaks.push(...propertyBreaks(before, after, pointer), ...choiceBreaks(before['anyOf'], after['anyOf'], `${pointer}/anyOf`));
  for (const name of ['items', 'additionalProperties']) breaks.push(...innerBreaks(before[name], after[name], `${pointer}/${name}`));
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (!COMPARED.has(name) && !WORDS.has(name) && JSON.stringify(before[name]) !== JSON.stringify(after[name])) breaks.push({ pointer: `${pointer}/${escaped(name)}`, detail: `${shown(before[name])} became ${shown(after[name])}` });
  }
  return breaks;
};
