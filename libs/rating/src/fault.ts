/** What is wrong with one field: a pointer to it (RFC 6901), a stable code for programs, and a sentence for people. */
export interface Fault {
  readonly pointer: string;
  readonly code: string;
  readonly detail: string;
}

/** One more step of a JSON pointer, escaped as RFC 6901, section 3 has it. */
export const pointerTo = (parent: string, name: string | number): string =>
  `${parent}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`;
