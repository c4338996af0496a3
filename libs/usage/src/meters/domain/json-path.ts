import { Refused } from '@valueverse/kernel';

/** The part of JSONPath that meters use: `$` and names behind points, such as `$.usage.promptTokens`. */
export type JsonPath = readonly string[];

export const JSON_PATH_LENGTH_MAX = 256;
const PATH = /^\$(?:\.[A-Za-z_][A-Za-z0-9_-]*){1,20}$/;

/** The names of a path. Refuses what is not `$.a.b` with `invalid_json_path`; `pointer` names the field that holds it. */
export const parseJsonPath = (text: string, pointer: string): JsonPath => {
  if (typeof text !== 'string' || text.length > JSON_PATH_LENGTH_MAX || !PATH.test(text)) {
    throw new Refused('invalid_json_path', 'a path into the data such as "$.promptTokens" is expected', pointer);
  }
  return text.slice(2).split('.');
};

/** What a path leads to; undefined where there is nothing. Names of the prototype are nothing. */
export const valueAt = (data: unknown, path: JsonPath): unknown => {
  let value = data;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
};
