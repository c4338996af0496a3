import { current, currentKey } from './parts';

/** After the last spec of a Jest run: ends the parts that were started. */
export default async function teardown(): Promise<void> {
  await current[currentKey]?.close();
  delete current[currentKey];
}
