import { current, currentKey, TestParts } from './parts';

/** Before the first spec of a Jest run: opens the place where specs ask for real parts. */
export default async function setup(): Promise<void> {
  const parts = new TestParts();
  await parts.open();
  current[currentKey] = parts;
}
