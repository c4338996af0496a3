import { Readable } from 'node:stream';
import { zstdCompressSync } from 'node:zlib';
import { inflateFrames } from './inflate-frames';

const TEXTS = ['id,subject\n1,', 'x'.repeat(20_000), '', 'the end\n'];
const FRAMES = TEXTS.map((text) => zstdCompressSync(Buffer.from(text)));
const WHOLE = Buffer.concat(FRAMES);
const inflated = async (chunks: readonly Buffer[]): Promise<string> => {
  const parts: Buffer[] = [];
  for await (const part of inflateFrames(Readable.from(chunks, { objectMode: false }))) parts.push(part);
  return Buffer.concat(parts).toString();
};

test('frames in a row are one file, wherever its chunks are cut', async () => {
  for (let at = 1; at < WHOLE.length; at++) expect(await inflated([WHOLE.subarray(0, at), WHOLE.subarray(at)])).toBe(TEXTS.join(''));
  expect(await inflated(FRAMES)).toBe(TEXTS.join(''));
  expect(await inflated([...WHOLE].map((byte) => Buffer.from([byte])))).toBe(TEXTS.join(''));
  expect(await inflated([])).toBe('');
});

test('what was cut off, or is followed by something else, is no file', async () => {
  for (const bytes of [WHOLE.subarray(0, -1), WHOLE.subarray(0, FRAMES[0]!.length + 5), Buffer.concat([WHOLE, Buffer.from('garbage')]), Buffer.from('no zstd at all')]) await expect(inflated([bytes])).rejects.toThrow();
});
