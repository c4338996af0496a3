import { failureOf, type Failure } from '../edition/failure';

/** Something is in the way that a person has to decide about: in a sentence, with the next command. */
export class UpRefused extends Error {
  constructor(sentence: string, readonly next: string) { super(sentence); }
}

/** Says what went wrong in words; `command` is what was run. */
export const upFailureOf = (error: unknown, command: string): Failure => {
  if (error instanceof UpRefused) return { sentence: error.message, next: error.next };
  const known = failureOf(error, command);
  // A folder in use here belongs to another `up`, whatever `npm start` would say of it.
  return known.next.startsWith('npx vv status') ? { sentence: known.sentence, next: 'npm run status   (or npm run down)' } : known;
};
