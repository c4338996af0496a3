/** Fields of a form in Stripe's way: `metadata[attempt]=1`, `expand[0]=x`, as nested objects. */
export interface Fields { readonly [name: string]: string | Fields | undefined }
const PARTS_MAX = 8;
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);

export const readForm = (text: string): Fields => {
  const root: Record<string, unknown> = {};
  for (const [path, value] of new URLSearchParams(text)) {
    const parts = path.replaceAll(']', '').split('[').map((part) => part || '0');
    if (parts.length > PARTS_MAX || parts.some((part) => FORBIDDEN.has(part))) continue;
    let into = root;
    for (const part of parts.slice(0, -1)) into = (into[part] ??= {}) as Record<string, unknown>;
    into[parts.at(-1)!] = value;
  }
  return root as Fields;
};

export const textOf = (fields: Fields, name: string): string | undefined => (typeof fields[name] === 'string' ? fields[name] : undefined);
export const fieldsOf = (fields: Fields, name: string): Fields => (typeof fields[name] === 'object' ? fields[name] : {});
/** The texts of a nested object: metadata, lists. */
export const textsOf = (fields: Fields, name: string): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(fieldsOf(fields, name)).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
