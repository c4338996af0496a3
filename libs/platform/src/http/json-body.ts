import { isUtf8 } from 'node:buffer';
import { Problem } from '../problem/problem';
import { pointerPart } from './field-rules';

/** Deeper bodies are an attack on whatever walks them. */
export const BODY_DEPTH_MAX = 32;
const FORBIDDEN = new Set(['__proto__', 'constructor']);
/** A name may be written with escapes, so those are looked at too. */
const SUSPECT = /__proto__|constructor|\\u00[0-9a-f]{2}/i;

const malformed = (detail: string) => new Problem(400, 'malformed_json', detail);

/**
 * Reads a body as JSON; an empty one is absent. Refuses with `malformed_json`, with `too_deep`, and with `invalid_request` a
 * name that would reach into the prototype of what is made of the body.
 */
export function parseJsonBody(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  if (!isUtf8(body)) throw malformed('the body is not UTF-8');
  if (depthOf(body) > BODY_DEPTH_MAX) throw new Problem(400, 'too_deep', `a body is nested ${BODY_DEPTH_MAX} deep at most`);
  const text = body.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Problem(400, 'malformed_json', 'the body is not JSON', { cause });
  }
  if (SUSPECT.test(text)) refuseForbiddenNames(value, '');
  return value;
}

const QUOTE = 0x22, BACKSLASH = 0x5c, OPEN_LIST = 0x5b, CLOSE_LIST = 0x5d, OPEN_OBJECT = 0x7b, CLOSE_OBJECT = 0x7d;

/** How deep lists and objects are nested, found without making any of them. */
function depthOf(body: Buffer): number {
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at];
    if (byte === QUOTE) at = endOfString(body, at);
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) deepest = Math.max(deepest, ++depth);
    else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--;
  }
  return deepest;
}

function endOfString(body: Buffer, start: number): number {
  for (let at = start + 1; at < body.length; at++) {
    if (body[at] === BACKSLASH) at++;
    else if (body[at] === QUOTE) return at;
  }
  return body.length;
}

function refuseForbiddenNames(value: unknown, pointer: string): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, inner] of Object.entries(value)) {
    const at = `${pointer}/${pointerPart(name)}`;
    if (FORBIDDEN.has(name)) {
      throw new Problem(400, 'invalid_request', 'the request is not well formed', { errors: [{ pointer: at, code: 'unknown_field', detail: 'there is no such field' }] });
    }
    refuseForbiddenNames(inner, at);
  }
}
